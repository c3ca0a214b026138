//! A link's readings summed up by age, and the filter over these sums, oldest first.

use std::cell::OnceCell;

use crate::delay::{self, Heard};
use crate::evidence::{Evidence, Means};
use crate::health::Health;
use crate::partition::Context;
use crate::regime::{self, Regimes};
use crate::sample::{Sample, What};
use crate::site::Site;
use crate::storage::Stored;
use crate::typical::Typical;
use crate::{Config, PartsConfig};

/// Ends of the bands, s before now: two periods of a detector and the way of its messages, as much again, the published five
/// minutes, all.
pub(crate) const BANDS_S: [f64; 4] = [75.0, 165.0, 300.0, f64::INFINITY];

/// Middles of the bands, and of what has settled.
const AGES_S: [f64; 5] = [40.0, 120.0, 232.0, 450.0, 1200.0];

/// What was seen in each band, the newest first.
pub(crate) type Bands = [Evidence; BANDS_S.len()];

/// The sensors that sum up by themselves: whom they tell of one by one as well was counted already.
pub(crate) struct SummedUp<'a> {
    samples: &'a [Sample],
    /// Sorted; found when the first passage asks for it, for most links tell of none.
    sensors: OnceCell<Vec<u32>>,
}

impl<'a> SummedUp<'a> {
    pub(crate) fn of(samples: &'a [Sample]) -> Self {
        Self { samples, sensors: OnceCell::new() }
    }

    pub(crate) fn holds(&self, sample: &Sample) -> bool {
        matches!(sample.what, What::Passage { .. }) && self.sensors().binary_search(&sample.sensor).is_ok()
    }

    fn sensors(&self) -> &[u32] {
        self.sensors.get_or_init(|| {
            let counts = self.samples.iter().filter(|sample| matches!(sample.what, What::Count { .. }));
            let mut sensors: Vec<u32> = counts.map(|sample| sample.sensor).collect();
            sensors.sort_unstable();
            sensors.dedup();
            sensors
        })
    }
}

/// The stretches of vehicles that were begun last, going back in time: enough to tell those on a link at once apart.
#[derive(Default)]
pub(crate) struct Stretches {
    begun: [Option<Stretch>; 8],
    count: usize,
}

/// What one vehicle told within a band's time. It goes into one band, that of its newest reading, as a whole: the stop of a drive without
/// its run would look like a jam while an end of a band passes between them.
#[derive(Clone, Copy)]
struct Stretch {
    vehicle: u32,
    newest_at: i64,
    band: usize,
}

impl Stretches {
    /// Returns the band of a reading, no newer than those before it, and whether it is of a vehicle that is a new one there.
    pub(crate) fn place(&mut self, sample: &Sample, now: i64) -> (usize, bool) {
        let at = sample.at;
        let band = band_of((now - at) as f64 / 1000.0);
        let What::Probe { vehicle, .. } = sample.what else { return (band, false) };
        let known = self.begun.iter_mut().flatten().find(|stretch| stretch.vehicle == vehicle);
        let Some(known) = known else {
            self.begun[self.count % self.begun.len()] = Some(Stretch { vehicle, newest_at: at, band });
            self.count += 1;
            return (band, true);
        };
        if ((known.newest_at - at) as f64) < BANDS_S[0] * 1000.0 {
            return (known.band, false);
        }
        let is_new = known.band != band;
        *known = Stretch { vehicle, newest_at: at, band };
        (band, is_new)
    }
}

/// Sums the window up by age.
pub(crate) fn of(samples: &[Sample], now: i64, health: &Health, site: &Site, context: &Context<'_>) -> Bands {
    let mut bands = Bands::default();
    let mut stretches = Stretches::default();
    let summed_up = SummedUp::of(samples);
    for of_one in samples.chunk_by(|one, next| one.sensor == next.sensor).rev() {
        let sensor = of_one[0].sensor;
        let (device, scatter) = (context.devices.get(sensor as usize), health.scatter_of(sensor));
        for sample in of_one.iter().rev().filter(|sample| !summed_up.holds(sample)) {
            let (place, is_new) = stretches.place(sample, now);
            let band = &mut bands[place];
            band.add(sample, device, scatter, site);
            band.probes.vehicles += f64::from(u8::from(is_new));
        }
    }
    bands
}

