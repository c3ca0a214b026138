//! Online ridge regression: running sums of products, and the weights that follow from them.
//!
//! All horizons share the features, so they share one matrix of products. A link's weights are drawn to those of all links,
//! and those to persistence that fades to the usual, as long as there is little to learn from (Hoerl and Kennard 1970; a
//! hierarchical prior).

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
        let mut weights = [[0.0; FEATURES]; HORIZONS];
        for ((weights, moments), prior) in weights.iter_mut().zip(moments.chunks(FEATURES)).zip(prior) {
            *weights = std::array::from_fn(|i| f64::from(moments[i]) + strength * prior[i]);
            substitute(&root, weights);
        }
        weights
    }
}

type Square = [[f64; FEATURES]; FEATURES];

/// Returns the lower root of the products with `ridge` on their diagonal.
fn cholesky(products: &[f32], ridge: f64) -> Square {
    let mut root: Square = [[0.0; FEATURES]; FEATURES];
    for i in 0..FEATURES {
        for j in 0..=i {
            let product = f64::from(products[i * (i + 1) / 2 + j]) + if i == j { ridge } else { 0.0 };
            let (row, other) = (root[i], root[j]);
            let rest = product - row[..j].iter().zip(&other[..j]).map(|(a, b)| a * b).sum::<f64>();
            // Rounding of the sums can leave nothing where the ridge is all there is.
            root[i][j] = if i == j { rest.max(0.1 * ridge).sqrt() } else { rest / other[j] };
        }
    }
    root
}

/// Solves for the weights in place, forwards, then backwards.
fn substitute(root: &Square, weights: &mut [f64; FEATURES]) {
    for i in 0..FEATURES {
        let known: f64 = (0..i).map(|j| root[i][j] * weights[j]).sum();
        weights[i] = (weights[i] - known) / root[i][i];
    }
    for i in (0..FEATURES).rev() {
        let known: f64 = (i + 1..FEATURES).map(|j| root[j][i] * weights[j]).sum();
        weights[i] = (weights[i] - known) / root[i][i];
    }
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
