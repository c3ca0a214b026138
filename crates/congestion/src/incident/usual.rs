//! What is usual on a link: who stands how far back, how lanes are used, how often devices raise alarms.

use std::hint::black_box;

use serde::{Deserialize, Serialize};

use super::budget::FADE_DAYS;
use super::fall::Flow;
use crate::sample::{Sample, What};
use crate::site::{self, Device, Site};

/// Lanes that are told apart.
pub(super) const LANES: usize = 6;

/// Distances before the link's end at which bins begin, m: a few vehicles, a short and a long queue, and beyond.
const BINS_M: [f64; 5] = [0.0, 40.0, 80.0, 160.0, 320.0];

/// Who is slower stands or creeps, km/h: the usual bound of a queue is 5, and what a probe tells is noisy.
pub(super) const SLOW_KMH: f32 = 8.0;

/// Sums over what has left the window, faded with it.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Usual {
    /// Time that vehicles were seen to stand, by distance before the link's end, s.
    stood_s: [f32; BINS_M.len()],
    /// Vehicles by lane, where loops tell them apart.
    pub(super) lanes: [f32; LANES],
    /// Alarms of devices.
    pub(super) alarms: Alarms,
    pub(super) flow: Flow,
}

/// How often devices raise alarms here: rare, so it is kept for weeks and against the time that was watched.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Alarms {
    raised: f32,
    /// Days.
    watched: f32,
}

impl Alarms {
    /// Takes in that nothing was heard for so long. No more than that much of it was watched: who is silent may be gone.
    fn watch(&mut self, gap_ms: i64, most_ms: i64) {
        const DAY_MS: f64 = 86_400_000.0;
        let days = gap_ms.clamp(0, most_ms) as f64 / DAY_MS;
        let kept = (-days / FADE_DAYS).exp() as f32;
        self.raised *= kept;
        self.watched = self.watched * kept + days as f32;
    }

    /// Returns in which share of all minutes an alarm is raised, with so many that are not settled yet. Until more is known, an automatic
    /// detector is taken to raise a false one a day.
    pub(super) fn of_a_minute(&self, more: f64) -> f64 {
        const MINUTES_A_DAY: f64 = 1440.0;
        (f64::from(self.raised) + more + 1.0) / (f64::from(self.watched) + 1.0) / MINUTES_A_DAY
    }
}

impl Usual {
    pub(crate) fn take(&mut self, sample: &Sample, device: Option<&Device>, site: &Site) {
        match sample.what {
            What::Probe { speed, offset_m, .. } if speed < SLOW_KMH && !offset_m.is_nan() => {
                let before_m = site.length_m - f64::from(offset_m);
                let bin = BINS_M.iter().rposition(|begin| before_m >= *begin).unwrap_or(0);
                self.stood_s[bin] += step_s(device) as f32;
            }
            What::Count { n, .. } => {
                self.flow.take(sample, site);
                if let Some(lane) = self.lanes.get_mut(usize::from(sample.lane).wrapping_sub(1)) {
                    *lane += n.max(0.0);
                }
            }
            What::Alert { .. } => self.alarms.raised += 1.0,
            _ => {}
        }
    }

    /// Reads a little of it, for nothing but to have it in the cache.
    pub(crate) fn fetch(&self) {
        black_box((self.stood_s[0], self.flow.is_known(), self.alarms.raised));
    }

    /// Lets what was seen count for less by that factor, after so long in which nothing settled.
    pub(crate) fn fade(&mut self, factor: f64, gap_ms: i64, most_ms: i64) {
        let Self { stood_s, lanes, alarms, flow } = self;
        stood_s.iter_mut().chain(lanes).for_each(|sum| *sum *= factor as f32);
        flow.fade(factor as f32);
        alarms.watch(gap_ms, most_ms);
    }

    /// Returns how long vehicles were seen to stand at least that far before the end, s; at most what it may have been.
    pub(super) fn stood_s(&self, before_m: f64) -> f64 {
        let first = BINS_M.iter().rposition(|begin| before_m >= *begin).unwrap_or(0);
        self.stood_s[first..].iter().map(|s| f64::from(*s)).sum()
    }
}

/// Returns the time that a probe's reading stands for, s.
pub(super) fn step_s(device: Option<&Device>) -> f64 {
    site::step_ms(device) as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY_MS: i64 = 86_400_000;

    /// A camera that tells every ten minutes, and raises so many alarms a day, after so many days.
    fn after(days: i64, a_day: i64) -> Alarms {
        let mut alarms = Alarms::default();
        for step in 0..days * 144 {
            alarms.watch(600_000, 600_000);
            if a_day > 0 && step % (144 / a_day) == 0 {
                alarms.raised += 1.0;
            }
        }
        alarms
    }

    #[test]
    fn how_often_alarms_come_is_learned_over_days() {
        let minutes = |alarms: Alarms| 1.0 / alarms.of_a_minute(0.0);
        assert!((minutes(Alarms::default()) - 1440.0).abs() < 1.0, "one a day before anything is known");
        assert!((minutes(after(20, 12)) - 120.0).abs() < 15.0, "{}", minutes(after(20, 12)));
        assert!(minutes(after(20, 0)) > 10.0 * 1440.0);
    }

    #[test]
    fn a_gap_teaches_nothing() {
        let mut alarms = after(20, 12);
        let before = alarms.of_a_minute(0.0);
        alarms.watch(30 * DAY_MS, 600_000);
        assert!((alarms.of_a_minute(0.0) - before).abs() < 0.01 * before);
    }
}
