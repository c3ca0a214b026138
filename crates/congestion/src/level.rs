//! Level of service and `congested`, with hysteresis.
//!
//! HCM 6, chapter 18: travel speed as a share of base free flow, cuts at 80, 67, 50, 40, 30 %. A class is left only when
//! the share has passed its cut by a margin, so that a link that sits on a cut does not flap.
//!
//! `congested` is a decision under uncertainty: it is told when the probability of a share at or below 40 % passes a bar below
//! one half, because a missed jam costs more than a false one.

use model::LevelOfService;
use serde::{Deserialize, Serialize};

use crate::Config;

/// The classes of a link as last told.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Level {
    told: Option<(LevelOfService, bool)>,
}

impl Level {
    /// Takes the newest share of free flow and the probability that the link is congested; returns the level and whether
    /// it is congested.
    pub(crate) fn take(&mut self, share: f64, probability: f64, config: &Config) -> (LevelOfService, bool) {
        let now = match self.told {
            None => (LevelOfService::of_share(share), probability >= config.congested_probability),
            Some((level, congested)) => {
                // The worst and the best level that the share may have within the margin.
                let margin = config.hysteresis_share;
                let (best, worst) =
                    (LevelOfService::of_share(share + margin), LevelOfService::of_share(share - margin));
                let kept = if congested { config.hysteresis_probability } else { 0.0 };
                (level.clamp(best, worst), probability >= config.congested_probability - kept)
            }
        };
        self.told = Some(now);
        now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_that_swings_over_a_cut_does_not_flap() {
        let config = Config::default();
        let mut level = Level::default();
        let told: Vec<_> = [0.42, 0.39, 0.41, 0.39].map(|s| level.take(s, 0.0, &config).0).to_vec();
        assert_eq!(told, [LevelOfService::D; 4]);
        assert_eq!(level.take(0.37, 0.0, &config).0, LevelOfService::E);
        assert_eq!(level.take(0.41, 0.0, &config).0, LevelOfService::E);
        assert_eq!(level.take(0.90, 0.0, &config).0, LevelOfService::A);
    }

    #[test]
    fn congested_is_left_below_the_probability_that_it_was_entered_with() {
        let config =
            Config { congested_probability: 0.25, hysteresis_probability: 0.05, ..Config::default() };
        let mut level = Level::default();
        let told = [0.24, 0.26, 0.22, 0.19, 0.24].map(|p| level.take(0.5, p, &config).1);
        assert_eq!(told, [false, true, true, false, false]);
    }
}
