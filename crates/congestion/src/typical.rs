//! What is typical of a partition's links: what is lost at their ends, how fast one runs, how jams are.
//!
//! What is lost at signals differs from city to city with cycles and platoons, so it is learned from those links whose cameras and
//! probes see it, and used for those whose loops don't.

use serde::{Deserialize, Serialize};

use crate::PartsConfig;
use crate::capacity;
use crate::cycle::Cycle;
use crate::facility::Facility;
use crate::own::Own;
use crate::regime::{Jams, LEAST_JAM_Y, Regimes};
use crate::site::Site;

/// What is typical for the links of a partition; learned, starting from the literature.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct Typical {
    /// Seconds lost at a signal.
    pub(crate) signal_s: f64,
    /// Seconds lost where one gives way.
    pub(crate) give_way_s: f64,
    /// Mean cycle of the signals that tell their times.
    pub(crate) cycle: Cycle,
    /// Mean flow ratio before the signals at which [`Typical::signal_s`] was learned.
    flow_ratio: f64,
    /// Running speed as a share of free flow.
    pub(crate) running_share: f64,
    pub(crate) jams: Jams,
    /// Distance that probes drove on links that are counted, and that all did, km/h, faded.
    probes_kmh: f64,
    all_kmh: f64,
}

impl Default for Typical {
    fn default() -> Self {
        Self {
            // The uniform delay of the usual cycle, and about 4 s for braking and starting.
            signal_s: 12.0,
            // Level A of HCM 6, exhibit 20-2, less what braking costs on the approach: few wait long, most not at all.
            give_way_s: 3.0,
            cycle: Cycle::USUAL,
            flow_ratio: 0.1,
            // HCM 6, equation 18-6 (proximity of other vehicles): 0.9 to 0.95 at urban flows.
            running_share: 0.92,
            jams: Jams::default(),
            // One in fifty tells its place, until a few minutes of a few streets have said more.
            probes_kmh: 60.0,
            all_kmh: 3000.0,
        }
    }
}

/// Between these is what is lost at a signal, and at most where one gives way, s.
const LEAST_SIGNAL_S: f64 = 2.0;
const MOST_SIGNAL_S: f64 = 60.0;

/// Spread of running times between links and times that are free.
const FREE_SD: f64 = 0.1;

/// Spread of what is lost at the end of a link between links and times that are free, as a share of it: who drives a long link loses little of
/// his time there, so that it is known well. Measured on simulated streets: a half to the whole of it.
const LOSS_SPREAD: f64 = 0.8;

impl Typical {
    /// Returns what is typical of one link, of which that is known. Control delay at a signal is uniform delay, which follows from its own
    /// times, and the rest, which is as elsewhere in the city (HCM 6, equation 19-18). All of it grows with the vehicles that arrive.
    #[must_use]
    pub(crate) fn here(mut self, own: &Own, site: &Site, parts: &PartsConfig) -> Self {
        if parts.signal_delay && site.has_signal() {
            self.signal_s += self.cycle_of(own).uniform_delay_s() - self.cycle.uniform_delay_s();
            self.signal_s *= self.queueing(own, site);
            self.signal_s = self.signal_s.clamp(LEAST_SIGNAL_S, MOST_SIGNAL_S);
        }
        self
    }

    /// Returns how much longer than elsewhere one waits because more arrive: while the queue of the red leaves, others join it, so that it
    /// takes 1 / (1 - flow ratio) times as long to be gone (HCM 6, equation 19-20; Webster 1958).
    fn queueing(&self, own: &Own, site: &Site) -> f64 {
        flow_ratio(own, site).map_or(1.0, |ratio| (1.0 - self.flow_ratio) / (1.0 - ratio))
    }

    /// Returns the travel time when nothing is measured, s.
    pub(crate) fn time_s(&self, site: &Site) -> f64 {
        site.free_s() / self.running_share + self.end_s(site)
    }

    /// Returns the share of that time which is lost at the end of the link.
    pub(crate) fn lost_share(&self, site: &Site) -> f64 {
        self.end_s(site) / self.time_s(site)
    }

    /// Returns what is believed of a link of which nothing was seen.
    pub(crate) fn rest(&self, site: &Site) -> Regimes {
        let sd = FREE_SD.hypot(LOSS_SPREAD * self.lost_share(site));
        Regimes::unseen((self.time_s(site) / site.free_s()).ln(), sd, self.jams)
    }

