//! Travel time along a link: running time and what is lost at its end.
//!
//! HCM 6, chapter 18: travel time = running time + control delay. A sensor sees one piece of the link; the rest is filled in:
//! a loop sees vehicles run and not the stop line, a camera sees the stop line and not the approach.
//!
//! What is lost at signals differs from city to city with cycles and platoons, so the typical loss is learned from those links
//! whose cameras and probes see it, and used for those whose loops don't.

use serde::{Deserialize, Serialize};

use crate::evidence::{Area, Evidence, Point, Probes};
use crate::fusion::Belief;
use crate::site::Site;

/// What is typical for the links of a partition; learned, starting from the literature.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct Typical {
    /// Seconds lost at a signal.
    pub(crate) signal_s: f64,
    /// Running speed as a share of free flow.
    pub(crate) running_share: f64,
}

impl Default for Typical {
    fn default() -> Self {
        Self {
            // Webster's uniform delay C (1 - g/C)^2 / 2 with a cycle of 60 s, half of it green, and about 4 s for braking
            // and starting.
            signal_s: 12.0,
            // HCM 6, equation 18-6 (proximity of other vehicles): 0.9 to 0.95 at urban flows.
            running_share: 0.92,
        }
    }
}

/// Spread of one driver's travel time, as a standard deviation of its log: at a signal by when in the cycle he comes.
const DRIVER_SD_SIGNAL: f64 = 0.5;
const DRIVER_SD_FREE: f64 = 0.2;

/// What a model of the unseen piece may be wrong by, as a standard deviation of the log.
const AREA_SD: f64 = 0.15;
const POINT_SD_SIGNAL: f64 = 0.35;
const POINT_SD_FREE: f64 = 0.15;
const PROBE_SD: f64 = 0.1;

impl Typical {
    /// Returns the travel time when nothing is measured, s.
    pub(crate) fn time_s(&self, site: &Site) -> f64 {
        site.free_s() / self.running_share + self.end_s(site)
    }

    /// Returns the typical log travel-time index.
    pub(crate) fn rest_y(&self, site: &Site) -> f64 {
        (self.time_s(site) / site.free_s()).ln()
    }

    fn end_s(&self, site: &Site) -> f64 {
        if site.signal { self.signal_s } else { 0.0 }
    }

