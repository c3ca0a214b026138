//! What is usual on a link: who stands how far back, how lanes are used, how often devices raise alarms.

use serde::{Deserialize, Serialize};

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
    pub(super) alerts: f32,
}

impl Usual {
    pub(crate) fn take(&mut self, sample: &Sample, device: Option<&Device>, site: &Site) {
        match sample.what {
            What::Probe { speed, offset_m, .. } if speed < SLOW_KMH && !offset_m.is_nan() => {
                let before_m = site.length_m - f64::from(offset_m);
                let bin = BINS_M.iter().rposition(|begin| before_m >= *begin).unwrap_or(0);
                self.stood_s[bin] += step_s(device) as f32;
            }
            What::Count { n, .. } if n > 0.0 => {
                if let Some(lane) = self.lanes.get_mut(usize::from(sample.lane).wrapping_sub(1)) {
                    *lane += n;
                }
            }
            What::Alert { .. } => self.alerts += 1.0,
            _ => {}
        }
    }

    pub(crate) fn fade(&mut self, factor: f64) {
        let Self { stood_s, lanes, alerts } = self;
        stood_s.iter_mut().chain(lanes).chain([alerts]).for_each(|sum| *sum *= factor as f32);
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
