//! A link's readings summed up by age, and the filter over these sums, oldest first.

use std::cell::OnceCell;

use crate::delay::{self, Heard, Typical};
use crate::evidence::{Evidence, Means};
use crate::health::Health;
use crate::partition::Context;
use crate::regime::{self, Regimes};
use crate::sample::{Sample, What};
use crate::site::Site;
use crate::storage::Stored;
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

/// The vehicles of a band that were seen last: enough to tell those on a link at once apart.
#[derive(Default)]
struct Vehicles {
    band: usize,
    seen: [u32; 8],
    count: usize,
}

impl Vehicles {
    fn is_new(&mut self, band: usize, vehicle: u32) -> bool {
        if band != self.band {
            *self = Self { band, ..Self::default() };
        }
        if self.seen[..self.count.min(self.seen.len())].contains(&vehicle) {
            return false;
        }
        self.seen[self.count % self.seen.len()] = vehicle;
        self.count += 1;
        true
    }
}

/// Sums the window up by age.
pub(crate) fn of(samples: &[Sample], now: i64, health: &Health, site: &Site, context: &Context<'_>) -> Bands {
    let mut bands = Bands::default();
    let mut vehicles = Vehicles::default();
    let summed_up = SummedUp::of(samples);
    for of_one in samples.chunk_by(|one, next| one.sensor == next.sensor) {
        let sensor = of_one[0].sensor;
        let (device, scatter) = (context.devices.get(sensor as usize), health.scatter_of(sensor));
        for sample in of_one.iter().filter(|sample| !summed_up.holds(sample)) {
            let place = band_of((now - sample.at) as f64 / 1000.0);
            let band = &mut bands[place];
            band.add(sample, device, scatter, site);
            if let What::Probe { vehicle, .. } = sample.what
                && vehicles.is_new(place, vehicle)
            {
                band.probes.vehicles += 1.0;
            }
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
pub(crate) fn band_of(age_s: f64) -> usize {
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
