//! The bar that keeps the operator's budget of false alarms.
//!
//! How high a link's statistic climbs where nothing has happened can't be known from the literature: it is a property of the
//! city and of its sensors. So each climb above a floor is noted, with the height by which it passed it (peaks over a threshold:
//! Pickands 1975, Davison and Smith 1990, with an exponential tail). From their rate `r` and their mean height `b` the bar follows at
//! which as many remain as the budget allows: `floor + b ln(r / budget)`. Climbs of true incidents are noted too, for nobody tells
//! them apart, so the bar is rather too high than too low. What it does not promise: that days are like each other, and that the
//! tail goes on as it began.

use model::Timestamp;
use serde::{Deserialize, Serialize};

/// Below this a climb is not noted: an everyday thing, nats.
pub(crate) const FLOOR: f64 = 2.5;

/// Climbs a day and 1,000 links before the city has told its own, and what that is worth in climbs: the rates of simulated
/// cities of several kinds.
const PRIOR_RATE: f64 = 500.0;
const PRIOR_CLIMBS: f64 = 20.0;

/// Their mean height above the floor, nats.
const PRIOR_HEIGHT: f64 = 0.9;

/// Climbs and alarms fade over this time, days: long against a week, short against a season.
pub(super) const FADE_DAYS: f64 = 21.0;

#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Budget {
    /// Time in which links were heard, in days of 1,000 links.
    watched: f64,
    climbs: f64,
    /// Sum of their heights above the floor, nats.
    height: f64,
    at: Option<Timestamp>,
}

impl Budget {
    /// Notes that so many links were heard until now. No more than a step of it was watched: in a gap of the log nobody was there.
    pub(crate) fn watch(&mut self, at: Timestamp, step_ms: i64, links: usize) {
        const DAY_MS: f64 = 86_400_000.0;
        let days = self.at.map_or(0.0, |before| (at - before).clamp(0, step_ms) as f64 / DAY_MS);
        self.at = Some(at);
        let kept = (-days / FADE_DAYS).exp();
        self.watched = self.watched * kept + days * links as f64 / 1000.0;
        self.climbs *= kept;
        self.height *= kept;
    }

    /// Notes a climb by its peak.
    pub(crate) fn note(&mut self, peak: f64) {
        self.climbs += 1.0;
        self.height += (peak - FLOOR).max(0.0);
    }

    /// Returns the bar that leaves so many alarms a day and 1,000 links; infinite where none is wanted.
    pub(crate) fn bar(&self, budget: f64) -> f64 {
        FLOOR + (self.mean_height() * (self.rate() / budget).ln()).max(0.0)
    }

    /// Returns how sure an alarm is: its like comes so often by chance, and incidents as often as the budget allows alarms.
    pub(crate) fn confidence(&self, nats: f64, budget: f64) -> f64 {
        1.0 / (1.0 + ((self.bar(budget) - nats) / self.mean_height()).exp())
    }

    fn rate(&self) -> f64 {
        (self.climbs + PRIOR_CLIMBS) / (self.watched + PRIOR_CLIMBS / PRIOR_RATE)
    }

    fn mean_height(&self) -> f64 {
        (self.height + PRIOR_CLIMBS * PRIOR_HEIGHT) / (self.climbs + PRIOR_CLIMBS)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Alarms a day and 1,000 links where climbs come so often and are so high on average, after a fortnight of learning.
    fn alarms(budget: f64, rate: f64, mean_height: f64, seed: u64) -> f64 {
        const DAYS: i64 = 40;
        const MINUTE_MS: i64 = 60_000;
        let mut state = seed;
        let mut uniform = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            ((state >> 33) as f64 + 0.5) / f64::from(1u32 << 31)
        };
        let mut bar = Budget::default();
        let mut told = 0;
        for minute in 0..DAYS * 1440 {
            bar.watch(Timestamp::from_millis(minute * MINUTE_MS), MINUTE_MS, 1000);
            if uniform() < rate / 1440.0 {
                let peak = FLOOR - mean_height * uniform().ln();
                told += usize::from(minute > 14 * 1440 && peak >= bar.bar(budget));
                bar.note(peak);
            }
        }
        told as f64 / (DAYS - 14) as f64
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

        #[test]
        fn noise_of_any_rate_and_height_keeps_the_budget(
            budget in 5.0f64..100.0, rate in 20.0f64..1400.0, mean_height in 0.2f64..3.0, seed: u64,
        ) {
            let told = alarms(budget, rate, mean_height, seed);
            // Three standard deviations of chance over 26 days, and a tenth for what is still being learned.
            let most = 1.1 * budget + 3.0 * (budget / 26.0).sqrt();
            prop_assert!(told <= most, "{told} of {budget}");
        }

        #[test]
        fn a_smaller_budget_never_lowers_the_bar(budget in 0.1f64..500.0, less in 0.01f64..1.0, climbs in 0usize..200) {
            let mut bar = Budget::default();
            bar.watch(Timestamp::from_millis(0), 86_400_000, 1000);
            bar.watch(Timestamp::from_millis(86_400_000), 86_400_000, 1000);
            (0..climbs).for_each(|i| bar.note(FLOOR + i as f64 / 50.0));
            prop_assert!(bar.bar(budget * less) >= bar.bar(budget));
            prop_assert!(bar.confidence(5.0, budget) <= bar.confidence(5.5, budget));
        }
    }

    #[test]
    fn a_gap_of_the_log_and_links_that_are_silent_are_not_watched() {
        let step_ms = 5_000;
        let mut bar = Budget::default();
        bar.watch(Timestamp::from_millis(0), step_ms, 1000);
        bar.watch(Timestamp::from_millis(step_ms), step_ms, 1000);
        let watched = bar;
        assert!(bar.watched > 0.0);
        bar.watch(Timestamp::from_millis(2 * step_ms), step_ms, 0);
        assert!(bar.watched <= watched.watched);
        let mut after_a_gap = watched;
        after_a_gap.watch(Timestamp::from_millis(86_400_000), step_ms, 1000);
        assert!(after_a_gap.watched <= 2.0 * watched.watched);
    }

    #[test]
    fn no_budget_is_no_alarm() {
        assert_eq!(Budget::default().bar(0.0), f64::INFINITY);
    }
}
