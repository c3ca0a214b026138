//! What needs no analyser.

use super::score::{Estimate, Estimates, Fold};
use crate::corridor::{Corridor, STEP_MS};

/// Between the next kept stations up- and downstream; the nearest one at the ends.
pub(super) fn linear(corridor: &Corridor, fold: Fold) -> Estimates {
    let x_km = |place: usize| corridor.stations[place].x_km;
    let places = 0..corridor.stations.len();
    let ends = |place: usize| {
        let before = (0..place).rev().find(|other| !fold.hides(*other));
        (before, (place + 1..corridor.stations.len()).find(|other| !fold.hides(*other)))
    };
    let ends: Vec<_> = places.map(|place| fold.hides(place).then(|| ends(place))).collect();
    let at = |step: usize, place: usize| corridor.steps[step].seen[place].speed_kmh;
    let between = |step: usize, place: usize| match ends[place]? {
        (Some(before), Some(after)) if x_km(after) > x_km(before) => {
            let share = (x_km(place) - x_km(before)) / (x_km(after) - x_km(before));
            Some((1.0 - share) * at(step, before) + share * at(step, after))
        }
        (before, after) => before.or(after).map(|other| at(step, other)),
    };
    all(corridor, between)
}

/// Adaptive smoothing of what was seen up to the step.
pub(super) fn smoothed(corridor: &Corridor, fold: Fold) -> Estimates {
    /// Steps that are looked back: a jam's front needs 12 min for 3 km.
    const STEPS: usize = 4;
    const REACH_KM: f64 = 3.0;
    let kept: Vec<usize> = (0..corridor.stations.len()).filter(|place| !fold.hides(*place)).collect();
    let speed = |step: usize, place: usize| {
        let (mut free, mut jam) = ((0.0, 0.0), (0.0, 0.0));
        for &other in &kept {
            let dx_km = corridor.stations[place].x_km - corridor.stations[other].x_km;
            for back in (0..STEPS.min(step + 1)).filter(|_| dx_km.abs() <= REACH_KM) {
                let seen = corridor.steps[step - back].seen[other].speed_kmh;
                let age_h = (back as i64 * STEP_MS) as f64 / 3.6e6;
                let weight = |kmh: f64| (-dx_km.abs() / 0.6 - (age_h - dx_km / kmh).abs() * 60.0 / 1.1).exp();
                let (in_free, in_jam) = (weight(80.0), weight(-15.0));
                free = (free.0 + in_free * seen, free.1 + in_free);
                jam = (jam.0 + in_jam * seen, jam.1 + in_jam);
            }
        }
        let (free, jam) = (free.0 / free.1, jam.0 / jam.1);
        let congested = 0.5 * (1.0 + ((60.0 - free.min(jam)) / 20.0).tanh());
        Some(congested * jam + (1.0 - congested) * free)
            .filter(|speed| fold.hides(place) && speed.is_finite())
    };
    all(corridor, speed)
}

fn all(corridor: &Corridor, speed_kmh: impl Fn(usize, usize) -> Option<f64>) -> Estimates {
    let estimate = |speed_kmh| Estimate { speed_kmh, interval_kmh: None, congested: None };
    let places = 0..corridor.stations.len();
    let row = |step| places.clone().map(|place| speed_kmh(step, place).map(estimate)).collect();
    (0..corridor.steps.len()).map(row).collect()
}
