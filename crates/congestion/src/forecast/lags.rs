//! The last hour and a half of a link, and what a forecast looks at of it.

use serde::{Deserialize, Serialize};

use super::around::Surroundings;
use super::ring;

/// Steps that are kept: the longest horizon, and the lags of what was known then.
pub(crate) const KEPT: usize = 20;

/// Numbers that a forecast is a weighted sum of.
pub(crate) const FEATURES: usize = 12;

/// Steps of the longest lag.
const LAGS: usize = 7;

/// What is left of a residual after a step in which nothing was heard: states last about 20 minutes.
const FADE: f32 = 0.78;

/// Units of a stored number in one of free flow.
const SCALE: f32 = 10_000.0;

/// Not known.
const NONE: i16 = i16::MIN;

/// A ring of steps of five minutes; all links' rings turn together, `head` is the newest place.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Lags {
    #[serde(with = "ring")]
    share: [i16; KEPT],
    #[serde(with = "ring")]
    usual: [i16; KEPT],
    /// What was usual half an hour later.
    #[serde(with = "ring")]
    ahead: [i16; KEPT],
    #[serde(with = "ring")]
    next: [i16; KEPT],
    #[serde(with = "ring")]
    downstream: [i16; KEPT],
    #[serde(with = "ring")]
    before: [i16; KEPT],
    /// By place: whether the link's own sensors were under it.
    observed: u32,
}

/// Returns the place that many steps before the newest.
pub(crate) fn back(head: usize, steps: usize) -> usize {
    (head + KEPT - steps) % KEPT
}

impl Default for Lags {
    fn default() -> Self {
        let (none, zero) = ([NONE; KEPT], [0; KEPT]);
        Self {
            share: none,
            usual: zero,
            ahead: zero,
            next: zero,
            downstream: zero,
            before: zero,
            observed: 0,
        }
    }
}

impl Lags {
    /// Enters a step. `share`: the speed, where something is known of it.
    pub(crate) fn enter(&mut self, head: usize, share: Option<f32>, observed: bool, usual: f32, ahead: f32) {
        self.share[head] = share.map_or(NONE, pack);
        self.usual[head] = pack(usual);
        self.ahead[head] = pack(ahead);
        self.observed = self.observed & !(1 << head) | u32::from(observed && share.is_some()) << head;
    }

    /// Enters what was around the link in the newest step.
    pub(crate) fn enter_around(&mut self, head: usize, around: Surroundings) {
        self.next[head] = pack(around.next);
        self.downstream[head] = pack(around.downstream);
        self.before[head] = pack(around.before);
    }

    pub(crate) fn downstream(&self, place: usize) -> f32 {
        unpack(self.downstream[place])
    }

    /// Returns the speed at a place, if its own sensors saw it.
    pub(crate) fn observed(&self, place: usize) -> Option<f32> {
        (self.observed >> place & 1 == 1).then(|| unpack(self.share[place]))
    }

    /// Returns what was usual then.
    pub(crate) fn usual(&self, place: usize) -> f32 {
        unpack(self.usual[place])
    }

    /// Returns how far the speed was from the usual; NaN = not known.
    pub(crate) fn residual(&self, place: usize) -> f32 {
        if self.share[place] == NONE { f32::NAN } else { unpack(self.share[place] - self.usual[place]) }
    }

    /// Tells whether anything was known of the link in so many steps.
    pub(crate) fn is_known_within(&self, head: usize, steps: usize) -> bool {
        (0..steps).any(|step| self.share[back(head, step)] != NONE)
    }

    /// Returns what was known so many steps ago.
    pub(crate) fn features(&self, head: usize, ago: usize) -> [f32; FEATURES] {
        let r: [f32; LAGS] = std::array::from_fn(|lag| self.filled(head, ago + lag));
        let at = |ring: &[i16; KEPT], lag: usize| unpack(ring[back(head, ago + lag)]);
        let slope = at(&self.ahead, 0) - at(&self.usual, 0);
        [
            // A constant, about as large as the others are.
            0.1,
            r[0],
            r[1],
            r[2],
            (r[3] + r[4] + r[5] + r[6]) / 4.0,
            // Jams build up and dissolve at different rates.
            r[0].min(0.0),
            at(&self.next, 0),
            at(&self.next, 2),
            at(&self.downstream, 0),
            at(&self.before, 0),
            at(&self.before, 2),
            slope,
        ]
    }

    /// Returns a residual, or what is left of the one before it where nothing was heard.
    fn filled(&self, head: usize, steps: usize) -> f32 {
        let mut left = 1.0;
        for step in steps..KEPT {
            let residual = self.residual(back(head, step));
            if !residual.is_nan() {
                return left * residual;
            }
            left *= FADE;
        }
        0.0
    }
}

fn pack(value: f32) -> i16 {
    (value * SCALE).round().clamp(-16_000.0, 16_000.0) as i16
}

fn unpack(value: i16) -> f32 {
    f32::from(value) / SCALE
}
