//! Online ridge regression: running sums of products, and the weights that follow from them.
//!
//! All horizons share the features, so they share one matrix of products. A link's weights are drawn to those of all links,
//! and those to persistence that fades to the usual, as long as there is little to learn from (Hoerl and Kennard 1970; a
//! hierarchical prior).

use std::cmp::Ordering;

use model::Forecast;
use serde::{Deserialize, Serialize};

use super::lags::FEATURES;
use super::packed;

/// Horizons of a forecast.
pub(crate) const HORIZONS: usize = Forecast::HORIZONS_S.len();

/// Weights of the features, by horizon.
pub(crate) type Weights = [[f64; FEATURES]; HORIZONS];

/// Products on and below the diagonal.
const PRODUCTS: usize = FEATURES * (FEATURES + 1) / 2;

/// Running sums.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Sums {
    /// Features by features, then features by targets for each horizon.
    #[serde(with = "packed")]
    sums: Box<[f32]>,
}

impl Default for Sums {
    fn default() -> Self {
        Self { sums: vec![0.0; PRODUCTS + HORIZONS * FEATURES].into() }
    }
}

/// Returns persistence that fades to the usual e-fold in 40 minutes: twice as long as jams last (`regime`), since most of what
/// departs from the usual is slower.
pub(crate) fn fading() -> Weights {
    const FADES_S: f64 = 2400.0;
    let mut weights = [[0.0; FEATURES]; HORIZONS];
    for (weights, horizon_s) in weights.iter_mut().zip(Forecast::HORIZONS_S) {
        weights[1] = (-f64::from(horizon_s) / FADES_S).exp();
    }
    weights
}

pub(crate) fn times(weights: &[f64; FEATURES], features: &[f32; FEATURES]) -> f64 {
    weights.iter().zip(features).map(|(w, x)| w * f64::from(*x)).sum()
}

impl Sums {
    /// Forgets a share of it.
    pub(crate) fn fade(&mut self, kept: f32) {
        self.sums.iter_mut().for_each(|sum| *sum *= kept);
    }

    /// Takes all that others have gathered.
    pub(crate) fn join(&mut self, other: &Self) {
        self.sums.iter_mut().zip(&other.sums).for_each(|(sum, other)| *sum += other);
    }

    /// Takes what was known once, and what came of it, by a weight.
    pub(crate) fn add(&mut self, features: &[f32; FEATURES], targets: &[f32; HORIZONS], weight: f32) {
        let mut sums = self.sums.iter_mut();
        let weighted = features.map(|x| weight * x);
        for (i, x) in weighted.iter().enumerate() {
            for (other, sum) in features[..=i].iter().zip(&mut sums) {
                *sum += x * other;
            }
        }
        for (target, x) in targets.iter().flat_map(|target| weighted.iter().map(move |x| (target, x))) {
            if let Some(sum) = sums.next() {
                *sum += target * x;
            }
        }
    }

    /// Returns the weights that make the least error, drawn to `prior` by `strength`.
    pub(crate) fn solve(&self, prior: &Weights, strength: f64) -> Weights {
        let (products, moments) = self.sums.split_at(PRODUCTS);
        let root = cholesky(products, strength);
        let mut by_feature: ByFeature = std::array::from_fn(|i| {
            std::array::from_fn(|row| f64::from(moments[row * FEATURES + i]) + strength * prior[row][i])
        });
        substitute(&root, &mut by_feature);
        std::array::from_fn(|row| std::array::from_fn(|i| by_feature[i][row]))
    }
}

/// By column.
type Square = [[f64; FEATURES]; FEATURES];

/// The weights of all horizons, feature by feature: they are solved for side by side, so that none waits for another.
type ByFeature = [[f64; HORIZONS]; FEATURES];

/// Returns the lower root of the products with `ridge` on their diagonal. A column is taken off all that are right of it at once: its
/// elements do not depend on each other, while each would wait for the one before it in a sum over a row.
fn cholesky(products: &[f32], ridge: f64) -> Square {
    let mut root: Square = [[0.0; FEATURES]; FEATURES];
    // What is taken off each element by the columns left of it.
    let mut taken: Square = [[0.0; FEATURES]; FEATURES];
    for j in 0..FEATURES {
        let product = |i: usize| f64::from(products[i * (i + 1) / 2 + j]);
        // Rounding of the sums can leave nothing where the ridge is all there is.
        let pivot = (product(j) + ridge - taken[j][j]).max(0.1 * ridge).sqrt();
        let column: [f64; FEATURES] = std::array::from_fn(|i| match i.cmp(&j) {
            Ordering::Less => 0.0,
            Ordering::Equal => pivot,
            Ordering::Greater => (product(i) - taken[j][i]) / pivot,
        });
        for (taken, by) in taken.iter_mut().zip(column).skip(j + 1) {
            add_times(taken, by, &column);
        }
        root[j] = column;
    }
    root
}

/// Solves for the weights in place, forwards, then backwards.
fn substitute(root: &Square, weights: &mut ByFeature) {
    for i in 0..FEATURES {
        let mut known = [0.0; HORIZONS];
        (0..i).for_each(|j| add_times(&mut known, root[j][i], &weights[j]));
        weights[i] = std::array::from_fn(|row| (weights[i][row] - known[row]) / root[i][i]);
    }
    for i in (0..FEATURES).rev() {
        let mut known = [0.0; HORIZONS];
        (i + 1..FEATURES).for_each(|j| add_times(&mut known, root[i][j], &weights[j]));
        weights[i] = std::array::from_fn(|row| (weights[i][row] - known[row]) / root[i][i]);
    }
}

fn add_times<const N: usize>(sums: &mut [f64; N], by: f64, values: &[f64; N]) {
    sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += by * value);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn features(seed: u64) -> [f32; FEATURES] {
        std::array::from_fn(|i| {
            let mixed = (seed * 31 + i as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            (mixed >> 40) as f32 / (1 << 24) as f32 - 0.5
        })
    }

    #[test]
    fn without_samples_the_prior_holds() {
        assert_eq!(fading()[2].map(f32_of), Sums::default().solve(&fading(), 0.5)[2].map(f32_of));
    }

    fn f32_of(value: f64) -> f32 {
        value as f32
    }

    proptest! {
        #[test]
        fn a_linear_rule_is_found(rule in proptest::array::uniform12(-1.0f32..1.0), seed in 0u64..1000) {
            let mut sums = Sums::default();
            for i in 0..300 {
                let x = features(seed * 1000 + i);
                let y: f32 = x.iter().zip(rule).map(|(x, w)| x * w).sum();
                sums.add(&x, &[y; HORIZONS], 1.0);
            }
            let found = sums.solve(&fading(), 1e-3);
            for (found, wanted) in found[3].iter().zip(rule) {
                prop_assert!((found - f64::from(wanted)).abs() < 0.01, "{found} {wanted}");
            }
        }
    }
}
