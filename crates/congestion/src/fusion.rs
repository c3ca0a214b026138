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
        self.and_partly(other, 1.0)
    }

    /// Returns what follows when the other counts for that much of what it is worth.
    #[must_use]
    pub(crate) fn and_partly(self, other: Self, weight: f64) -> Self {
        let var = weight * self.var;
        let gain = var / (var + other.var);
        Self { y: self.y + gain * (other.y - self.y), var: self.var * (1.0 - gain) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

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