    /// Moves towards the share of links that are now believed to be jammed: `jammed` of so many that were heard of lately.
    pub(crate) fn learn_share(&mut self, jammed: f64, heard: f64) {
        /// A minute's part: jams come and go over a quarter of an hour.
        const STEP: f64 = 0.07;
        /// What is usual elsewhere is worth that many links: a few links do not make a city.
        const PRIOR_LINKS: f64 = 20.0;
        let usual = Jams::default().share;
        let share = (jammed + PRIOR_LINKS * usual) / (heard + PRIOR_LINKS);
        self.jams.share = (self.jams.share + STEP * (share - self.jams.share)).clamp(0.03, 0.4);
    }

    /// Returns the share of vehicles that tell their place.
    pub(crate) fn probe_share(&self) -> f64 {
        self.probes_kmh / self.all_kmh
    }

    /// Lets what was learned of the share of probes count for less; to be called once a minute.
    pub(crate) fn fade_probes(&mut self) {
        /// Half of it is forgotten in two hours: fleets come and go with the time of day.
        const KEPT: f64 = 0.994;
        (self.probes_kmh, self.all_kmh) = (self.probes_kmh * KEPT, self.all_kmh * KEPT);
    }

    /// Takes what a counted link says of the share of probes: distances driven on it in an hour, km/h.
    pub(crate) fn learn_probes(&mut self, probes_kmh: f64, all_kmh: f64) {
        (self.probes_kmh, self.all_kmh) = (self.probes_kmh + probes_kmh, self.all_kmh + all_kmh);
    }

    /// Returns how fast vehicles drive where nothing holds them up, m/s.
    pub(crate) fn running_mps(&self, site: &Site) -> f64 {
        self.running_share * site.free_kmh / 3.6
    }

    /// Moves towards the mean of the signals before which something was seen in a minute.
    pub(crate) fn learn_signals(&mut self, minute: &Signals) {
        /// A minute's part: which of them see somebody changes from minute to minute.
        const STEP: f64 = 0.2;
        let learn = |known: &mut f64, sum: f64, weight: f64| {
            if weight > 0.0 {
                *known += STEP * (sum / weight - *known);
            }
        };
        learn(&mut self.cycle.red_s, minute.red_s, minute.told);
        learn(&mut self.cycle.length_s, minute.length_s, minute.told);
        learn(&mut self.flow_ratio, minute.flow_ratio, minute.counted);
    }

    /// Returns the cycle of the signal that is known of a link, or the usual one.
    pub(crate) fn cycle_of(&self, own: &Own) -> Cycle {
        if own.cycle.is_known() { own.cycle } else { self.cycle }
    }

    /// Returns what is lost at the end of a link, s.
    pub(crate) fn end_s(&self, site: &Site) -> f64 {
        match site.facility {
            Some(Facility::Signal) => self.signal_s,
            Some(Facility::GiveWay) => self.give_way_s,
            Some(Facility::Expressway) | None => 0.0,
        }
    }

    /// Moves towards what a link's direct evidence says while it is free: a stochastic median, which no single minute pulls away. As many as are
    /// of jams would, so they count by the probability that they are of none. `here`: what was typical of it.
    pub(crate) fn learn(&mut self, here: &Self, site: &Site, time_s: f64, weight: f64, jammed: f64) {
        const STEP_S: f64 = 0.1;
        const STEP_SHARE: f64 = 0.0005;
        const STEP_JAM_Y: f64 = 0.01;
        // What is learned outlives its cause: no number that is none gets in.
        if !(time_s.is_finite() && time_s > 0.0) {
            return;
        }
        let y = (time_s / site.free_s()).ln();
        if y > here.rest(site).free.y + LEAST_JAM_Y {
            let moved = self.jams.y + STEP_JAM_Y * (y - self.jams.y).signum();
            self.jams.y = moved.clamp(1.2, 3.5);
        }
        let later = weight * (1.0 - jammed) * (time_s - here.time_s(site)).signum();
        match site.facility {
            Some(Facility::Signal) => {
                self.signal_s = (self.signal_s + STEP_S * later).clamp(LEAST_SIGNAL_S, MOST_SIGNAL_S);
            }
            Some(Facility::GiveWay) => {
                self.give_way_s = (self.give_way_s + STEP_S * later).clamp(0.0, MOST_SIGNAL_S);
            }
            Some(Facility::Expressway) | None => {
                self.running_share = (self.running_share - STEP_SHARE * later).clamp(0.7, 1.0);
            }
        }
    }
}

