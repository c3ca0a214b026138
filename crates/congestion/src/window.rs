//! A link's readings of the last minutes, by event time: what is late goes to where it belongs.

use serde::{Deserialize, Serialize};

use crate::sample::{Sample, What, record};

/// Sorted by [`Sample::cmp`]; one contiguous piece, for it is read from end to end at every estimate.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Window {
    #[serde(with = "record")]
    samples: Vec<Sample>,
}

impl Window {
    /// Puts a sample into its place.
    pub(crate) fn insert(&mut self, sample: Sample) {
        let place = self.samples.iter().rposition(|s| s.cmp(&sample).is_le()).map_or(0, |i| i + 1);
        self.samples.insert(place, sample);
    }

    /// Returns what ended before that event time, oldest first: little of it mostly, so that a search from the start is short.
    pub(crate) fn before(&self, at: i64) -> &[Sample] {
        let end = self.samples.iter().position(|s| s.at >= at).unwrap_or(self.samples.len());
        &self.samples[..end]
    }

    /// Forgets what ended before that event time.
    pub(crate) fn forget_before(&mut self, at: i64) {
        let end = self.before(at).len();
        if end > 0 {
            self.samples.drain(..end);
        }
    }

    /// Returns all samples, oldest first.
    pub(crate) fn all(&self) -> &[Sample] {
        &self.samples
    }

    /// Tells whether another vehicle drove by in the minute before that event time.
    pub(crate) fn others_drive(&self, at: i64, vehicle: u32) -> bool {
        const MINUTE_MS: i64 = 60_000;
        const DRIVING_KMH: f32 = 10.0;
        let lately = self.samples.iter().rev().take_while(|sample| at - sample.at <= MINUTE_MS);
        lately.filter(|sample| sample.at <= at).any(|sample| match sample.what {
            What::Count { n, speed, .. } => n > 0.0 && speed > DRIVING_KMH,
            What::Passage { speed, .. } => speed > DRIVING_KMH,
            What::Probe { vehicle: other, speed, .. } => other != vehicle && speed > DRIVING_KMH,
            What::Queue { .. } | What::Signal { .. } | What::Alert { .. } => false,
        })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.samples.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn probe(at: i64, speed: f32) -> Sample {
        sample(at, What::Probe { vehicle: 1, speed, offset_m: 0.0 })
    }

    fn sample(at: i64, what: What) -> Sample {
        Sample { at, sensor: 1, lane: 0, quality: 0, what }
    }

    #[test]
    fn readings_of_one_instant_that_differ_in_anything_have_an_order() {
        let count = |pcu: f32, occupancy: f32| {
            let persons = 2.0;
            What::Count { period_s: 30.0, n: 2.0, pcu, mcu: 2.0, persons, speed: 40.0, occupancy }
        };
        let pairs = [
            [count(0.6, 0.1), count(2.0, 0.1)],
            [count(0.6, 0.1), count(0.6, 0.2)],
            [100.0, 120.0].map(|offset_m| What::Probe { vehicle: 1, speed: 0.0, offset_m }),
            [3.0, 4.0].map(|stopped| What::Queue { queue_m: 20.0, stopped }),
        ];
        for pair in pairs {
            let [there, back] = [[0, 1], [1, 0]].map(|order| {
                let mut window = Window::default();
                order.iter().for_each(|&i| window.insert(sample(10, pair[i])));
                window
            });
            assert_eq!(there, back);
        }
    }

    #[test]
    fn who_was_counted_in_a_period_comes_before_the_queue_at_its_end_whichever_device_is_registered_first() {
        let what = What::Count {
            period_s: 30.0,
            n: 2.0,
            pcu: 2.0,
            mcu: 8.0,
            persons: 2.0,
            speed: 40.0,
            occupancy: 0.1,
        };
        let queue = sample(10, What::Queue { queue_m: 20.0, stopped: 3.0 });
        for sensor in [queue.sensor - 1, queue.sensor, queue.sensor + 1] {
            let mut window = Window::default();
            [queue, Sample { sensor, ..sample(10, what) }].into_iter().for_each(|one| window.insert(one));
            assert_eq!(window.all()[1], queue);
        }
    }

    proptest! {
        #[test]
        fn any_order_of_arrival_gives_the_same_window(mut ats in prop::collection::vec((0i64..50, 0u8..3), 0..40)) {
            let fill = |ats: &[(i64, u8)]| {
                let mut window = Window::default();
                ats.iter().for_each(|&(at, v)| window.insert(probe(at, f32::from(v))));
                window
            };
            let one = fill(&ats);
            ats.reverse();
            prop_assert_eq!(one, fill(&ats));
        }
    }

    #[test]
    fn what_ended_before_is_told_oldest_first_and_forgotten() {
        let mut window = Window::default();
        [30, 10, 20].into_iter().for_each(|at| window.insert(probe(at, 1.0)));
        let gone: Vec<i64> = window.before(30).iter().map(|sample| sample.at).collect();
        assert_eq!(gone, [10, 20]);
        window.forget_before(30);
        assert_eq!(window.all().len(), 1);
    }
}
