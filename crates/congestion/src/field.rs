//! How fast links without counters run when they are free: a Gaussian Markov random field on the turns.
//!
//! What is told apart by place is the residual `r = y - y_usual` of the free regime (`y = ln(v_free / v)`), the usual being the link's own at
//! this time of the week where that was learned, else what is typical of links like it. Given all others, a
//! link's residual is taken to be normal around `rho` times the turn-weighted mean of its neighbours' residuals: a conditional
//! autoregression (Besag 1974), the sparse form of a Gaussian Markov random field (Rue and Held 2005). `rho`, and the part of the
//! variance that neighbours leave unexplained, are learned from links that are measured and have measured neighbours. The field is
//! solved by Gauss-Seidel sweeps, warm-started from the boundary before; a neighbour's own doubt is carried on by the law of total
//! variance. Far from any sensor that ends at what is typical and its spread.

use roadnet::{LinkIndex, Network};
use serde::{Deserialize, Serialize};

use crate::fusion::Belief;
use crate::neighbours::{Around, Coupling};
use crate::shown::Shown;
use crate::turns::Turns;

/// How much of its neighbours' residuals a link shares.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Field {
    coupling: Coupling,
}

/// What is guessed before anything is learned is worth this much of the squared residuals: a dozen links at signals.
const PRIOR_SQUARES: f64 = 1.0;

impl Field {
    pub(crate) fn guessed() -> Self {
        Self { coupling: Coupling::guessed(PRIOR_SQUARES) }
    }

    /// Takes what measured links and their measured neighbours depart by; to be called about once a minute.
    pub(crate) fn learn(
        &mut self,
        network: &Network,
        turns: &Turns,
        shown: &[Shown],
        measured: impl Fn(LinkIndex) -> bool,
    ) {
        self.coupling.learn(network, turns, |link| shown[link.index()].free.y, measured);
    }

    /// Returns what a link's neighbours make one believe of it.
    pub(crate) fn prior(&self, around: &Around, typical: Belief) -> Belief {
        let Around { shares, y, var, .. } = *around;
        if shares <= 0.0 {
            return typical;
        }
        let rho = self.coupling.share();
        let left = self.coupling.unexplained() * typical.var + rho * rho * var / (shares * shares);
        Belief { y: typical.y + rho * y / shares, var: left.min(typical.var) }
    }
}

/// Returns what follows for a link of which its own sensors said `own` beside `typical`, when `prior` takes the place of that.
pub(crate) fn upon(prior: Belief, own: Belief, typical: Belief) -> Belief {
    let said = (own.var.recip() - typical.var.recip()).max(0.0);
    if said == 0.0 {
        return prior;
    }
    let y = (own.y / own.var - typical.y / typical.var) / said;
    prior.and(Belief { y, var: said.recip() })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::streets::streets;

    const TYPICAL: Belief = Belief { y: 0.3, var: 0.09 };

    /// Three links in a row.
    fn row() -> (Network, Turns) {
        let network = streets(&[((0, 0), (3, 0)), ((3, 0), (6, 0)), ((6, 0), (9, 0))]);
        let turns = Turns::new(&network);
        (network, turns)
    }

    /// A link that is free and believed to be so.
    fn free(belief: Belief) -> Shown {
        Shown { free: Belief { y: belief.y - TYPICAL.y, ..belief }, ..Shown::NOTHING }
    }

    /// Returns what three links in a row make one believe of the middle one.
    fn between(shown: [Shown; 3]) -> Belief {
        let (_, turns) = row();
        Field::guessed().prior(&Around::of(&turns, LinkIndex(1), &shown), TYPICAL)
    }

    #[test]
    fn a_link_between_two_slow_ones_is_slower_than_usual_and_surer_than_one_alone() {
        let slow = Belief { y: 0.8, var: 0.01 };
        let between = between([free(slow), Shown::NOTHING, free(slow)]);
        assert!(between.y > TYPICAL.y && between.y < slow.y, "{between:?}");
        assert!(between.var < TYPICAL.var, "{between:?}");
    }

    #[test]
    fn where_nothing_departs_from_the_typical_neither_does_the_field() {
        let prior = between([free(TYPICAL); 3]);
        assert!((prior.y - TYPICAL.y).abs() < 1e-12 && prior.var <= TYPICAL.var);
    }

    #[test]
    fn pairs_that_move_together_couple_more_than_pairs_that_do_not() {
        let (network, turns) = row();
        let learned = |second: f64| {
            let mut field = Field::guessed();
            for turn in 0..200 {
                let sign = if turn % 2 == 0 { 1.0 } else { -1.0 };
                let at = |y: f64| free(Belief { y: TYPICAL.y + sign * y, var: 0.01 });
                let first = if turn % 4 < 2 { at(0.4) } else { at(-0.4) };
                let second = if second > 0.0 { at(0.4) } else { first };
                field.learn(&network, &turns, &[at(0.4), second, Shown::NOTHING], |link| link.0 < 2);
            }
            field.coupling
        };
        let (together, apart) = (learned(1.0), learned(0.0));
        assert!(together.share() > 0.85 && apart.share() < 0.1, "{together:?} {apart:?}");
        assert!(together.unexplained() < 0.2 && apart.unexplained() > 0.9);
    }

    proptest! {
        #[test]
        fn what_sensors_said_moves_the_prior_towards_it(prior_y in -0.2f64..1.0, own_y in -0.2f64..1.0, var in 0.001f64..0.08) {
            let prior = Belief { y: prior_y, var: 0.05 };
            let seen = Belief { y: own_y, var };
            let both = upon(prior, TYPICAL.and(seen), TYPICAL);
            prop_assert!(both.y >= prior_y.min(own_y) - 1e-9 && both.y <= prior_y.max(own_y) + 1e-9);
            prop_assert!(both.var < prior.var + 1e-12);
        }

        #[test]
        fn slower_neighbours_never_make_a_link_faster(y in -0.2f64..1.0, more in 0.0f64..1.0) {
            let at = |y: f64| between([free(Belief { y, var: 0.02 }), Shown::NOTHING, Shown::NOTHING]).y;
            prop_assert!(at(y + more) >= at(y));
        }
    }
}
