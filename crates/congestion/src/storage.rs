//! Vehicles between two lines of a link: who came in and has not left is there.
//!
//! Conservation of vehicles (input-output curves: Newell 1993, "A simplified theory of kinematic waves", part I): between a loop on
//! the way in and a camera at the stop line stand those counted in less those counted out. Nothing else sees a queue beyond the camera's
//! stretch. Every vehicle that is missed makes the sum drift, so it begins anew whenever the camera sees where the queue ends.

use serde::{Deserialize, Serialize};

use crate::bias::LEAST_ROOM_M;
use crate::evidence::FULL;
use crate::sample::{Sample, What};
use crate::site::{Device, Gate, Site};
use crate::typical::Typical;

/// When a counter has told nothing for this long nobody knows the sum, ms: six half minutes.
const SILENT_MS: i64 = 180_000;

/// A counter that was silent for longer is gone, ms, and with it what it would have counted.
const GONE_MS: i64 = 600_000;

/// The sum of one link, as of its newest readings.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Storage {
    counters: Vec<Counter>,
    /// Vehicles between the lines; unknown until the camera has seen where a queue ends.
    between: Option<f64>,
    /// When it did last, event time, ms: who was counted up to then is in the sum.
    seen_whole_at: i64,
}

/// One lane of one device.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
struct Counter {
    sensor: u32,
    lane: u8,
    /// Whether it counts those who leave.
    leave: bool,
    /// End of its newest period, event time, ms.
    told_at: i64,
    vehicles_per_s: f64,
}

/// What is known of those between the lines.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Stored {
    pub(crate) vehicles: f64,
    /// Those who come in, vehicles per second.
    inflow: f64,
    /// Place of the first line, m.
    from_m: f64,
}

impl Stored {
    /// Returns how many are on the whole link: before the first line they run as is typical.
    pub(crate) fn on_link(&self, site: &Site, typical: &Typical) -> f64 {
        self.vehicles + self.inflow * self.from_m / typical.running_mps(site)
    }
}

impl Counter {
    /// Takes a period; returns how many passed in it after that instant and, at the usual rate, in periods that were lost since then and
    /// before it: positive in, negative out.
    fn take(&mut self, at: i64, period_s: f64, n: f64, after: i64) -> f64 {
        /// A period's part in the rate: the last few minutes count.
        const STEP: f64 = 0.2;
        let first = self.told_at == 0;
        let usual = if first { n / period_s } else { self.vehicles_per_s };
        let since_s = |instant: i64| (at - instant) as f64 / 1000.0;
        let gap_s = if first { 0.0 } else { since_s(self.told_at.max(after)) - period_s };
        // Periods begin some seconds early or late.
        let lost_s = if gap_s > period_s / 2.0 { gap_s } else { 0.0 };
        let counted = n * (since_s(after) / period_s).clamp(0.0, 1.0);
        self.vehicles_per_s = usual + STEP * (n / period_s - usual);
        self.told_at = at;
        self.signed(counted + usual * lost_s)
    }

    fn signed(&self, vehicles: f64) -> f64 {
        if self.leave { -vehicles } else { vehicles }
    }
}

impl Storage {
    /// Tells whether no counter of it was heard.
    pub(crate) fn is_empty(&self) -> bool {
        self.counters.is_empty()
    }

    /// Takes a reading; they come in the order of event time. `one_m`: length of queue that a vehicle makes.
    pub(crate) fn take(&mut self, sample: &Sample, device: Option<&Device>, one_m: f64, site: &Site) {
        let Some((device, gate)) = device.and_then(|device| Some((device, device.gate?))) else { return };
        match sample.what {
            What::Count { period_s, n, .. } if !n.is_nan() => {
                self.forget(sample.at);
                let after = self.seen_whole_at;
                let counter = self.counter(sample, gate);
                let passed = counter.take(sample.at, f64::from(period_s), f64::from(n), after);
                self.between = self.between.map(|between| within(between + passed, site));
            }
            What::Queue { queue_m, .. } if !queue_m.is_nan() => {
                let seen = f64::from(queue_m) / one_m;
                if f64::from(queue_m) < FULL * device.reach_m {
                    (self.between, self.seen_whole_at) = (Some(seen), sample.at);
                } else {
                    // Whatever was missed, those in the stretch are there.
                    self.between = self.between.map(|between| between.max(seen));
                }
            }
            _ => {}
        }
    }

