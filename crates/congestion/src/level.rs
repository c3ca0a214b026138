//! Levels of service and `congested`, with hysteresis.
//!
//! A level is a range between two cuts of a measure: travel speed as a share of base free flow (HCM 6, chapter 18: 80, 67, 50, 40,
//! 30 %), or the facility's own (`facility`). Told is the level that is worth most, going by the probability of each; it is left
//! only when another is worth clearly more, so that a link that sits on a cut, or of which little is known, does not flap.
//!
//! `congested` is a decision under uncertainty: it is told when the probability of a share at or below 40 % passes a bar below
//! one half, because a missed jam costs more than a false one.

use model::LevelOfService;
use serde::{Deserialize, Serialize};

use crate::Config;

/// The classes of a link as last told.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Level {
    street: Option<LevelOfService>,
    facility: Option<LevelOfService>,
    congested: bool,
}

impl Level {
    /// Takes the probability, by the number of the cut, that the share of free flow is at or below it; returns the level.
    pub(crate) fn street(&mut self, beyond: impl Fn(usize) -> f64, config: &Config) -> LevelOfService {
        let now = kept(self.street, beyond, config.hysteresis_level);
        self.street = Some(now);
        now
    }

    /// Takes the probability, by the number of the cut, that the facility's measure is beyond it; nothing where that is not known.
    pub(crate) fn facility(
        &mut self,
        beyond: Option<impl Fn(usize) -> f64>,
        config: &Config,
    ) -> Option<LevelOfService> {
        self.facility = beyond.map(|beyond| kept(self.facility, beyond, config.hysteresis_level));
        self.facility
    }

    /// Takes the probability that the link is congested; tells whether it is.
    pub(crate) fn congested(&mut self, probability: f64, config: &Config) -> bool {
        let kept = if self.congested { config.hysteresis_probability } else { 0.0 };
        self.congested = probability >= config.congested_probability - kept;
        self.congested
    }
}

/// Returns the level that is worth most, or the old one when that is worth little less.
///
/// Each is worth the probability that it is right, and half of those of its neighbours: who is told C where B is right is misled
/// less than who is told F. Taken again the answer stays the same.
fn kept(old: Option<LevelOfService>, beyond: impl Fn(usize) -> f64, margin: f64) -> LevelOfService {
    let mut probability = [0.0; LEVELS + 2];
    probability[1..=LEVELS].copy_from_slice(&probabilities(beyond));
    let worth: [f64; LEVELS] = std::array::from_fn(|level| {
        probability[level + 1] + 0.5 * (probability[level] + probability[level + 2])
    });
    let best = (1..LEVELS).fold(0, |best, level| if worth[level] > worth[best] { level } else { best });
    old.filter(|old| worth[*old as usize] + margin > worth[best]).unwrap_or(LevelOfService::ALL[best])
}

/// How many levels there are.
pub(crate) const LEVELS: usize = LevelOfService::ALL.len();

/// Returns the probability of each level, best first, from those that the measure is beyond each cut.
pub(crate) fn probabilities(beyond: impl Fn(usize) -> f64) -> [f64; LEVELS] {
    let mut probability = [0.0; LEVELS];
    let mut from = 1.0;
    for (level, probability) in probability.iter_mut().enumerate() {
        let past = if level + 1 < LEVELS { beyond(level) } else { 0.0 };
        *probability = (from - past).max(0.0);
        from = past;
    }
    probability
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A share of free flow that is normal around a middle.
    fn of_share(middle: f64, sd: f64) -> impl Fn(usize) -> f64 {
        move |cut| crate::normal::normal((LevelOfService::SHARES[cut] - middle) / sd)
    }

    fn config() -> Config {
        Config { hysteresis_level: 0.1, ..Config::default() }
    }

    #[test]
    fn a_share_that_swings_over_a_cut_does_not_flap() {
        let mut level = Level::default();
        let mut take = |share| level.street(of_share(share, 0.05), &config());
        assert_eq!([0.52, 0.49, 0.51, 0.49].map(&mut take), [LevelOfService::C; 4]);
        assert_eq!(take(0.44), LevelOfService::D);
        assert_eq!(take(0.50), LevelOfService::D);
        assert_eq!(take(0.90), LevelOfService::A);
    }

    #[test]
    fn what_is_known_well_is_told_at_once() {
        let mut level = Level::default();
        assert_eq!(
            [0.41, 0.39].map(|share| level.street(of_share(share, 0.01), &config())),
            [LevelOfService::D, LevelOfService::E]
        );
    }

    #[test]
    fn a_measure_that_is_not_known_any_more_has_no_level() {
        let mut level = Level::default();
        assert_eq!(level.facility(Some(|_| 0.0), &config()), Some(LevelOfService::A));
        assert_eq!(level.facility(None::<fn(usize) -> f64>, &config()), None);
    }

    #[test]
    fn congested_is_left_below_the_probability_that_it_was_entered_with() {
        let config =
            Config { congested_probability: 0.25, hysteresis_probability: 0.05, ..Config::default() };
        let mut level = Level::default();
        let told = [0.24, 0.26, 0.22, 0.19, 0.24].map(|p| level.congested(p, &config));
        assert_eq!(told, [false, true, true, false, false]);
    }

    proptest! {
        #[test]
        fn a_level_told_again_is_the_same(middle in 0.0f64..1.1, sd in 0.01f64..0.5, old in 0usize..6) {
            let beyond = of_share(middle, sd);
            let once = kept(Some(LevelOfService::ALL[old]), &beyond, 0.1);
            prop_assert_eq!(kept(Some(once), &beyond, 0.1), once);
            prop_assert!((probabilities(&beyond).iter().sum::<f64>() - 1.0).abs() < 1e-9);
        }
    }
}
