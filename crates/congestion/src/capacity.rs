//! What each link can pass: by its width at first, then by what it was seen to pass.
//!
//! Where a queue stands on a link and nothing behind it holds it back, what leaves is what its end lets through: the best sample of
//! a capacity there is. Flow without a queue is demand, so it only says that the capacity is no less. The mix is in the unit:
//! passenger cars, of which a motorcycle is three tenths.

use serde::{Deserialize, Serialize};

use crate::facility::Facility;
use crate::own::Own;
use crate::site::Site;

/// HCM 6, chapter 19: base saturation flow, 1,900 pc/h on a lane of 12 ft. (Hanoi: 1,964 pcu/h and lane of streets with two lanes, from
/// ASCE 10.1061/(ASCE)TE.1943-5436.0000382; TCVN 4054: 1,800 on divided roads.)
pub(crate) const SATURATION_PCUPH_PER_M: f64 = 520.0;

/// Half of the time is green, as in the typical delay at a signal; who gives way finds a gap for as long.
const OPEN_SHARE: f64 = 0.5;

/// Minutes of discharge that the width is worth: it is off by a half (green times, sides), a minute's count by a quarter, and
/// minutes of one queue are alike.
const PRIOR_MINUTES: f32 = 2.0;

/// What is known of each link.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Capacities {
    links: Vec<Passed>,
}

/// What one link passes, and was seen to pass at its best.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Passed {
    /// pcu/h, over the last minutes: a single minute's count is chance for a good part, and its best would be luck.
    lately_pcuph: f32,
    /// The most of that, pcu/h.
    most_pcuph: f32,
    /// Mean of what left while a queue stood, pcu/h, and its minutes.
    discharge_pcuph: f32,
    queue_minutes: f32,
    /// Minutes that it was seen for, as far as they are counted.
    minutes: u8,
}

/// So many minutes make it known what a link passes: half an hour without a queue.
const ENOUGH_MINUTES: u8 = 30;

/// What a link passes now, of what it can.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Used {
    /// Part of its capacity.
    pub(crate) of_capacity: f64,
    /// Part of the most that it was seen to pass; absent where it was seen too shortly.
    pub(crate) of_most: Option<f64>,
}

/// Returns what a link of that width and kind passes, pcu/h.
pub(crate) fn by_width_pcuph(site: &Site) -> f64 {
    /// HCM 6, equation 12-6: 2,200 pc/h and lane of 12 ft at 50 mi/h, 10 more for each mi/h, 2,400 at most.
    const EXPRESSWAY_PCUPH_PER_M: [f64; 2] = [601.0, 656.0];
    const MORE_PER_KMH: f64 = 1.7;
    match site.facility {
        Some(Facility::Expressway) => {
            let [least, most] = EXPRESSWAY_PCUPH_PER_M;
            (least + MORE_PER_KMH * (site.free_kmh - 80.5)).clamp(SATURATION_PCUPH_PER_M, most) * site.width_m
        }
        Some(Facility::Signal | Facility::GiveWay) => OPEN_SHARE * SATURATION_PCUPH_PER_M * site.width_m,
        None => SATURATION_PCUPH_PER_M * site.width_m,
    }
}

impl Capacities {
    pub(crate) fn new(links: usize) -> Self {
        Self { links: vec![Passed::default(); links] }
    }

    /// Takes what passed links lately; to be called once a minute. `discharges`: whether a queue stands on the link and nothing
    /// behind it holds it back.
    pub(crate) fn learn(&mut self, own: &[Own], discharges: impl Fn(usize) -> bool) {
        for (link, own) in own.iter().enumerate().filter(|(_, own)| own.counts()) {
            self.links[link].learn(own.flow_pcuph as f32, discharges(link));
        }
    }

    pub(crate) fn of(&self, link: usize) -> &Passed {
        &self.links[link]
    }
}

