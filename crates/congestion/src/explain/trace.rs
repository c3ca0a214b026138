//! How much of a link's speed rests on which piece of evidence.
//!
//! Within a regime the filter is linear: each piece of evidence moves the mean towards itself by a gain, and time moves it back to
//! what is typical. So the mean is a weighted sum of all that was seen and of what is typical, with weights that add up to one.
//! The weights of the two regimes are joined by the probability of each.

use crate::bands::Step;
use crate::delay::Heard;
use crate::evidence::Means;
use crate::fusion::Belief;

/// What the steps of the filter come to.
#[derive(Debug, Default)]
pub(super) struct Trace {
    pub(super) pieces: Vec<Piece>,
}

#[derive(Debug)]
pub(super) struct Piece {
    pub(super) band: usize,
    pub(super) means: Means,
    pub(super) heard: Heard,
    /// By which it made a jam likelier.
    pub(super) jam_odds: f64,
    free: f64,
    jam: f64,
}

impl Trace {
    pub(super) fn take(&mut self, step: Step) {
        match step {
            Step::Faded { kept } => self.scale(kept, kept),
            Step::Seen { band, means, heard, before, after } => {
                let gain = |before: Belief, after: Belief| (1.0 - after.var / before.var).clamp(0.0, 1.0);
                let (free, jam) = (gain(before.free, after.free), gain(before.jam, after.jam));
                self.scale(1.0 - free, 1.0 - jam);
                let jam_odds = after.odds_against(&before);
                self.pieces.push(Piece { band, means, heard, jam_odds, free, jam });
            }
        }
    }

    fn scale(&mut self, free: f64, jam: f64) {
        for piece in &mut self.pieces {
            piece.free *= free;
            piece.jam *= jam;
        }
    }

    /// Returns the weight that is left to what is typical, when a jam is that likely.
    pub(super) fn typical_weight(&self, jammed: f64) -> f64 {
        1.0 - total(self.pieces.iter().map(|piece| piece.weight(jammed)))
    }
}

impl Piece {
    /// Returns its weight when a jam is that likely.
    pub(super) fn weight(&self, jammed: f64) -> f64 {
        (1.0 - jammed) * self.free + jammed * self.jam
    }
}

/// Adds up from 0: a plain sum of nothing is -0, and would be shown so.
pub(super) fn total(values: impl Iterator<Item = f64>) -> f64 {
    values.fold(0.0, |sum, value| sum + value)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::regime::{Hidden, Jams, Regimes, kept};

    proptest! {
        #[test]
        fn the_weighted_sum_of_what_was_seen_and_what_is_typical_is_what_is_believed(
            seen in prop::collection::vec((-0.2f64..3.0, 0.01f64..0.5, 0.0f64..600.0), 0..8),
        ) {
            let rest = Regimes::unseen(0.3, 0.3, Jams::default());
            let (mut belief, mut trace) = (rest, Trace::default());
            for (y, var, seconds) in seen {
                let before = belief.after(seconds, &rest);
                trace.take(Step::Faded { kept: kept(seconds) });
                let seen = Belief { y, var };
                belief = before.and(seen, Hidden::Share(0.5), &rest);
                let heard = Heard { seen, gated: false };
                trace.take(Step::Seen { band: 0, means: Means::Loops, heard, before, after: belief });
            }
            for (jammed, typical_y, believed_y) in [(0.0, rest.free.y, belief.free.y), (1.0, rest.jam.y, belief.jam.y)] {
                let left = trace.typical_weight(jammed);
                let sum = trace.pieces.iter().map(|piece| piece.weight(jammed) * piece.heard.seen.y).sum::<f64>();
                prop_assert!((sum + left * typical_y - believed_y).abs() < 1e-9);
                prop_assert!((-1e-9..=1.0 + 1e-9).contains(&left));
                prop_assert!(trace.pieces.iter().all(|piece| (0.0..=1.0).contains(&piece.weight(jammed))));
            }
        }
    }
}