    /// Forgets counters that are gone: what has passed them since, nobody knows.
    fn forget(&mut self, at: i64) {
        let before = self.counters.len();
        self.counters.retain(|counter| at - counter.told_at <= GONE_MS);
        if self.counters.len() < before {
            self.between = None;
        }
    }

    fn counter(&mut self, sample: &Sample, gate: Gate) -> &mut Counter {
        let (sensor, lane, leave) = (sample.sensor, sample.lane, gate == Gate::Out);
        let known = self.counters.iter().position(|known| (known.sensor, known.lane) == (sensor, lane));
        let place = known.unwrap_or_else(|| {
            self.counters.push(Counter { sensor, lane, leave, told_at: 0, vehicles_per_s: 0.0 });
            self.counters.len() - 1
        });
        &mut self.counters[place]
    }

    /// Returns who is between the lines at that event time; `None` when nobody knows.
    pub(crate) fn stored(&self, now: i64, devices: &[Device], site: &Site) -> Option<Stored> {
        let between = self.between?;
        let newest_at = self.counters.iter().map(|counter| counter.told_at).max()?;
        let is_heard = |counter: &Counter| now - counter.told_at <= SILENT_MS;
        let whole = [false, true].into_iter().all(|leave| self.covers(leave, site));
        if !whole || !self.counters.iter().all(is_heard) {
            return None;
        }
        // Who has not told of the newest period yet saw as many as usual.
        let untold = self.counters.iter().map(|counter| {
            let s = (newest_at - counter.told_at.max(self.seen_whole_at)) as f64 / 1000.0;
            counter.signed(counter.vehicles_per_s * s.max(0.0))
        });
        let vehicles = within(between + untold.sum::<f64>(), site);
        let entries = || self.counters.iter().filter(|counter| !counter.leave);
        let inflow = entries().map(|counter| counter.vehicles_per_s).sum();
        let from_m = devices.get(entries().next()?.sensor as usize)?.offset_m;
        Some(Stored { vehicles, inflow, from_m })
    }

    /// Tells whether all lanes of a line are counted, each once.
    fn covers(&self, leave: bool, site: &Site) -> bool {
        let lanes = || self.counters.iter().filter(|c| c.leave == leave).map(|counter| counter.lane);
        let told = lanes().count() as f64;
        if lanes().any(|lane| lane == 0) { told == 1.0 } else { told >= site.lanes.round() }
    }
}