/// Sums over the signals before which something was seen in a minute, weighted by the drives that were.
#[derive(Default)]
pub(crate) struct Signals {
    /// Of those that tell their times.
    told: f64,
    red_s: f64,
    length_s: f64,
    /// Of those before which there are counters.
    counted: f64,
    flow_ratio: f64,
}

impl Signals {
    pub(crate) fn add(&mut self, own: &Own, site: &Site, weight: f64) {
        if own.cycle.is_known() {
            self.told += weight;
            self.red_s += weight * own.cycle.red_s;
            self.length_s += weight * own.cycle.length_s;
        }
        if let Some(ratio) = flow_ratio(own, site) {
            self.counted += weight;
            self.flow_ratio += weight * ratio;
        }
    }
}

/// Returns the flow before a signal over what passes while it is green, 0..0.7 (HCM 6, chapter 19: flow ratio); unknown without counters.
fn flow_ratio(own: &Own, site: &Site) -> Option<f64> {
    /// More is a jam, and no longer the wait of one cycle.
    const MOST: f64 = 0.7;
    let ratio = own.flow_pcuph / (capacity::SATURATION_PCUPH_PER_M * site.width_m);
    ratio.is_finite().then(|| ratio.clamp(0.0, MOST))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(facility: Facility) -> Site {
        Site { facility: Some(facility), ..Site::with_lanes(2.0) }
    }

    /// What is typical of a link with that signal before which so much arrives, pcu/h.
    fn here(typical: &Typical, cycle: Cycle, flow_pcuph: f64) -> Typical {
        let own = Own { cycle, flow_pcuph, ..Own::NOTHING };
        typical.here(&own, &at(Facility::Signal), &PartsConfig::default())
    }

    /// Learns from so many minutes of no jam in which a drive took that long.
    fn learn(typical: &mut Typical, minutes: usize, site: &Site, time_s: f64) {
        for _ in 0..minutes {
            let here = *typical;
            typical.learn(&here, site, time_s, 1.0, 0.0);
        }
    }

    #[test]
    fn a_signal_that_is_red_for_longer_costs_more_and_one_that_tells_nothing_what_is_usual() {
        let typical = Typical::default();
        let lost_s = |cycle: Cycle| here(&typical, cycle, f64::NAN).signal_s;
        // 60^2 / 180 s of uniform delay beside 30^2 / 120 s.
        let longer = Cycle { red_s: 60.0, length_s: 90.0 };
        assert!((lost_s(longer) - lost_s(Cycle::USUAL) - 12.5).abs() < 1e-9);
        assert_eq!(lost_s(Cycle::UNKNOWN), typical.signal_s);
    }

    #[test]
    fn before_a_signal_one_waits_longer_the_more_arrive_and_as_usual_where_nobody_counts() {
        let typical = Typical::default();
        let lost_s = |flow_pcuph: f64| here(&typical, Cycle::UNKNOWN, flow_pcuph).signal_s;
        // Half of what 6.5 m pass while it is green: 12 s (1 - 0.1) / (1 - 0.5).
        assert!((lost_s(0.5 * 520.0 * 6.5) - 21.6).abs() < 1e-9);
        assert!((lost_s(0.0) - 10.8).abs() < 1e-9);
        assert_eq!(lost_s(f64::NAN), 12.0);
    }

    #[test]
    fn where_there_is_no_signal_or_the_part_is_left_out_nobody_waits_longer() {
        let typical = Typical::default();
        let own = Own { flow_pcuph: 2000.0, ..Own::NOTHING };
        let without = PartsConfig { signal_delay: false, ..PartsConfig::default() };
        assert_eq!(typical.here(&own, &at(Facility::Signal), &without), typical);
        assert_eq!(typical.here(&own, &at(Facility::GiveWay), &PartsConfig::default()), typical);
    }

    #[test]
    fn flow_ratios_and_cycles_are_learned_from_signals_that_tell_them() {
        let (mut typical, site) = (Typical::default(), at(Facility::Signal));
        let cycle = Cycle { red_s: 60.0, length_s: 90.0 };
        for _ in 0..50 {
            let mut minute = Signals::default();
            minute.add(&Own { cycle, ..Own::NOTHING }, &site, 1.0);
            minute.add(&Own { flow_pcuph: 0.3 * 520.0 * 6.5, ..Own::NOTHING }, &site, 0.5);
            typical.learn_signals(&minute);
        }
        assert!((typical.cycle.red_s - 60.0).abs() < 0.1 && (typical.cycle.length_s - 90.0).abs() < 0.1);
        assert!((typical.flow_ratio - 0.3).abs() < 1e-3);
        let before = typical;
        typical.learn_signals(&Signals::default());
        assert_eq!(typical, before, "a minute in which nobody was seen");
    }

    #[test]
    fn the_more_of_its_time_a_link_loses_at_its_end_the_less_well_it_is_known() {
        let sd = |length_m: f64, facility: Facility| {
            Typical::default().rest(&Site { length_m, ..at(facility) }).free.var.sqrt()
        };
        assert!(sd(100.0, Facility::Signal) > 1.5 * sd(300.0, Facility::Signal));
        assert!(sd(300.0, Facility::Signal) > 1.5 * sd(1000.0, Facility::Signal));
        assert!(sd(300.0, Facility::GiveWay) < sd(300.0, Facility::Signal));
        assert!((sd(300.0, Facility::Expressway) - FREE_SD).abs() < 1e-12);
    }

    #[test]
    fn a_time_that_is_no_number_teaches_nothing() {
        let mut typical = Typical::default();
        for time_s in [f64::NAN, f64::INFINITY, 0.0, -1.0] {
            learn(&mut typical, 1, &Site::with_lanes(2.0), time_s);
        }
        assert_eq!(typical, Typical::default());
    }

    #[test]
    fn what_is_lost_where_one_gives_way_is_learned_apart_from_signals_and_open_roads() {
        let mut typical = Typical::default();
        let site = at(Facility::GiveWay);
        let running_s = site.free_s() / typical.running_share;
        learn(&mut typical, 200, &site, running_s + 8.0);
        assert!((typical.give_way_s - 8.0).abs() < 0.2, "{}", typical.give_way_s);
        let others = Typical { give_way_s: typical.give_way_s, ..Typical::default() };
        assert_eq!(typical, others);
        assert!((typical.time_s(&site) - running_s - 8.0).abs() < 0.2);
    }

    #[test]
    fn minutes_of_jams_do_not_make_what_is_lost_at_a_signal_longer() {
        let (mut typical, site) = (Typical::default(), at(Facility::Signal));
        let running_s = site.free_s() / typical.running_share;
        for _ in 0..500 {
            for (lost_s, jammed) in [(7.0, 0.02), (9.0, 0.02), (11.0, 0.02), (60.0, 0.9), (90.0, 0.95)] {
                let here = typical;
                typical.learn(&here, &site, running_s + lost_s, 1.0, jammed);
            }
        }
        assert!((typical.signal_s - 9.0).abs() < 0.5, "{}", typical.signal_s);
    }

    #[test]
    fn jams_are_learned_towards_what_is_seen_and_stay_within_bounds() {
        let site = Site::with_lanes(2.0);
        let mut typical = Typical::default();
        learn(&mut typical, 1000, &site, site.free_s() * 20.0);
        assert!((typical.jams.y - 20.0f64.ln()).abs() < 0.05, "{}", typical.jams.y);
        (0..1000).for_each(|_| typical.learn_share(1000.0, 1000.0));
        assert!(typical.jams.share <= 0.4);
    }

    proptest! {
        #[test]
        fn the_more_arrive_the_longer_one_waits_and_never_beyond_the_bounds(
            flow_pcuph in 0.0f64..5000.0, more in 0.0f64..1000.0, red_s in 1.0f64..200.0, green_s in 1.0f64..200.0,
        ) {
            let cycle = Cycle { red_s, length_s: red_s + green_s };
            let lost_s = |flow_pcuph: f64| here(&Typical::default(), cycle, flow_pcuph).signal_s;
            prop_assert!(lost_s(flow_pcuph) <= lost_s(flow_pcuph + more));
            prop_assert!((LEAST_SIGNAL_S..=MOST_SIGNAL_S).contains(&lost_s(flow_pcuph)));
        }
    }
}