/// What the readings come to.
pub(crate) struct Sums {
    pub(crate) bands: Bands,
    pub(crate) settled: Evidence,
    /// How much longer ago the newest of what has settled is than the window, s.
    pub(crate) left_s: f64,
    /// All of it.
    pub(crate) history: Evidence,
    /// Vehicles per vehicle that a camera's occupancy makes one believe.
    pub(crate) scale: f64,
    /// Who was counted onto the link and not off it, where a queue fills the camera's stretch.
    pub(crate) stored: Option<Stored>,
}

/// A step of the filter.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    /// Time has passed: this share is left of what was known beyond the typical.
    Faded { kept: f64 },
    /// Evidence of a band was taken.
    Seen { band: usize, means: Means, heard: Heard, before: Regimes, after: Regimes },
}

impl Sums {
    /// Returns what is believed after all of it, oldest first; calls `tell` with each step. `rest`: the belief when nothing is seen.
    pub(crate) fn filter(
        &self,
        (site, rest): (&Site, &Regimes),
        typical: &Typical,
        parts: &PartsConfig,
        mut tell: impl FnMut(Step),
    ) -> Regimes {
        let mut belief = *rest;
        let [ages_s @ .., settled_age_s] = AGES_S;
        let mut age_s = settled_age_s + self.left_s;
        let settled = (BANDS_S.len(), (&self.settled, age_s));
        let bands = self.bands.iter().zip(ages_s).enumerate().rev();
        for (band, (evidence, at_s)) in [settled].into_iter().chain(bands) {
            belief = belief.after(age_s - at_s, rest);
            tell(Step::Faded { kept: regime::kept(age_s - at_s) });
            age_s = at_s;
            let mut before = belief;
            let seen = |means, heard, after: &Regimes| {
                tell(Step::Seen { band, means, heard, before, after: *after });
                before = *after;
            };
            belief = delay::joined(belief, evidence, self.scale, (site, rest), typical, parts, seen);
        }
        belief = belief.after(age_s, rest);
        tell(Step::Faded { kept: regime::kept(age_s) });
        belief
    }
}

/// Returns the number of the band of what is so old.
fn band_of(age_s: f64) -> usize {
    BANDS_S.iter().position(|end| age_s < *end).unwrap_or(BANDS_S.len() - 1)
}

/// Returns the ages between which a band lies, s; the older end is absent where there is none.
pub(crate) fn ages_s(band: usize, config: &Config) -> (f64, Option<f64>) {
    match band.checked_sub(1) {
        None => (0.0, Some(BANDS_S[0])),
        Some(next) if band < BANDS_S.len() => (BANDS_S[next], Some(BANDS_S[band].min(config.lateness_s))),
        Some(_) => (config.lateness_s, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn probe(vehicle: u32, age_s: i64) -> Sample {
        let what = What::Probe { vehicle, speed: 5.0, offset_m: 10.0 };
        Sample { at: -1000 * age_s, sensor: 1, lane: 0, quality: 0, what }
    }

    /// The bands of a vehicle's readings of those ages, s, and whether it counts as a new one there.
    fn places<const N: usize>(ages_s: [i64; N]) -> [(usize, bool); N] {
        let mut stretches = Stretches::default();
        ages_s.map(|age_s| stretches.place(&probe(7, age_s), 0))
    }

    #[test]
    fn a_drive_that_the_end_of_a_band_parts_counts_as_a_whole_where_it_ended() {
        assert_eq!(places([60, 70, 80, 100]), [(0, true), (0, false), (0, false), (0, false)]);
        assert_eq!(places([80, 100]), [(1, true), (1, false)]);
    }

    #[test]
    fn who_stands_for_minutes_is_in_every_band_once() {
        let ages_s: [i64; 30] = std::array::from_fn(|i| 10 * i as i64);
        let places = places(ages_s);
        let new: Vec<usize> = places.iter().filter(|(_, is_new)| *is_new).map(|(band, _)| *band).collect();
        assert_eq!(new, [0, 1, 2]);
        let lasts = |band: usize| places.iter().filter(|(place, _)| *place == band).count();
        assert_eq!([0, 1, 2, 3].map(lasts), [8, 16, 6, 0]);
    }

    #[test]
    fn two_vehicles_at_once_are_told_apart() {
        let mut stretches = Stretches::default();
        let told = [(1, 0), (2, 1), (1, 10), (2, 11)];
        let new = told.map(|(vehicle, age_s)| stretches.place(&probe(vehicle, age_s), 0).1);
        assert_eq!(new, [true, true, false, false]);
    }
}
