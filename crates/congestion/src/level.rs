//! Level of service and `congested`, with hysteresis.
//!
//! HCM 6, chapter 18: travel speed as a share of base free flow, cuts at 80, 67, 50, 40, 30 %. A class is left only when
//! the share has passed its cut by a margin, so that a link that sits on a cut does not flap.

use model::LevelOfService;
use serde::{Deserialize, Serialize};

/// The classes of a link as last told.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Level {
    told: Option<(LevelOfService, bool)>,
}

impl Level {
    /// Takes the newest share of free flow and returns the level and whether the link is congested.
    pub(crate) fn take(&mut self, share: f64, congested_share: f64, margin: f64) -> (LevelOfService, bool) {
        let now = match self.told {
            None => (LevelOfService::of_share(share), share <= congested_share),
            Some((level, congested)) => {
                // The worst and the best level that the share may have within the margin.
                let (best, worst) =
                    (LevelOfService::of_share(share + margin), LevelOfService::of_share(share - margin));
                let edge = if congested { congested_share + margin } else { congested_share - margin };
                (level.clamp(best, worst), share <= edge)
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
        let mut level = Level::default();
        let told: Vec<_> = [0.42, 0.39, 0.41, 0.39].map(|s| level.take(s, 0.40, 0.02)).to_vec();
        assert!(told.iter().all(|t| *t == (LevelOfService::D, false)));
        assert_eq!(level.take(0.37, 0.40, 0.02), (LevelOfService::E, true));
        assert_eq!(level.take(0.41, 0.40, 0.02), (LevelOfService::E, true));
        assert_eq!(level.take(0.90, 0.40, 0.02), (LevelOfService::A, false));
    }
}
