//! The usual cycle of a signal, and what follows from it before anybody is seen.

use serde::{Deserialize, Serialize};

/// How long a signal is red, and how long it takes from one red to the next, s. NaN = not known.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct Cycle {
    pub(crate) red_s: f64,
    pub(crate) length_s: f64,
}

impl Cycle {
    pub(crate) const UNKNOWN: Self = Self { red_s: f64::NAN, length_s: f64::NAN };

    /// A minute, half of it red.
    pub(crate) const USUAL: Self = Self { red_s: 30.0, length_s: 60.0 };

    pub(crate) fn is_known(&self) -> bool {
        !self.length_s.is_nan()
    }

    /// Returns it in whole seconds: finer steps would be told each minute.
    pub(crate) fn rounded(&self) -> Self {
        Self { red_s: self.red_s.round(), length_s: self.length_s.round() }
    }

    /// Returns how long it takes, s, where that is known.
    pub(crate) fn known_s(&self) -> Option<f64> {
        Some(self.length_s).filter(|_| self.is_known())
    }

    /// Returns what a vehicle that comes at random loses at the red, s: `r^2 / 2C` (Webster 1958, at low flow).
    pub(crate) fn uniform_delay_s(&self) -> f64 {
        self.red_s * self.red_s / (2.0 * self.length_s)
    }

    /// Returns how much a minute has of the red, as the standard deviation over the mean: cycles of a minute put all of it into each, of
    /// one of 90 s a minute may hold a third or two thirds.
    ///
    /// What is left of the minute after whole cycles lies over the red like one arc of a circle over another: their overlap stays,
    /// grows, stays and shrinks as one of them turns.
    pub(crate) fn red_spread(&self) -> f64 {
        const MINUTE_S: f64 = 60.0;
        let Self { red_s, length_s } = *self;
        let left_s = MINUTE_S % length_s;
        let (least_s, most_s) = ((left_s + red_s - length_s).max(0.0), left_s.min(red_s));
        let (at_most_s, growing_s) = ((left_s - red_s).abs(), most_s - least_s);
        let at_least_s = length_s - at_most_s - 2.0 * growing_s;
        let while_growing = 2.0 / 3.0 * (most_s.powi(3) - least_s.powi(3));
        let square = (at_most_s * most_s.powi(2) + at_least_s * least_s.powi(2) + while_growing) / length_s;
        let share = red_s / length_s;
        (square - (left_s * share).powi(2)).max(0.0).sqrt() / (MINUTE_S * share)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn each_minute_has_a_whole_cycle_of_a_minute_and_two_of_half_a_minute() {
        for length_s in [60.0, 30.0, 20.0] {
            assert_eq!(Cycle { red_s: 0.4 * length_s, length_s }.red_spread(), 0.0);
        }
    }

    #[test]
    fn half_of_a_red_is_lost_by_those_who_come_in_it() {
        assert_eq!(Cycle { red_s: 40.0, length_s: 60.0 }.uniform_delay_s(), 40.0 * 40.0 / 120.0);
    }

    #[test]
    fn of_a_signal_that_does_not_tell_nothing_is_known() {
        assert!(!Cycle::UNKNOWN.is_known() && Cycle::UNKNOWN.uniform_delay_s().is_nan());
    }

    proptest! {
        #[test]
        fn the_spread_is_what_counting_the_red_of_many_minutes_finds(red_s in 1u32..90, green_s in 1u32..90) {
            let length_s = red_s + green_s;
            let reds: Vec<f64> = (0..length_s).map(|from| (from..from + 60).filter(|s| s % length_s < red_s).count() as f64).collect();
            let mean = reds.iter().sum::<f64>() / reds.len() as f64;
            let var = reds.iter().map(|red| (red - mean).powi(2)).sum::<f64>() / reds.len() as f64;
            let spread = Cycle { red_s: f64::from(red_s), length_s: f64::from(length_s) }.red_spread();
            // Counted in whole seconds.
            prop_assert!((spread - var.sqrt() / mean).abs() < 0.03, "{spread} {}", var.sqrt() / mean);
        }
    }
}
