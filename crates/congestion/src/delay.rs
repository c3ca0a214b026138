//! Travel time along a link: running time and what is lost at its end.
//!
//! HCM 6, chapter 18: travel time = running time + control delay. A sensor sees one piece of the link; the rest is filled in:
//! a loop sees vehicles run and not the stop line, a camera sees the stop line and not the approach.
//!
//! What is lost at signals differs from city to city with cycles and platoons, so the typical loss is learned from those links
//! whose cameras and probes see it, and used for those whose loops don't.

use serde::{Deserialize, Serialize};

use crate::PartsConfig;
use crate::cycle::Cycle;
use crate::evidence::{Area, Evidence, Means, Point, Probes};
use crate::fusion::Belief;
use crate::regime::{Hidden, Jams, LEAST_JAM_Y, Regimes};
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

/// Spread of one driver's travel time, as a standard deviation of its log: at a signal by when in the cycle he comes.
const DRIVER_SD_SIGNAL: f64 = 0.4;
const DRIVER_SD_FREE: f64 = 0.12;

/// Spread of one driver's travel time around what is seen of his minute (measured on simulated streets, see METHOD).
const MINUTE_SD_SIGNAL: f64 = 0.2;

/// As much where one gives way: some minutes have a gap for each who comes, in others all wait.
const MINUTE_SD_GIVE_WAY: f64 = 0.3;

/// What a model of the unseen piece may be wrong by, as a standard deviation of the log.
const AREA_SD: f64 = 0.12;
const POINT_SD_SIGNAL: f64 = 0.35;
const POINT_SD_FREE: f64 = 0.08;
const PROBE_SD: f64 = 0.06;

impl Typical {
    /// Returns what is typical before a signal with that cycle, where it tells: control delay is uniform delay, which follows from its own
    /// times, and the rest, which is as elsewhere in the city (HCM 6, equation 19-18).
    #[must_use]
    pub(crate) fn at_signal(mut self, cycle: &Cycle) -> Self {
        if cycle.is_known() {
            let more_s = cycle.uniform_delay_s() - self.cycle.uniform_delay_s();
            self.signal_s = (self.signal_s + more_s).clamp(LEAST_SIGNAL_S, MOST_SIGNAL_S);
            self.cycle = *cycle;
        }
        self
    }

    /// Returns the travel time when nothing is measured, s.
    pub(crate) fn time_s(&self, site: &Site) -> f64 {
        site.free_s() / self.running_share + self.end_s(site)
    }

    /// Returns what is believed of a link of which nothing was seen.
    pub(crate) fn rest(&self, site: &Site) -> Regimes {
        Regimes::unseen((self.time_s(site) / site.free_s()).ln(), site.signal, self.jams)
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

    /// Moves towards the mean cycle of the signals before which something was seen in a minute; unknown where none told.
    pub(crate) fn learn_cycle(&mut self, mean: Cycle) {
        /// A minute's part: which of them see somebody changes from minute to minute.
        const STEP: f64 = 0.2;
        if mean.is_known() {
            self.cycle.red_s += STEP * (mean.red_s - self.cycle.red_s);
            self.cycle.length_s += STEP * (mean.length_s - self.cycle.length_s);
        }
    }

    pub(crate) fn end_s(&self, site: &Site) -> f64 {
        if site.signal {
            self.signal_s
        } else if site.gives_way() {
            self.give_way_s
        } else {
            0.0
        }
    }

    /// Moves towards what a link's direct evidence says: a stochastic median, which no jam pulls away. `cycle`: of its signal.
    pub(crate) fn learn(&mut self, site: &Site, time_s: f64, weight: f64, cycle: &Cycle) {
        const STEP_S: f64 = 0.1;
        const STEP_SHARE: f64 = 0.0005;
        const STEP_JAM_Y: f64 = 0.01;
        // What is learned outlives its cause: no number that is none gets in.
        if !(time_s.is_finite() && time_s > 0.0) {
            return;
        }
        let y = (time_s / site.free_s()).ln();
        let here = self.at_signal(cycle);
        if y > here.rest(site).free.y + LEAST_JAM_Y {
            let moved = self.jams.y + STEP_JAM_Y * (y - self.jams.y).signum();
            self.jams.y = moved.clamp(1.2, 3.5);
        }
        let lost_s = time_s - site.free_s() / self.running_share;
        if site.signal {
            let moved = self.signal_s + weight * STEP_S * (lost_s - here.signal_s).signum();
            self.signal_s = moved.clamp(LEAST_SIGNAL_S, MOST_SIGNAL_S);
        } else if site.gives_way() {
            let moved = self.give_way_s + weight * STEP_S * (lost_s - self.give_way_s).signum();
            self.give_way_s = moved.clamp(0.0, MOST_SIGNAL_S);
        } else {
            let share = site.free_s() / time_s;
            let moved = self.running_share + weight * STEP_SHARE * (share - self.running_share).signum();
            self.running_share = moved.clamp(0.7, 1.0);
        }
    }
}

impl Site {
    /// Time at free flow, s.
    pub(crate) fn free_s(&self) -> f64 {
        self.length_m * 3.6 / self.free_kmh
    }

