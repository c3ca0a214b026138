//! Base free-flow speed where the map has no posted limit: learned from the speeds of a link in light traffic.
//!
//! The 85th percentile of speeds on motorways and trunk roads, the 60th on other streets (as the Sacramento region's travel model
//! takes them off-peak), never above the limit of the road's class. A percentile is followed by a stochastic step up or down for each
//! reading (Robbins and Monro 1951): a speed and a count are all that is kept.

use serde::{Deserialize, Serialize};

use crate::sample::{Sample, What};
use crate::site::Site;

/// The free-flow speed of one link.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct FreeFlow {
    kmh: f32,
    readings: u32,
}

/// Readings before it is believed: a percentile of fewer is chance.
const ENOUGH: u32 = 30;

/// Light traffic: below 500 vehicles an hour and lane speeds do not fall with flow on any street (HCM 6, chapters 12 and 18).
const LIGHT_VPH: f64 = 500.0;

/// Slower than this share of the class's limit nobody drives freely: that is a jam.
const LEAST_SHARE: f64 = 0.3;

/// First steps are large, later ones small, as shares of the speed.
const FIRST_STEP: f32 = 0.3;
const LAST_STEP: f32 = 0.005;

impl FreeFlow {
    /// Takes the readings of some minute in which the link was not jammed.
    pub(crate) fn learn(&mut self, samples: &[Sample], site: &Site) {
        for sample in samples {
            if let Some(kmh) = light_kmh(sample, site) {
                self.step(kmh, site);
            }
        }
    }

    /// Returns the free-flow speed, km/h, once it is known.
    pub(crate) fn kmh(&self) -> Option<f64> {
        (self.readings >= ENOUGH).then_some(f64::from(self.kmh))
    }

    fn step(&mut self, kmh: f32, site: &Site) {
        if self.readings == 0 {
            self.kmh = kmh;
        }
        self.readings = self.readings.saturating_add(1);
        let percentile = if site.fast_road { 0.85 } else { 0.6 };
        let up = if kmh > self.kmh { percentile } else { percentile - 1.0 };
        let step = (FIRST_STEP / self.readings as f32).max(LAST_STEP);
        let limit = site.free_kmh as f32;
        self.kmh = (self.kmh * (1.0 + up * step)).clamp(LEAST_SHARE as f32 * limit, limit);
    }
}

/// Returns the speed of a reading of light traffic.
fn light_kmh(sample: &Sample, site: &Site) -> Option<f32> {
    let kmh = match sample.what {
        What::Count { period_s, n, speed, .. } => {
            let lanes = if sample.lane == 0 { site.lanes } else { 1.0 };
            let light = f64::from(n) / f64::from(period_s) * 3600.0 <= LIGHT_VPH * lanes;
            (n > 0.0 && light).then_some(speed)?
        }
        What::Passage { speed, .. } | What::Probe { speed, .. } => speed,
        What::Queue { .. } | What::Signal { .. } | What::Alert { .. } => return None,
    };
    (f64::from(kmh) >= LEAST_SHARE * site.free_kmh).then_some(kmh)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn reading(n: f32, speed: f32) -> Sample {
        let what = What::Count { period_s: 30.0, n, pcu: n, mcu: n, persons: n, speed, occupancy: 0.05 };
        Sample { at: 0, sensor: 1, lane: 0, quality: 0, what }
    }

    fn learned(speeds: impl IntoIterator<Item = f32>) -> Option<f64> {
        let mut free = FreeFlow::default();
        speeds.into_iter().for_each(|speed| free.learn(&[reading(2.0, speed)], &Site::with_lanes(2.0)));
        free.kmh()
    }

    #[test]
    fn the_60th_percentile_of_a_street_is_learned() {
        // 20 to 39 km/h, in an order that is no order.
        let speeds = (0..2000u16).map(|i| 20.0 + f32::from(i * 7 % 20));
        let kmh = learned(speeds).unwrap();
        assert!((kmh - 32.0).abs() < 2.0, "{kmh}");
    }

    #[test]
    fn neither_heavy_traffic_nor_a_jam_teaches_it() {
        let mut free = FreeFlow::default();
        let site = Site::with_lanes(2.0);
        (0..100).for_each(|_| free.learn(&[reading(20.0, 25.0), reading(2.0, 8.0)], &site));
        assert_eq!(free.kmh(), None);
    }

    proptest! {
        #[test]
        fn it_stays_below_the_limit_of_the_class(speeds in prop::collection::vec(15.0f32..200.0, 30..200)) {
            let kmh = learned(speeds).unwrap();
            prop_assert!((15.0..=50.0).contains(&kmh));
        }
    }
}
