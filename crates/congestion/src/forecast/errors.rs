//! How far forecasts were off: the 10 %, 50 % and 90 % quantiles of past errors, by horizon and by how fast the link was
//! expected to be. They make the interval, and take out what forecasts are always wrong by.
//!
//! Quantiles are tracked, not computed: each error moves its quantile a little towards itself (stochastic approximation,
//! Robbins and Monro 1951; as adaptive conformal inference does, Gibbs and Candès 2021). A link's quantiles are those of all
//! links plus what it differs by, so that a new link starts with what others have shown.

use model::Forecast;
use serde::{Deserialize, Serialize};

use super::packed;
use super::ridge::HORIZONS;

/// Horizons, and last the usual alone, for links of which nothing is known now.
pub(crate) const ROWS: usize = HORIZONS + 1;

/// The row of the usual alone.
pub(crate) const USUAL: usize = HORIZONS;

/// Level-of-service A, B to C, and worse (HCM 6, chapter 18): errors on free links are a tenth of those in jams.
const CLASSES: usize = 3;

/// The ends of an 80 % interval, and its middle.
const TAUS: [f32; 3] = [0.1, 0.5, 0.9];

const CELLS: usize = CLASSES * ROWS;

/// Ends and middle of an interval, shares of free flow.
pub(crate) type Ends = [f32; 3];

/// The errors of all links.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Pooled {
    ends: Vec<Ends>,
    /// Errors of the running step: below each quantile, and all.
    counts: Vec<([u32; 3], u32)>,
}

/// By what one link's quantiles differ from those of all links.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Own {
    #[serde(with = "packed")]
    offsets: Box<[f32]>,
}

impl Default for Pooled {
    fn default() -> Self {
        // Before anything was learned: as wide as speeds of links of which nothing is known are, a little less soon.
        let half = |row: usize| match Forecast::HORIZONS_S.get(row) {
            Some(&horizon_s) => 0.1 + 0.2 * (1.0 - (-(horizon_s as f32) / 2400.0).exp()),
            None => 0.3,
        };
        let ends = (0..CELLS).map(|cell| [-half(cell % ROWS), 0.0, half(cell % ROWS)]);
        Self { ends: ends.collect(), counts: vec![Default::default(); CELLS] }
    }
}

impl Default for Own {
    fn default() -> Self {
        Self { offsets: vec![0.0; CELLS * TAUS.len()].into() }
    }
}

fn cell(row: usize, expected: f32) -> usize {
    let class = if expected >= 0.8 {
        0
    } else if expected >= 0.5 {
        1
    } else {
        2
    };
    class * ROWS + row
}

impl Pooled {
    /// Returns the quantiles for a forecast of `expected`, a share of free flow.
    pub(crate) fn ends(&self, row: usize, expected: f32) -> Ends {
        self.ends[cell(row, expected)]
    }

    /// Moves the quantiles to where the errors of the step say.
    pub(crate) fn settle(&mut self) {
        /// Errors that halve the step which a share of them can make.
        const FEW: f32 = 50.0;
        /// No interval is narrower, share of free flow.
        const NARROWEST: f32 = 0.005;
        for (ends, (below, all)) in self.ends.iter_mut().zip(&mut self.counts) {
            let (below, all) = (std::mem::take(below), std::mem::take(all) as f32);
            if all == 0.0 {
                continue;
            }
            let width = (ends[2] - ends[0]).max(NARROWEST);
            let gain = 0.5 * all / (all + FEW) * width;
            for ((end, below), tau) in ends.iter_mut().zip(below).zip(TAUS) {
                *end += gain * (tau - below as f32 / all);
            }
            ends[0] = ends[0].min(ends[1]);
            ends[2] = ends[2].max(ends[1]);
        }
    }
}

impl Own {
    /// Returns this link's quantiles.
    pub(crate) fn ends(&self, row: usize, expected: f32, pooled: &Pooled) -> Ends {
        let cell = cell(row, expected);
        let offsets = &self.offsets[cell * TAUS.len()..];
        let [low, middle, high]: Ends = std::array::from_fn(|i| pooled.ends[cell][i] + offsets[i]);
        [low.min(middle), middle, high.max(middle)]
    }

    /// Takes what a forecast of `expected` was off by.
    pub(crate) fn learn(&mut self, row: usize, expected: f32, error: f32, pooled: &mut Pooled) {
        /// A quantile forgets in some hundred errors: half a day of one kind of traffic.
        const RATE: f32 = 0.03;
        let cell = cell(row, expected);
        let ends = pooled.ends[cell];
        let step = RATE * (ends[2] - ends[0]);
        let offsets = &mut self.offsets[cell * TAUS.len()..][..TAUS.len()];
        for ((offset, end), tau) in offsets.iter_mut().zip(ends).zip(TAUS) {
            let below = if error < end + *offset { 1.0 } else { 0.0 };
            *offset += step * (tau - below);
        }
        let (below, all) = &mut pooled.counts[cell];
        *all += 1;
        for (below, end) in below.iter_mut().zip(ends) {
            *below += u32::from(error < end);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Uniform between -0.5 and 0.5, times `width`.
    fn error(i: u64, width: f32) -> f32 {
        let mixed = (i + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        ((mixed >> 40) as f32 / (1 << 24) as f32 - 0.5) * width
    }

    #[test]
    fn four_of_five_errors_lie_within_for_a_steady_and_for_a_restless_link_alike() {
        let (mut pooled, mut links) = (Pooled::default(), [Own::default(), Own::default()]);
        let mut within = [0; 2];
        for i in 0..6000 {
            for (link, width) in [(0, 0.1), (1, 0.6)] {
                let error = error(i * 2 + link as u64, width) + 0.05;
                let [low, _, high] = links[link].ends(2, 0.9, &pooled);
                within[link] += u32::from(i >= 3000 && low <= error && error <= high);
                links[link].learn(2, 0.9, error, &mut pooled);
            }
            pooled.settle();
        }
        for within in within {
            let covered = f64::from(within) / 3000.0;
            assert!((0.77..0.83).contains(&covered), "{covered}");
        }
        let [.., middle, _] = links[0].ends(2, 0.9, &pooled);
        assert!((middle - 0.05).abs() < 0.02, "what forecasts are always off by is taken out: {middle}");
    }
}