    pub(crate) fn driver_sd(&self) -> f64 {
        if self.signal { DRIVER_SD_SIGNAL } else { DRIVER_SD_FREE }
    }

    /// As [`MINUTE_SD_SIGNAL`].
    pub(crate) fn minute_sd(&self) -> f64 {
        if self.signal {
            MINUTE_SD_SIGNAL
        } else if self.gives_way() {
            MINUTE_SD_GIVE_WAY
        } else {
            DRIVER_SD_FREE
        }
    }

    /// Returns the belief that a drive along the link takes that long.
    fn belief(&self, time_s: f64, var: f64) -> Belief {
        Belief { y: (time_s / self.free_s()).ln().clamp(-0.2, 4.0), var }
    }
}

/// Returns what a camera before the stop line says: Edie's sums of its stretch, and for those who passed it the running
/// time on the rest of the link.
///
/// `scale`: vehicles per vehicle that its occupancy makes one believe, see [`presence_scale`].
pub(crate) fn of_area(area: &Area, scale: f64, site: &Site, typical: &Typical) -> Option<Belief> {
    let (spent_s, driven_m) = on_link(area, scale, site, typical)?;
    let full = area.full();
    let time_s = site.length_m * spent_s / driven_m.max(0.01 * spent_s);
    let var = AREA_SD.powi(2) + (0.5 * full).powi(2) + site.driver_sd().powi(2) / (area.vehicles + 1.0);
    Some(site.belief(time_s, var * area.scatter / area.periods))
}

/// Returns the time that vehicles spent on the whole link and the distance that they drove on it, as a camera makes one believe,
/// s and m.
fn on_link(area: &Area, scale: f64, site: &Site, typical: &Typical) -> Option<(f64, f64)> {
    if area.spent_s <= 0.0 {
        return None;
    }
    let reach_m = (area.reach_m / area.periods).min(site.length_m);
    let rest_m = site.length_m - reach_m;
    // A queue that fills the stretch goes on behind it, nobody sees how far: over a third of the rest on average, or links
    // further back would see it.
    let queued_m = rest_m * area.full() / 3.0;
    let seen = scale * (1.0 + queued_m / reach_m);
    let running_s = (rest_m - queued_m) / typical.running_mps(site);
    let spent_s = area.spent_s * seen + area.vehicles * running_s;
    Some((spent_s, area.driven_m * seen + area.vehicles * (rest_m - queued_m)))
}

/// Returns how many vehicles were seen to be on the link on average, per km: by a camera in its stretch, by a loop on which
/// vehicles stand, so that they stand from there to the stop line. `history`: the mix of vehicles that uses the link.
///
/// In a standing queue flow over speed tells nothing of the density, for both are near zero.
pub(crate) fn stored_vpkm(
    evidence: &Evidence,
    history: &Evidence,
    scale: f64,
    site: &Site,
    typical: &Typical,
) -> Option<f64> {
    let km = site.length_m / 1000.0;
    let area = &evidence.area;
    let seen = on_link(area, scale, site, typical).filter(|_| area.seconds > 0.0);
    if let Some((spent_s, _)) = seen {
        return Some(spent_s / area.seconds / km);
    }
    let (point, past) = (&evidence.point, &history.point);
    if !point.stands() {
        return None;
    }
    let offset_m = if past.vehicles > 0.0 { past.offset_m / past.vehicles } else { site.length_m / 2.0 };
    let standing_m = point.covered() * (site.length_m - offset_m).max(0.0);
    Some(site.lanes * standing_m / past.room_of_one_m() / km)
}

/// Returns what a camera's vehicle-seconds are to be multiplied with. How many vehicles an occupancy stands for depends on
/// their lengths and on how motorcycles fill the lanes; who left is counted exactly, and each drove through the whole stretch.
pub(crate) fn presence_scale(area: &Area) -> f64 {
    /// The guess from lengths is worth this many vehicles.
    const GUESS_VEHICLES: f64 = 5.0;
    if area.periods == 0.0 {
        return 1.0;
    }
    let reach_m = area.reach_m / area.periods;
    let guess_m = GUESS_VEHICLES * reach_m;
    ((area.vehicles * reach_m + guess_m) / (area.driven_m + guess_m)).clamp(0.2, 5.0)
}

/// Returns what loops say of a link behind which nothing is hidden, and the probability that a jam would hide from them.
///
/// A loop knows how fast vehicles come to it, and nothing of what happens to them behind it, until more have passed than could
/// stand between it and the stop line.
pub(crate) fn of_point(point: &Point, site: &Site, typical: &Typical) -> Option<(Belief, f64)> {
    let limit = site.free_kmh * 1.05;
    // Who stands on the loop without passing counts as one vehicle at walking pace.
    let (vehicles, pace) = (point.vehicles + point.blocked, point.pace + point.blocked / 2.0);
    if vehicles <= 0.0 {
        return None;
    }
    let speed = (vehicles / pace).min(limit);
    let time_s = site.length_m * 3.6 / speed + typical.end_s(site);
    let model = if site.signal { POINT_SD_SIGNAL } else { POINT_SD_FREE };
    let var = model.powi(2) + site.driver_sd().powi(2) / vehicles;
    let belief = site.belief(time_s, var * point.scatter / vehicles);
    let offset_m = if point.vehicles > 0.0 { point.offset_m / point.vehicles } else { 0.0 };
    let store_m = (site.length_m - offset_m).max(10.0) * site.lanes;
    Some((belief, store_m / (store_m + point.room_m)))
}

/// Returns the odds by which a jam is likelier because nobody passes a loop, when so many would usually have passed.
///
/// On a free link that is chance, or traffic that has gone elsewhere; in a jam that reaches or cuts off the loop it is the rule.
pub(crate) fn silence_odds(missed_vehicles: f64) -> f64 {
    const GONE_ELSEWHERE: f64 = 0.06;
    const CUT_OFF_IN_A_JAM: f64 = 0.4;
    let free = (-missed_vehicles).exp() + GONE_ELSEWHERE;
    (CUT_OFF_IN_A_JAM / free.min(1.0)).max(1.0)
}

/// Returns what probes say.
pub(crate) fn of_probes(probes: &Probes, site: &Site, typical: &Typical) -> Option<Belief> {
    if probes.spent_s <= 0.0 {
        return None;
    }
    // A quarter of a typical drive keeps a single point, which may be a stop or a run, from counting as a drive.
    const TYPICAL_DRIVES: f64 = 0.25;
    let typical_s = typical.time_s(site);
    let time_s = site.length_m * (probes.spent_s + TYPICAL_DRIVES * typical_s)
        / (probes.driven_m + TYPICAL_DRIVES * site.length_m);
    // Drives told of: those completed, or, of vehicles that stand, those that would have been.
    let standing = (probes.spent_s / typical_s).min(probes.vehicles);
    let drives = (probes.driven_m / site.length_m).max(standing).max(0.1);
    let var = PROBE_SD.powi(2) + site.driver_sd().powi(2) / drives;
    Some(site.belief(time_s, var * probes.scatter / probes.spent_s))
}

/// A piece of evidence as it was taken.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Heard {
    pub(crate) seen: Belief,
    /// Whether the gate let it count for less than it says.
    pub(crate) gated: bool,
}

