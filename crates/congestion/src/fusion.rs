//! Joins what several sources say of one link, in log pace.
//!
//! Times add up, speeds do not, and errors are proportional: so everything is joined as `y = ln(v_free / v)`, the log of
//! the travel-time index, where 0 is free flow and `ln 2.5 = 0.92` is congested. Independent sources are weighted by
//! their inverse variance, the best linear unbiased estimate.

use serde::{Deserialize, Serialize};

/// A mean and a variance of `y = ln(v_free / v)`.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct Belief {
    pub(crate) y: f64,
    pub(crate) var: f64,
}

impl Belief {
    /// Returns what follows from both, when they are independent.
    #[must_use]
    pub(crate) fn and(self, other: Self) -> Self {
        let (a, b) = (self.var.recip(), other.var.recip());
        Self { y: (self.y * a + other.y * b) / (a + b), var: (a + b).recip() }
    }
}

/// Standard normal distribution function; Abramowitz and Stegun 26.2.17, error below 1e-7.
pub(crate) fn normal(z: f64) -> f64 {
    normal_and_density(z).0
}

/// Returns the distribution function and the density, which share what is dear: the exponential.
pub(crate) fn normal_and_density(z: f64) -> (f64, f64) {
    /// 1 / sqrt(2 pi).
    const PEAK: f64 = 0.398_942_280_401_432_7;
    let t = 1.0 / (1.0 + 0.231_641_9 * z.abs());
    let density = (-0.5 * z * z).exp() * PEAK;
    let tail = [1.330_274_429, -1.821_255_978, 1.781_477_937, -0.356_563_782, 0.319_381_530]
        .into_iter()
        .fold(0.0, |sum, c| (sum + c) * t)
        * density;
    (if z < 0.0 { tail } else { 1.0 - tail }, density)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn one_in_ten_is_above_1_2816_standard_deviations() {
        assert!((1.0 - normal(1.2816) - 0.1).abs() < 1e-4);
        assert!((normal(-1.2816) - 0.1).abs() < 1e-4);
    }

    proptest! {
        #[test]
        fn the_joined_belief_lies_between_and_is_surer(a in 0.0f64..3.0, b in 0.0f64..3.0, va in 0.01f64..1.0, vb in 0.01f64..1.0) {
            let (a, b) = (Belief { y: a, var: va }, Belief { y: b, var: vb });
            let both = a.and(b);
            prop_assert!(both.y >= a.y.min(b.y) - 1e-9 && both.y <= a.y.max(b.y) + 1e-9);
            prop_assert!(both.var < va.min(vb));
        }
    }
}
