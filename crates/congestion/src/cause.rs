//! What holds the head of a queue back.
//!
//! While vehicles wait on a link, what leaves it is what its end lets through. Where that is at least nine tenths of what the link
//! was seen to pass, it is a bottleneck that works as it can; where it is less than seven tenths, something blocks it. Before
//! that: those who wait for a red or two wait for a signal; and where most of those who leave run into what is likely to be a jam,
//! or into roads that another process watches, the cause lies further on.

use model::HeadKind;
use roadnet::LinkIndex;
use serde::{Deserialize, Serialize};

use crate::own::Own;
use crate::partition::Context;
use crate::queue::Picture;

/// HCM 6, chapter 12: a bottleneck that discharges its queue passes some per cent less than it can; counts of a minute add as much.
const AS_IT_CAN: f64 = 0.9;

/// Half of two lanes or a third of three is closed by what stands in one of them.
const FAR_LESS: f64 = 0.7;

/// A usual cycle, s: who loses no more waits for his green and not for others.
const CYCLE_S: f64 = 60.0;

/// What each link passes, and was seen to pass at its best.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Capacities {
    /// Per link, pcu/h, over the last minutes: a single minute's count is chance for a good part, and its best would be luck.
    lately_pcuph: Vec<f32>,
    /// Per link, the most of that, pcu/h.
    most_pcuph: Vec<f32>,
    /// Per link: minutes that it was seen for, as far as they are counted.
    minutes: Vec<u8>,
}

impl Capacities {
    /// So many minutes make a capacity: half an hour without a queue.
    const ENOUGH: u8 = 30;

    pub(crate) fn new(links: usize) -> Self {
        Self { lately_pcuph: vec![0.0; links], most_pcuph: vec![0.0; links], minutes: vec![0; links] }
    }

    /// Takes what passed links lately; to be called once a minute.
    pub(crate) fn learn(&mut self, own: &[Own]) {
        /// Over five minutes.
        const STEP: f32 = 0.2;
        /// Half of it is forgotten in four hours: from one peak to the next.
        const FALL: f32 = 0.003;
        for (link, own) in own.iter().enumerate().filter(|(_, own)| own.counts()) {
            let (lately, most) = (&mut self.lately_pcuph[link], &mut self.most_pcuph[link]);
            *lately += STEP * (own.flow_pcuph as f32 - *lately);
            *most = lately.max(*most + FALL * (*lately - *most));
            self.minutes[link] = self.minutes[link].saturating_add(1).min(Self::ENOUGH);
        }
    }

    /// Returns the part of what a link was seen to pass that passes now; `None` where too little was seen.
    fn used(&self, link: usize, own: &Own) -> Option<f64> {
        let [lately, most] = [self.lately_pcuph[link], self.most_pcuph[link]].map(f64::from);
        (own.counts() && self.minutes[link] == Self::ENOUGH && most > 0.0).then(|| lately / most)
    }
}

/// Returns what holds a head back, as far as that is known.
pub(crate) fn of(
    head: u32,
    y: f64,
    capacities: &Capacities,
    picture: &Picture<'_>,
    context: &Context<'_>,
) -> Option<HeadKind> {
    let site = &context.sites[head as usize];
    let used = capacities.used(head as usize, &picture.own[head as usize]);
    kind(runs_into_jams(head, picture, context), site.signal, site.free_s() * (y.exp() - 1.0), used)
}

fn kind(runs_into_jams: f64, signal: bool, lost_s: f64, used: Option<f64>) -> Option<HeadKind> {
    if runs_into_jams > 0.5 {
        return Some(HeadKind::Downstream);
    }
    if signal && lost_s <= CYCLE_S {
        return Some(HeadKind::Signal);
    }
    match used? {
        used if used >= AS_IT_CAN => Some(HeadKind::Capacity),
        used if used < FAR_LESS => Some(HeadKind::Incident),
        _ => None,
    }
}

/// Returns the share of those who leave a link that are likely to run into a jam, or into what others watch.
fn runs_into_jams(link: u32, picture: &Picture<'_>, context: &Context<'_>) -> f64 {
    let link = LinkIndex(link);
    let after = context.network.downstream(link).iter().zip(picture.turns.of(link));
    let jam = |next: usize| if context.sites[next].owned { picture.congested[next] } else { 1.0 };
    after.map(|(next, share)| f64::from(*share) * jam(next.index())).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passing(pcuph: f64) -> Own {
        Own { flow_vph: pcuph, flow_pcuph: pcuph, ..Own::NOTHING }
    }

    /// An hour at that flow.
    fn hour(pcuph: f64) -> Capacities {
        let mut capacities = Capacities::new(1);
        (0..60).for_each(|_| capacities.learn(&[passing(pcuph)]));
        capacities
    }

    /// What is told of a head that has passed that much for so many minutes.
    fn kind_after(mut capacities: Capacities, pcuph: f64, minutes: usize) -> Option<HeadKind> {
        (0..minutes).for_each(|_| capacities.learn(&[passing(pcuph)]));
        kind(0.1, false, 100.0, capacities.used(0, &passing(pcuph)))
    }

    #[test]
    fn what_passes_while_others_wait_tells_a_bottleneck_from_a_blockage() {
        assert_eq!(kind_after(hour(1000.0), 950.0, 15), Some(HeadKind::Capacity));
        assert_eq!(kind_after(hour(1000.0), 800.0, 15), None);
        assert_eq!(kind_after(hour(1000.0), 500.0, 15), Some(HeadKind::Incident));
    }

    #[test]
    fn nothing_is_said_of_a_link_that_was_not_counted_for_half_an_hour() {
        assert_eq!(kind_after(Capacities::new(1), 500.0, 20), None);
        assert_eq!(kind(0.1, false, 100.0, hour(1000.0).used(0, &Own::NOTHING)), None);
    }

    #[test]
    fn a_blockage_of_half_an_hour_does_not_become_the_capacity() {
        assert_eq!(kind_after(hour(1000.0), 300.0, 30), Some(HeadKind::Incident));
    }

    #[test]
    fn who_waits_for_one_green_waits_for_the_signal_and_who_runs_into_a_jam_for_that() {
        assert_eq!(kind(0.1, true, 40.0, Some(0.5)), Some(HeadKind::Signal));
        assert_eq!(kind(0.1, true, 90.0, Some(0.5)), Some(HeadKind::Incident));
        assert_eq!(kind(0.6, true, 40.0, Some(0.95)), Some(HeadKind::Downstream));
    }
}