/// Returns what is believed after the evidence of one stretch of time; calls `tell` with each piece of it and what is believed
/// then. `rest`: the belief when nothing is seen.
pub(crate) fn joined(
    before: Regimes,
    evidence: &Evidence,
    scale: f64,
    (site, rest): (&Site, &Regimes),
    typical: &Typical,
    parts: &PartsConfig,
    mut tell: impl FnMut(Means, Heard, &Regimes),
) -> Regimes {
    let mut belief = before;
    let mut take = |means, seen, hidden| {
        let taken = if parts.gates { belief.gated(seen) } else { seen };
        belief = belief.and(taken, hidden, rest);
        tell(means, Heard { seen, gated: taken.var > seen.var }, &belief);
    };
    if let Some(seen) = of_area(&evidence.area, scale, site, typical) {
        take(Means::Cameras, seen, Hidden::Nothing);
    }
    if let Some(seen) = of_probes(&evidence.probes, site, typical) {
        take(Means::Probes, seen, Hidden::Nothing);
    }
    if let Some((seen, hidden)) = of_point(&evidence.point, site, typical) {
        take(Means::Loops, seen, if parts.hidden_jams { Hidden::Share(hidden) } else { Hidden::Nothing });
    }
    belief
}

/// Returns the travel time that cameras and probes saw, s, and the drives that it rests on: each driver counts once, however
/// long he took.
pub(crate) fn seen(evidence: &Evidence, scale: f64, site: &Site, typical: &Typical) -> Option<(f64, f64)> {
    let driven_m = evidence.probes.driven_m;
    if evidence.area.vehicles >= 1.0 {
        let belief = of_area(&evidence.area, scale, site, typical)?;
        return Some((belief.y.exp() * site.free_s(), 1.0));
    }
    (driven_m > 0.0)
        .then(|| (site.length_m * evidence.probes.spent_s / driven_m, (driven_m / site.length_m).min(1.0)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::facility::Facility;

    fn stored(covered: f64) -> Option<f64> {
        let site = Site::with_lanes(2.0);
        let point = Point {
            seconds: 60.0,
            covered_s: 60.0 * covered,
            vehicles: 10.0,
            room_m: 50.0,
            ..Point::default()
        };
        let evidence = Evidence { point, ..Evidence::default() };
        stored_vpkm(&evidence, &evidence, 1.0, &site, &Typical::default())
    }

    #[test]
    fn a_covered_loop_at_the_start_of_a_link_makes_it_full_from_there_on() {
        // Two lanes, 5 m a vehicle, the loop at offset 0: 2 x 1000 / 5.
        assert!((stored(1.0).unwrap() - 400.0).abs() < 1e-9);
        assert_eq!(stored(0.3), None);
    }

    #[test]
    fn a_signal_that_is_red_for_longer_costs_more_and_one_that_tells_nothing_what_is_usual() {
        let typical = Typical::default();
        let site = Site::with_lanes(2.0);
        let time_s = |cycle: Cycle| typical.at_signal(&cycle).time_s(&site);
        // 60^2 / 180 s of uniform delay beside 30^2 / 120 s.
        let longer = Cycle { red_s: 60.0, length_s: 90.0 };
        assert!((time_s(longer) - time_s(Cycle::USUAL) - 12.5).abs() < 1e-9);
        assert_eq!(time_s(Cycle::UNKNOWN), typical.time_s(&site));
    }

    #[test]
    fn a_time_that_is_no_number_teaches_nothing() {
        let mut typical = Typical::default();
        for time_s in [f64::NAN, f64::INFINITY, 0.0, -1.0] {
            typical.learn(&Site::with_lanes(2.0), time_s, 1.0, &Cycle::UNKNOWN);
        }
        assert_eq!(typical, Typical::default());
    }

    #[test]
    fn what_is_lost_where_one_gives_way_is_learned_apart_from_signals_and_open_roads() {
        let (mut typical, untold) = (Typical::default(), Cycle::UNKNOWN);
        let site = Site { signal: false, facility: Some(Facility::GiveWay), ..Site::with_lanes(1.0) };
        let running_s = site.free_s() / typical.running_share;
        (0..200).for_each(|_| typical.learn(&site, running_s + 8.0, 1.0, &untold));
        assert!((typical.give_way_s - 8.0).abs() < 0.2, "{}", typical.give_way_s);
        let others = Typical { give_way_s: typical.give_way_s, ..Typical::default() };
        assert_eq!(typical, others);
        assert!((typical.time_s(&site) - running_s - 8.0).abs() < 0.2);
    }

    #[test]
    fn jams_are_learned_towards_what_is_seen_and_stay_within_bounds() {
        let site = Site::with_lanes(2.0);
        let mut typical = Typical::default();
        (0..1000).for_each(|_| typical.learn(&site, site.free_s() * 20.0, 1.0, &Cycle::UNKNOWN));
        assert!((typical.jams.y - 20.0f64.ln()).abs() < 0.05, "{}", typical.jams.y);
        (0..1000).for_each(|_| typical.learn_share(1000.0, 1000.0));
        assert!(typical.jams.share <= 0.4);
    }

    proptest! {
        #[test]
        fn more_time_spent_in_sight_never_makes_fewer_vehicles(spent_s in 1.0f64..500.0, more_s in 0.0f64..500.0) {
            let site = Site::with_lanes(2.0);
            let see = |spent_s: f64| {
                let area =
                    Area { reach_m: 50.0, periods: 1.0, seconds: 30.0, spent_s, driven_m: 100.0, vehicles: 2.0, scatter: 1.0, ..Area::default() };
                let evidence = Evidence { area, ..Evidence::default() };
                stored_vpkm(&evidence, &evidence, 1.0, &site, &Typical::default()).unwrap()
            };
            prop_assert!(see(spent_s + more_s) >= see(spent_s));
        }
    }
}
