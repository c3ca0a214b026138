//! What holds the head of a queue back.
//!
//! While vehicles wait on a link, what leaves it is what its end lets through. Where that is at least nine tenths of what the link
//! can pass, it is a bottleneck that works as it can; where it is less than seven tenths of what it was seen to pass, something blocks it. Before
//! that: those who wait for a red or two wait for a signal; and where most of those who leave run into what is likely to be a jam,
//! or into roads that another process watches, the cause lies further on.

use model::HeadKind;
use roadnet::LinkIndex;

use crate::capacity::Used;
use crate::picture::Picture;
use crate::site::Site;

/// HCM 6, chapter 12: a bottleneck that discharges its queue passes some per cent less than it can; counts of a minute add as much.
const AS_IT_CAN: f64 = 0.9;

/// Half of two lanes or a third of three is closed by what stands in one of them.
const FAR_LESS: f64 = 0.7;

/// A usual cycle, s: who loses no more waits for his green and not for others.
const CYCLE_S: f64 = 60.0;

/// Returns what holds a head back, as far as that is known. `alone`: what does where nothing behind it does.
pub(crate) fn of(head: u32, alone: Option<HeadKind>, picture: &Picture<'_>) -> Option<HeadKind> {
    kind(runs_into_jams(head, picture), alone)
}

fn kind(runs_into_jams: f64, alone: Option<HeadKind>) -> Option<HeadKind> {
    if runs_into_jams > 0.5 { Some(HeadKind::Downstream) } else { alone }
}

/// Returns what holds a link back where nothing behind it does. `y`: the middle of what is believed of it.
pub(crate) fn alone(y: f64, used: Option<Used>, site: &Site) -> Option<HeadKind> {
    at_end(site.has_signal(), site.free_s() * (y.exp() - 1.0), used)
}

fn at_end(signal: bool, lost_s: f64, used: Option<Used>) -> Option<HeadKind> {
    if signal && lost_s <= CYCLE_S {
        return Some(HeadKind::Signal);
    }
    let used = used?;
    if used.of_capacity >= AS_IT_CAN {
        return Some(HeadKind::Capacity);
    }
    used.of_most.is_some_and(|used| used < FAR_LESS).then_some(HeadKind::Incident)
}

/// Returns the share of those who leave a link that are likely to run into a jam, or into what others watch.
pub(crate) fn runs_into_jams(link: u32, picture: &Picture<'_>) -> f64 {
    let after = picture.turns.after(LinkIndex(link)).iter();
    let jam = |next: usize| if picture.owned.holds(next) { picture.congested[next] } else { 1.0 };
    after.map(|next| next.share() * jam(next.link.index())).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::capacity::Capacities;
    use crate::own::Own;

    fn passing(pcuph: f64) -> Own {
        Own { flow_vph: pcuph, flow_pcuph: pcuph, ..Own::NOTHING }
    }

    /// An hour at that flow, with a queue.
    fn hour(pcuph: f64) -> Capacities {
        let mut capacities = Capacities::new(1);
        (0..60).for_each(|_| capacities.learn(&[passing(pcuph)], |_| true));
        capacities
    }

    /// What is told of a head that has passed that much for so many minutes, with a queue on it.
    fn kind_after(mut capacities: Capacities, pcuph: f64, minutes: usize) -> Option<HeadKind> {
        (0..minutes).for_each(|_| capacities.learn(&[passing(pcuph)], |_| true));
        at_end(false, 100.0, capacities.of(0).used(&passing(pcuph), &Site::with_lanes(2.0)))
    }

    fn used(of_capacity: f64, of_most: f64) -> Option<Used> {
        Some(Used { of_capacity, of_most: Some(of_most) })
    }

    #[test]
    fn what_passes_while_others_wait_tells_a_bottleneck_from_a_blockage() {
        assert_eq!(kind_after(hour(1000.0), 1000.0, 15), Some(HeadKind::Capacity));
        assert_eq!(kind_after(hour(1000.0), 800.0, 15), None);
        assert_eq!(kind_after(hour(1000.0), 500.0, 15), Some(HeadKind::Incident));
    }

    #[test]
    fn nothing_blocks_a_link_that_was_not_counted_for_half_an_hour() {
        assert_eq!(kind_after(Capacities::new(1), 500.0, 20), None);
        let site = Site::with_lanes(2.0);
        assert_eq!(at_end(false, 100.0, hour(1000.0).of(0).used(&Own::NOTHING, &site)), None);
    }

    #[test]
    fn a_street_that_was_never_full_is_no_bottleneck_at_its_best() {
        let mut capacities = Capacities::new(1);
        (0..60).for_each(|_| capacities.learn(&[passing(400.0)], |_| false));
        assert_eq!(kind_after(capacities, 400.0, 5), None);
    }

    #[test]
    fn a_blockage_of_half_an_hour_does_not_become_the_capacity() {
        assert_eq!(kind_after(hour(1000.0), 300.0, 30), Some(HeadKind::Incident));
    }

    #[test]
    fn who_waits_for_one_green_waits_for_the_signal_and_who_runs_into_a_jam_for_that() {
        assert_eq!(at_end(true, 40.0, used(0.5, 0.5)), Some(HeadKind::Signal));
        assert_eq!(at_end(true, 90.0, used(0.5, 0.5)), Some(HeadKind::Incident));
        assert_eq!(kind(0.6, at_end(true, 40.0, used(0.95, 0.95))), Some(HeadKind::Downstream));
    }
}
