//! A link's readings of the last minutes, by event time: what is late goes to where it belongs.

use serde::{Deserialize, Serialize};

use crate::sample::Sample;

/// Sorted by [`Sample::order`]; one contiguous piece, for it is read from end to end at every estimate.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Window {
    samples: Vec<Sample>,
}

impl Window {
    /// Puts a sample into its place.
    pub(crate) fn insert(&mut self, sample: Sample) {
        let order = sample.order();
        let place = self.samples.iter().rposition(|s| s.order() <= order).map_or(0, |i| i + 1);
        self.samples.insert(place, sample);
    }

    /// Forgets what ended before that event time.
    pub(crate) fn forget_before(&mut self, at: i64) {
        let gone = self.samples.partition_point(|s| s.at < at);
        if gone > 0 {
            self.samples.drain(..gone);
        }
    }

    /// Returns the samples whose periods end after `from` and not after `to`, oldest first.
    pub(crate) fn between(&self, from: i64, to: i64) -> &[Sample] {
        let (a, b) =
            (self.samples.partition_point(|s| s.at <= from), self.samples.partition_point(|s| s.at <= to));
        &self.samples[a..b.max(a)]
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.samples.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::sample::What;

    fn probe(at: i64, speed: f32) -> Sample {
        Sample { at, sensor: 1, lane: 0, what: What::Probe { vehicle: 1, speed, offset_m: 0.0 } }
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
    fn between_leaves_out_its_start_and_keeps_its_end() {
        let mut window = Window::default();
        [30, 10, 20].into_iter().for_each(|at| window.insert(probe(at, 1.0)));
        let ats: Vec<i64> = window.between(10, 30).iter().map(|s| s.at).collect();
        assert_eq!(ats, [20, 30]);
        window.forget_before(30);
        assert_eq!(window.between(0, 100).len(), 1);
    }
}
