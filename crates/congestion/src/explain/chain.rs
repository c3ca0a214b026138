//! The chain from what is usual to the speed that is told.

use super::Step;
use crate::chance::Shares;
use crate::graph::Stage;
use crate::regime::Regimes;
use crate::told::Basis;

/// Returns the steps by which a link's belief came about, as speeds; `basis`: what is told rests on.
pub(super) fn of(stages: &[(Stage, Regimes)], basis: &Basis<'_>) -> Vec<Step> {
    let jammed = basis.belief.jammed;
    let step = |((by, belief), weight): (&(Stage, Regimes), f64)| {
        let Shares { slow, middle, fast, .. } = Basis { belief, ..*basis }.chance().shares();
        let [slow, speed_kmh, fast] = [slow, middle, fast].map(|share| share * basis.site.free_kmh);
        Step { by: *by, speed_kmh, between_kmh: (slow, fast), jammed: belief.jammed, weight }
    };
    stages.iter().zip(weights(stages, jammed)).map(step).collect()
}

/// Each step moves the middle of a regime towards what it says by the share of the variance that it takes away, and leaves the rest
/// to those before it.
fn weights(stages: &[(Stage, Regimes)], jammed: f64) -> Vec<f64> {
    let (mut free, mut jam) = (1.0, 1.0);
    let mut weights = vec![0.0; stages.len()];
    for (place, (stage, after)) in stages.iter().enumerate().rev() {
        let before = place.checked_sub(1).map(|before| stages[before].1);
        // These take the place of all before them.
        let instead = matches!(stage, Stage::Week | Stage::Smoothing);
        let (by_free, by_jam) = match before.filter(|_| !instead) {
            Some(before) => (gain(before.free.var, after.free.var), gain(before.jam.var, after.jam.var)),
            None => (1.0, 1.0),
        };
        weights[place] = (1.0 - jammed) * free * by_free + jammed * jam * by_jam;
        (free, jam) = (free * (1.0 - by_free), jam * (1.0 - by_jam));
    }
    weights
}

fn gain(before: f64, after: f64) -> f64 {
    (1.0 - after / before).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::fusion::Belief;

    proptest! {
        #[test]
        fn weights_are_shares_and_add_up_to_one(
            vars in prop::collection::vec((0.001f64..1.0, 0.001f64..1.0), 1..6), jammed in 0.0f64..1.0,
        ) {
            let order = [Stage::Usual, Stage::Week, Stage::Neighbours, Stage::Smoothing, Stage::Sensors, Stage::TravelTimes];
            let stage = |(stage, (free, jam)): (&Stage, &(f64, f64))| {
                let (free, jam) = (Belief { y: 0.0, var: *free }, Belief { y: 2.0, var: *jam });
                (*stage, Regimes { free, jam, jammed })
            };
            let stages: Vec<_> = order.iter().zip(&vars).map(stage).collect();
            let weights = weights(&stages, jammed);
            prop_assert!(weights.iter().all(|weight| (0.0..=1.0 + 1e-9).contains(weight)));
            prop_assert!((weights.iter().sum::<f64>() - 1.0).abs() < 1e-9);
        }
    }
}
