//! Travel time along a link: running time and what is lost at its end.
//!
//! HCM 6, chapter 18: travel time = running time + control delay. A sensor sees one piece of the link; the rest is filled in:
//! a loop sees vehicles run and not the stop line, a camera sees the stop line and not the approach.

use crate::PartsConfig;
use crate::evidence::{Area, Evidence, Means, Point, Probes};
use crate::fusion::Belief;
use crate::regime::{Hidden, Regimes};
use crate::site::Site;
use crate::typical::Typical;

/// Spread of one driver's travel time, as a standard deviation of its log: at a signal by when in the cycle he comes.
const DRIVER_SD_SIGNAL: f64 = 0.4;
const DRIVER_SD_FREE: f64 = 0.12;

/// Spread of one driver's travel time around what is seen of his minute (measured on simulated streets, see METHOD).
const MINUTE_SD_SIGNAL: f64 = 0.2;

/// What a model of the unseen piece may be wrong by, as a standard deviation of the log.
const AREA_SD: f64 = 0.12;
const POINT_SD: f64 = 0.08;
const PROBE_SD: f64 = 0.06;

/// The share of jams beside which those who tell their place pass as on a free link, in another lane or between the cars. (Measured: of
/// single drives along jammed links 11 to 39 % are no slower than on free ones.)
const PASS_BESIDE: f64 = 0.1;

impl Site {
    /// Time at free flow, s.
    pub(crate) fn free_s(&self) -> f64 {
        self.length_m * 3.6 / self.free_kmh
    }

    pub(crate) fn driver_sd(&self) -> f64 {
        if self.has_signal() { DRIVER_SD_SIGNAL } else { DRIVER_SD_FREE }
    }

    /// As [`MINUTE_SD_SIGNAL`].
    pub(crate) fn minute_sd(&self) -> f64 {
        if self.has_signal() { MINUTE_SD_SIGNAL } else { DRIVER_SD_FREE }
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
    // Of what is lost at the end it knows nothing: that may be none, or twice as much.
    let model = POINT_SD.hypot(typical.lost_share(site));
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
    let hides = |share| if parts.hidden_jams { Hidden::Share(share) } else { Hidden::Nothing };
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
        take(Means::Probes, seen, hides(PASS_BESIDE));
    }
    if let Some((seen, hidden)) = of_point(&evidence.point, site, typical) {
        take(Means::Loops, seen, hides(hidden));
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
    fn a_loop_says_less_of_a_link_that_loses_more_of_its_time_at_its_end() {
        let point = Point { vehicles: 100.0, pace: 2.0, scatter: 100.0, ..Point::default() };
        let var = |length_m: f64, facility: Option<Facility>| {
            let site = Site { length_m, facility, ..Site::with_lanes(1.0) };
            of_point(&point, &site, &Typical::default()).unwrap().0.var
        };
        assert!(var(100.0, Some(Facility::Signal)) > 2.0 * var(300.0, Some(Facility::Signal)));
        assert!(var(300.0, Some(Facility::GiveWay)) > 1.5 * var(300.0, None));
    }

    #[test]
    fn who_passes_beside_a_jam_does_not_rule_it_out() {
        let (site, typical) = (Site::with_lanes(2.0), Typical::default());
        let rest = typical.rest(&site);
        let jam = Regimes { jammed: 0.9, ..rest };
        let probes = Probes { spent_s: 25.0, driven_m: 300.0, vehicles: 1.0, scatter: 25.0 };
        let evidence = Evidence { probes, ..Evidence::default() };
        let jammed = |parts: &PartsConfig| {
            joined(jam, &evidence, 1.0, (&site, &rest), &typical, parts, |_, _, _| ()).jammed
        };
        let sure = jammed(&PartsConfig { hidden_jams: false, ..PartsConfig::default() });
        assert!(jammed(&PartsConfig::default()) > sure + 0.05, "{sure}");
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