    /// Moves towards what a link's direct evidence says: a stochastic median, which no jam pulls away.
    pub(crate) fn learn(&mut self, site: &Site, time_s: f64, weight: f64) {
        const STEP_S: f64 = 0.1;
        const STEP_SHARE: f64 = 0.0005;
        if site.signal {
            let lost_s = time_s - site.free_s() / self.running_share;
            self.signal_s =
                (self.signal_s + weight * STEP_S * (lost_s - self.signal_s).signum()).clamp(2.0, 60.0);
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

    /// Returns the belief that a drive along the link takes that long.
    fn belief(&self, time_s: f64, var: f64) -> Belief {
        Belief { y: (time_s / self.free_s()).ln().clamp(-0.2, 4.0), var }
    }
}

/// Returns what a camera before the stop line says: Edie's sums of its stretch, and for those who passed it the running
/// time on the rest of the link.
pub(crate) fn of_area(area: &Area, site: &Site, typical: &Typical) -> Option<Belief> {
    if area.spent_s == 0.0 {
        return None;
    }
    let reach_m = (area.reach_m / area.periods).min(site.length_m);
    let rest_m = site.length_m - reach_m;
    // A queue that fills the stretch goes on behind it, nobody sees how far: over a third of the rest on average, or links
    // further back would see it.
    let full = if area.queues > 0.0 { area.full_queues / area.queues } else { 0.0 };
    let queued_m = rest_m * full / 3.0;
    let seen = 1.0 + queued_m / reach_m;
    let running_mps = typical.running_share * site.free_kmh / 3.6;
    let spent_s = area.spent_s * seen + area.vehicles * (rest_m - queued_m) / running_mps;
    let driven_m = area.driven_m * seen + area.vehicles * (rest_m - queued_m);
    let time_s = site.length_m * spent_s / driven_m.max(0.01 * spent_s);
    let var = AREA_SD.powi(2) + (0.5 * full).powi(2) + site.driver_sd().powi(2) / (area.vehicles + 1.0);
    Some(site.belief(time_s, var))
}

/// Returns what loops say, where other sources or earlier times led to a belief.
///
/// A loop knows how fast vehicles come to it, and nothing of what happens to them behind it. Where others believe
/// that they queue there, free passage over the loop is no contradiction, until more have passed than could stand between it
/// and the stop line.
pub(crate) fn of_point(point: &Point, site: &Site, typical: &Typical, before: Belief) -> Option<Belief> {
    let limit = site.free_kmh * 1.05;
    // Who stands on the loop without passing counts as one vehicle at walking pace.
    let (vehicles, pace) = (point.vehicles + point.blocked, point.pace + point.blocked / 2.0);
    if vehicles <= 0.0 {
        return None;
    }
    let speed = (vehicles / pace).min(limit);
    let time_s = site.length_m * 3.6 / speed + typical.end_s(site);
    let model = if site.signal { POINT_SD_SIGNAL } else { POINT_SD_FREE };
    let belief = site.belief(time_s, model.powi(2) + site.driver_sd().powi(2) / vehicles);
    let slower = (before.y - belief.y).max(0.0);
    let offset_m = if point.vehicles > 0.0 { point.offset_m / point.vehicles } else { 0.0 };
    let store_m = (site.length_m - offset_m).max(10.0) * site.lanes;
    let hidden = store_m / (store_m + point.room_m);
    Some(Belief { var: belief.var + slower * slower * hidden, ..belief })
}

/// Returns what probes say, where a drive was expected to take that long.
pub(crate) fn of_probes(probes: &Probes, site: &Site, expected_s: f64) -> Option<Belief> {
    if probes.spent_s <= 0.0 {
        return None;
    }
    // Half an expected drive keeps a single point, which may be a stop or a run, from counting as a drive.
    const EXPECTED_DRIVES: f64 = 0.5;
    let time_s = site.length_m * (probes.spent_s + EXPECTED_DRIVES * expected_s)
        / (probes.driven_m + EXPECTED_DRIVES * site.length_m);
    // Drives told of: those completed, or, of vehicles that stand, those that would have been.
    let standing = (probes.spent_s / expected_s).min(probes.vehicles);
    let drives = (probes.driven_m / site.length_m).max(standing).max(0.1);
    Some(site.belief(time_s, PROBE_SD.powi(2) + site.driver_sd().powi(2) / drives))
}

/// Returns the belief after the evidence of one stretch of time.
pub(crate) fn after(before: Belief, evidence: &Evidence, site: &Site, typical: &Typical) -> Belief {
    let expected_s = before.y.exp() * site.free_s();
    let direct = [of_area(&evidence.area, site, typical), of_probes(&evidence.probes, site, expected_s)];
    let belief = direct.into_iter().flatten().fold(before, Belief::and);
    of_point(&evidence.point, site, typical, belief).map_or(belief, |seen| belief.and(seen))
}

/// Returns the travel time that cameras and probes saw, s, and the drives that it rests on: each driver counts once, however
/// long he took.
pub(crate) fn seen(evidence: &Evidence, site: &Site, typical: &Typical) -> Option<(f64, f64)> {
    let driven_m = evidence.probes.driven_m;
    if evidence.area.vehicles >= 1.0 {
        let belief = of_area(&evidence.area, site, typical)?;
        return Some((belief.y.exp() * site.free_s(), 1.0));
    }
    (driven_m > 0.0)
        .then(|| (site.length_m * evidence.probes.spent_s / driven_m, (driven_m / site.length_m).min(1.0)))
}