/// No more stand on a link than fit, and no fewer than nobody.
fn within(vehicles: f64, site: &Site) -> f64 {
    vehicles.clamp(0.0, site.lanes * site.length_m / LEAST_ROOM_M)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LOOP: u32 = 0;
    const CAMERA: u32 = 1;

    /// A loop in the middle of a street of 300 m, and a camera over its last 50 m.
    fn devices() -> [Device; 2] {
        let (mut point, mut camera) = (Device::point(150.0), Device::point(250.0));
        (camera.reach_m, point.gate, camera.gate) = (50.0, Some(Gate::In), Some(Gate::Out));
        [point, camera]
    }

    fn counted(half_minute: i64, sensor: u32, lane: u8, n: f32) -> Sample {
        let what = What::Count {
            period_s: 30.0,
            n,
            pcu: n,
            mcu: n,
            persons: n,
            speed: f32::NAN,
            occupancy: f32::NAN,
        };
        Sample { at: half_minute * 30_000, sensor, lane, quality: 0, what }
    }

    fn queue(half_minute: i64, queue_m: f32) -> Sample {
        let what = What::Queue { queue_m, stopped: f32::NAN };
        Sample { at: half_minute * 30_000, sensor: CAMERA, lane: 0, quality: 0, what }
    }

    /// A loop and a camera that see so many each half minute, with queues of that length.
    fn half_minutes(half_minutes: std::ops::Range<i64>, into: f32, out: f32, queue_m: f32) -> Vec<Sample> {
        let all = |at| [counted(at, LOOP, 0, into), counted(at, CAMERA, 0, out), queue(at, queue_m)];
        half_minutes.flat_map(all).collect()
    }

    fn stored(samples: &[Sample]) -> Option<f64> {
        let (devices, site) = (devices(), Site::with_lanes(2.0));
        let mut storage = Storage::default();
        for sample in samples {
            storage.take(sample, Some(&devices[sample.sensor as usize]), 5.0, &site);
        }
        let now = samples.iter().map(|sample| sample.at).max()?;
        storage.stored(now, &devices, &site).map(|stored| stored.vehicles)
    }

    #[test]
    fn who_came_in_and_has_not_left_is_there() {
        let mut samples = half_minutes(1..5, 10.0, 10.0, 40.0);
        samples.extend(half_minutes(5..9, 10.0, 4.0, 50.0));
        // Eight stand in 40 m, and four times six more came than left.
        assert_eq!(stored(&samples), Some(8.0 + 24.0));
    }

    #[test]
    fn nobody_knows_before_the_camera_has_seen_where_a_queue_ends() {
        assert_eq!(stored(&half_minutes(1..9, 10.0, 4.0, 50.0)), None);
    }

    #[test]
    fn a_lost_period_of_the_loop_held_as_many_as_usual() {
        let mut samples = half_minutes(1..5, 10.0, 10.0, 40.0);
        samples.extend(half_minutes(5..9, 10.0, 4.0, 50.0));
        samples.retain(|sample| (sample.sensor, sample.at) != (LOOP, 6 * 30_000));
        assert_eq!(stored(&samples), Some(32.0));
        samples.retain(|sample| (sample.sensor, sample.at) != (LOOP, 8 * 30_000));
        assert_eq!(stored(&samples), Some(32.0), "not yet told");
    }

    #[test]
    fn what_the_camera_has_seen_whole_makes_up_for_what_was_lost_before() {
        let mut samples = half_minutes(1..20, 10.0, 10.0, 25.0);
        samples.retain(|sample| sample.sensor == CAMERA || !(2..20).contains(&(sample.at / 30_000)));
        samples.push(counted(20, LOOP, 0, 10.0));
        samples.push(counted(20, CAMERA, 0, 10.0));
        assert_eq!(stored(&samples), Some(5.0));
    }

    #[test]
    fn those_in_a_stretch_that_is_full_are_there_whatever_was_missed() {
        let mut samples = half_minutes(1..2, 0.0, 0.0, 0.0);
        samples.extend(half_minutes(2..30, 2.0, 4.0, 50.0));
        assert_eq!(stored(&samples), Some(10.0));
    }

    #[test]
    fn a_lane_that_was_told_of_once_is_forgotten() {
        let mut samples = half_minutes(1..30, 10.0, 10.0, 25.0);
        samples.push(counted(3, LOOP, 3, 1.0));
        samples.sort_by(Sample::cmp);
        assert_eq!(stored(&samples), Some(5.0));
    }

    #[test]
    fn nobody_knows_when_a_counter_is_silent_or_a_lane_is_not_counted() {
        let mut silent = half_minutes(1..20, 10.0, 10.0, 25.0);
        silent.retain(|sample| sample.sensor == CAMERA || sample.at < 5 * 30_000);
        assert_eq!(stored(&silent), None);
        let mut one_lane = half_minutes(1..9, 10.0, 10.0, 25.0);
        one_lane.iter_mut().filter(|sample| sample.sensor == LOOP).for_each(|sample| sample.lane = 1);
        assert_eq!(stored(&one_lane), None);
        let other_lane: Vec<_> = (1..9).map(|at| counted(at, LOOP, 2, 5.0)).collect();
        let mut both = [one_lane, other_lane].concat();
        both.sort_by(Sample::cmp);
        assert!(stored(&both).is_some());
    }

    proptest! {
        #[test]
        fn a_link_holds_no_more_than_fit_and_no_fewer_than_nobody_and_more_who_come_are_no_fewer(
            into in proptest::collection::vec(0.0f32..60.0, 1..20), out in 0.0f32..60.0,
            at in 0usize..20, more in 0.0f32..30.0,
        ) {
            let run = |into: &[f32]| {
                let mut samples = half_minutes(1..2, 0.0, 0.0, 0.0);
                for (at, into) in (2..).zip(into) {
                    samples.extend([counted(at, LOOP, 0, *into), counted(at, CAMERA, 0, out), queue(at, 50.0)]);
                }
                stored(&samples).unwrap()
            };
            let mut other = into.clone();
            let at = at % into.len();
            other[at] += more;
            let (before, after) = (run(&into), run(&other));
            // The stretch is full: 50 m of 5 m each.
            prop_assert!((10.0..=400.0).contains(&before));
            prop_assert!(after >= before - 1e-9);
        }
    }
}