impl Passed {
    fn learn(&mut self, flow_pcuph: f32, discharges: bool) {
        /// Over five minutes.
        const STEP: f32 = 0.2;
        /// Half of it is forgotten in four hours: from one peak to the next.
        const FALL: f32 = 0.003;
        /// Half is forgotten from four hours of queues on.
        const MOST_MINUTES: f32 = 240.0;
        self.lately_pcuph += STEP * (flow_pcuph - self.lately_pcuph);
        self.most_pcuph =
            self.lately_pcuph.max(self.most_pcuph + FALL * (self.lately_pcuph - self.most_pcuph));
        self.minutes = self.minutes.saturating_add(1).min(ENOUGH_MINUTES);
        if discharges {
            self.queue_minutes += 1.0;
            self.discharge_pcuph += (flow_pcuph - self.discharge_pcuph) / self.queue_minutes;
            if self.queue_minutes > MOST_MINUTES {
                self.queue_minutes /= 2.0;
            }
        }
    }

    /// Returns what the link can pass, pcu/h.
    pub(crate) fn capacity_pcuph(&self, site: &Site) -> f64 {
        let by_width_pcuph = by_width_pcuph(site) as f32;
        let all = self.queue_minutes + PRIOR_MINUTES;
        let discharge = (self.queue_minutes * self.discharge_pcuph + PRIOR_MINUTES * by_width_pcuph) / all;
        f64::from(discharge.max(self.most_pcuph))
    }

    /// Returns what passes now beside what can; `None` where nothing is counted.
    pub(crate) fn used(&self, own: &Own, site: &Site) -> Option<Used> {
        let lately = f64::from(self.lately_pcuph);
        let known = self.minutes == ENOUGH_MINUTES && self.most_pcuph > 0.0;
        own.counts().then(|| Used {
            of_capacity: lately / self.capacity_pcuph(site),
            of_most: known.then(|| lately / f64::from(self.most_pcuph)),
        })
    }

    /// Minutes of discharge that it rests on.
    pub(crate) fn queue_minutes(&self) -> f64 {
        f64::from(self.queue_minutes)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// 6.5 m wide, with a signal.
    fn site() -> Site {
        Site::with_lanes(2.0)
    }

    fn after(minutes: usize, pcuph: f32, discharges: bool) -> Passed {
        let mut passed = Passed::default();
        (0..minutes).for_each(|_| passed.learn(pcuph, discharges));
        passed
    }

    #[test]
    fn a_link_of_which_nothing_was_seen_passes_what_its_width_does() {
        let unseen = |facility, free_kmh| by_width_pcuph(&Site { facility, free_kmh, ..site() });
        assert_eq!(Passed::default().capacity_pcuph(&site()), 0.5 * 520.0 * 6.5);
        assert_eq!(unseen(None, 50.0), 520.0 * 6.5);
        assert!(unseen(Some(Facility::Expressway), 120.0) > 2.0 * 2_000.0);
        let wide = Site { width_m: 13.0, ..site() };
        assert_eq!(by_width_pcuph(&wide), 2.0 * by_width_pcuph(&site()));
    }

    #[test]
    fn what_leaves_a_queue_moves_it_and_demand_without_one_does_not() {
        let by_width = by_width_pcuph(&site());
        let with_queue = after(60, 900.0, true).capacity_pcuph(&site());
        assert!((900.0..1000.0).contains(&with_queue), "{with_queue}");
        assert_eq!(after(60, 900.0, false).capacity_pcuph(&site()), by_width);
    }

    #[test]
    fn more_than_the_width_would_pass_raises_it_without_a_queue() {
        let more = 1.5 * by_width_pcuph(&site()) as f32;
        let capacity = after(60, more, false).capacity_pcuph(&site());
        assert!(capacity > 0.99 * f64::from(more), "{capacity}");
    }

    proptest! {
        #[test]
        fn a_capacity_lies_between_what_was_seen_and_the_width(
            flows in prop::collection::vec((0.0f32..4000.0, any::<bool>()), 0..400), more in 0.0f32..500.0,
        ) {
            let learned = |more: f32| {
                let mut passed = Passed::default();
                flows.iter().for_each(|&(flow, discharges)| passed.learn(flow + more, discharges));
                passed
            };
            let (passed, site) = (learned(0.0), site());
            let capacity = passed.capacity_pcuph(&site);
            prop_assert!(capacity >= f64::from(passed.most_pcuph) - 1e-3);
            prop_assert!(capacity <= by_width_pcuph(&site).max(4000.0) + 1e-3);
            prop_assert!(learned(more).capacity_pcuph(&site) >= capacity - 1e-2, "more passes, less can");
        }
    }
}
