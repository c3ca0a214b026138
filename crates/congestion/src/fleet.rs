//! Buses at their stops.
//!
//! A bus that stands at a stop tells nothing of the road. Its standing is left out for as long as stops take, and longer while others
//! pass; before a signal it may stand in the queue like everybody.

use model::{Probe, Timestamp, VehicleClass};
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use crate::sample::{Sample, What};
use crate::site::Site;

/// The buses of a partition that stood.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fleet {
    stops: FxHashMap<u32, Stop>,
}

/// A bus that stood.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
struct Stop {
    link: u32,
    /// How long it has stood on that link, ms.
    stood_ms: i64,
    seen_at: i64,
}

/// What a checkpoint holds: the map as a sorted list.
#[derive(Serialize, Deserialize)]
pub(crate) struct Saved {
    stops: Vec<(u32, Stop)>,
}

/// Slower is standing, km/h.
const STANDING_KMH: f32 = 3.0;

/// Dwell times at stops are 10 to 60 s (Transit Capacity and Quality of Service Manual, 3rd ed., chapter 6).
const DWELL_MS: i64 = 60_000;

/// Closer to a signal a bus may stand in the queue, m.
const QUEUE_M: f64 = 50.0;

/// A bus that was not heard of for longer has gone, ms.
const GONE_MS: i64 = 600_000;

impl Fleet {
    /// Tells whether a reading is of a bus at a stop. `others_pass`: whether others drive along the link at that time.
    pub(crate) fn is_at_stop(
        &mut self,
        probe: &Probe,
        sample: &Sample,
        (link, site): (u32, &Site),
        step_ms: i64,
        others_pass: impl FnOnce() -> bool,
    ) -> bool {
        let What::Probe { vehicle, speed, offset_m, .. } = sample.what else { return false };
        let serves = probe.class == Some(VehicleClass::Bus) && probe.in_service != Some(false);
        let may_queue = site.has_signal() && site.length_m - f64::from(offset_m) < QUEUE_M;
        if !serves || speed >= STANDING_KMH || may_queue {
            return false;
        }
        let fresh = Stop { link, stood_ms: 0, seen_at: sample.at };
        let stop = self.stops.entry(vehicle).or_insert(fresh);
        if stop.link != link {
            *stop = fresh;
        }
        stop.stood_ms += step_ms;
        stop.seen_at = stop.seen_at.max(sample.at);
        stop.stood_ms <= DWELL_MS || others_pass()
    }

    /// Forgets buses that are gone.
    pub(crate) fn forget(&mut self, at: Timestamp) {
        self.stops.retain(|_, stop| at.as_millis() - stop.seen_at <= GONE_MS);
    }

    pub(crate) fn save(&self) -> Saved {
        let mut stops: Vec<_> = self.stops.iter().map(|(vehicle, stop)| (*vehicle, *stop)).collect();
        stops.sort_unstable_by_key(|(vehicle, _)| *vehicle);
        Saved { stops }
    }

    pub(crate) fn load(saved: Saved) -> Self {
        Self { stops: saved.stops.into_iter().collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEP_MS: i64 = 10_000;

    fn bus(in_service: Option<bool>) -> Probe {
        Probe {
            vehicle: "bus".into(),
            lon: 0.0,
            lat: 0.0,
            heading_deg: None,
            speed_kmh: Some(0.0),
            class: Some(VehicleClass::Bus),
            in_service,
        }
    }

    /// For how many of 30 readings, 10 s apart, a standing bus counts.
    fn counted(probe: &Probe, offset_m: f32, others_pass: bool) -> usize {
        let mut fleet = Fleet::default();
        let site = Site::with_lanes(2.0);
        let counts = |i: &i64| {
            let what = What::Probe { vehicle: 1, speed: 0.0, offset_m };
            let sample = Sample { at: i * STEP_MS, sensor: 1, lane: 0, quality: 0, what };
            !fleet.is_at_stop(probe, &sample, (0, &site), STEP_MS, || others_pass)
        };
        (0..30).filter(counts).count()
    }

    #[test]
    fn a_bus_stands_at_its_stop_for_a_minute_and_longer_while_others_pass() {
        assert_eq!(counted(&bus(Some(true)), 100.0, false), 24);
        assert_eq!(counted(&bus(None), 100.0, true), 0);
    }

    #[test]
    fn a_bus_before_a_signal_or_off_duty_stands_like_everybody() {
        assert_eq!(counted(&bus(Some(true)), 280.0, true), 30);
        assert_eq!(counted(&bus(Some(false)), 100.0, true), 30);
    }
}
