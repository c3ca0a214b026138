//! A link is either free or jammed, and we do not know which: a filter over two regimes.
//!
//! Log pace has two humps. A link mostly runs near what is typical for it, and now and then queues stand on it and it is
//! several times slower. One bell curve over both is too wide for the first and too slow for the second, so each regime has
//! its own belief, and evidence moves their odds by how well each foretold it (an interacting-multiple-model filter; Blom and
//! Bar-Shalom 1988, without the mixing of moments).

use serde::{Deserialize, Serialize};

use crate::fusion::Belief;
use crate::quantile::{Hump, Mixture};

/// What is believed of a link: of `y = ln(v_free / v)` in either regime, and the probability of a jam.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct Regimes {
    pub(crate) free: Belief,
    pub(crate) jam: Belief,
    pub(crate) jammed: f64,
}

/// How long a state lasts, s: in the autocorrelation of five-minute speeds of real streets and of the kit's (0.75 to 0.9
/// at a lag of 5 min).
const LASTS_S: f64 = 1200.0;

/// Share of links that are jammed when nothing is known: a city at its peaks.
pub(crate) const USUALLY_JAMMED: f64 = 0.1;

/// A jam is slower than what is typical by at least a factor of two.
pub(crate) const LEAST_JAM_Y: f64 = 0.7;

/// Spread between jams: a factor of 2.2 for two out of three.
const JAM_VAR: f64 = 0.64;

/// How jams are in a city: learned while it runs.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct Jams {
    /// Median of `y` in jams.
    pub(crate) y: f64,
    /// Share of links that are jammed.
    pub(crate) share: f64,
}

impl Default for Jams {
    fn default() -> Self {
        // A sixth of free flow.
        Self { y: 1.8, share: USUALLY_JAMMED }
    }
}

/// No piece of evidence moves the odds by more than this: models are wrong now and then.
const MOST_ODDS: f64 = 200.0;

/// A jam may always just have begun, or just have gone.
const LEAST_PROBABILITY: f64 = 0.01;

/// Standard deviations beyond which evidence is not taken at face value: of both regimes, for a jam may always begin.
pub(crate) const GATE_SD: f64 = 3.5;

/// What may be missed: a jam behind a loop over which vehicles pass freely, or beside a vehicle that passes in another lane.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Hidden {
    /// The reading would not come from a jam, but as its speed says.
    Nothing,
    /// With this probability vehicles in a jam would pass the sensor as they do on a free link.
    Share(f64),
}

impl Regimes {
    /// Returns what is believed of a link when nothing was seen.
    ///
    /// `rest_y`: what is typical for it while it is free, `sd`: how far links and times are off that; `jams`: how jams are here.
    pub(crate) fn unseen(rest_y: f64, sd: f64, jams: Jams) -> Self {
        // A jam is no less than what is typical here.
        let jam = Belief { y: jams.y.max(rest_y + LEAST_JAM_Y), var: JAM_VAR };
        Self { free: Belief { y: rest_y, var: sd * sd }, jam, jammed: jams.share }
    }

    /// Returns it as it is at a time of the week at which the mean speed is that share of free flow: the free regime is slower or faster, by
    /// its spread at most, and what is left is jams, which come on some of the days and not on others.
    #[must_use]
    pub(crate) fn with_mean(self, share: f64) -> Self {
        /// Who was in a jam each day at this time may be free today, and the other way round.
        const JAMMED: [f64; 2] = [0.02, 0.9];
        let sd = self.free.var.sqrt().min(LEAST_JAM_Y / 2.0);
        let jam_share = (-self.jam.y).exp();
        let free_share = ((share - self.jammed * jam_share) / (1.0 - self.jammed))
            .clamp((-self.free.y - sd).exp(), (sd - self.free.y).exp());
        let jammed = ((free_share - share) / (free_share - jam_share)).clamp(JAMMED[0], JAMMED[1]);
        Self { free: Belief { y: -free_share.ln(), ..self.free }, jammed, ..self }
    }

    /// Tells whether all of it are numbers.
    pub(crate) fn is_finite(&self) -> bool {
        let Self { free, jam, jammed } = self;
        [free.y, free.var, jam.y, jam.var, *jammed].into_iter().all(f64::is_finite)
    }

    /// Tells whether a reader could not see how far it is from `rest`.
    pub(crate) fn is_near(&self, rest: &Self) -> bool {
        const NEAR: f64 = 0.005;
        let near = |a: f64, b: f64| (a - b).abs() < NEAR;
        near(self.jammed, rest.jammed)
            && near(self.free.y, rest.free.y)
            && near(self.free.var, rest.free.var)
            && near(self.jam.y, rest.jam.y)
            && near(self.jam.var, rest.jam.var)
    }

    /// Returns what is left of it after so many seconds, on the way back to `rest`.
    #[must_use]
    pub(crate) fn after(self, seconds: f64, rest: &Self) -> Self {
        let kept = kept(seconds);
        let back = |belief: Belief, rest: Belief| Belief {
            y: rest.y + kept * (belief.y - rest.y),
            var: rest.var + kept * kept * (belief.var - rest.var),
        };
        Self {
            free: back(self.free, rest.free),
            jam: back(self.jam, rest.jam),
            jammed: rest.jammed + kept * (self.jammed - rest.jammed),
        }
    }

    /// Takes what was seen. `rest` is the belief when nothing is.
    #[must_use]
    pub(crate) fn and(self, seen: Belief, hidden: Hidden, rest: &Self) -> Self {
        let jam = likelier(seen, self.jam, self.free);
        let Hidden::Share(share) = hidden else {
            return self.by_odds(jam).corrected(seen, 1.0);
        };
        let passes = share * likelier(seen, rest.free, self.free);
        let as_it_says = (1.0 - share) * jam;
        let odds = as_it_says + passes;
        // A jam is corrected only as far as it was the jam that was seen.
        self.by_odds(odds).corrected(seen, as_it_says / odds.max(f64::MIN_POSITIVE))
    }

    /// Returns how many standard deviations evidence is off what is believed, in the regime that is nearer to it.
    pub(crate) fn surprise(&self, seen: Belief) -> f64 {
        let off = |hump: Belief| (seen.y - hump.y).abs() / (seen.var + hump.var).sqrt();
        off(self.free).min(off(self.jam))
    }

    /// Returns evidence with the variance that makes it no more surprising than the gate lets pass.
    #[must_use]
    pub(crate) fn gated(&self, seen: Belief) -> Belief {
        let passing = |hump: Belief| (seen.y - hump.y).powi(2) / GATE_SD.powi(2) - hump.var;
        Belief { var: seen.var.max(passing(self.free).min(passing(self.jam))), ..seen }
    }

    /// Moves each regime's belief towards what was seen, as far as it is the one that holds.
    fn corrected(self, seen: Belief, of_jam: f64) -> Self {
        const LEAST: f64 = 1e-4;
        Self {
            free: self.free.and_partly(seen, (1.0 - self.jammed).max(LEAST)),
            jam: self.jam.and_partly(seen, (self.jammed * of_jam).max(LEAST)),
            ..self
        }
    }

    /// Makes a jam likelier by these odds.
    #[must_use]
    pub(crate) fn by_odds(self, odds: f64) -> Self {
        let jam = odds.clamp(MOST_ODDS.recip(), MOST_ODDS) * self.jammed;
        let jammed = jam / (jam + 1.0 - self.jammed);
        Self { jammed: jammed.clamp(LEAST_PROBABILITY, 1.0 - LEAST_PROBABILITY), ..self }
    }

    /// Returns the odds by which evidence has made a jam likelier than it is when nothing is seen.
    pub(crate) fn odds_against(&self, rest: &Self) -> f64 {
        let odds = |p: f64| p / (1.0 - p);
        odds(self.jammed) / odds(rest.jammed)
    }

    /// Returns both humps made wider by that variance.
    #[must_use]
    pub(crate) fn wider(self, free_var: f64, jam_var: f64) -> Self {
        let wider = |belief: Belief, var: f64| Belief { var: belief.var + var, ..belief };
        Self { free: wider(self.free, free_var), jam: wider(self.jam, jam_var), ..self }
    }

    /// Returns mean and variance of the travel time, as a multiple of that at free flow.
    pub(crate) fn times(&self) -> (f64, f64) {
        let humps = [(1.0 - self.jammed, self.free), (self.jammed, self.jam)];
        let moment = |n: f64| -> f64 {
            humps.iter().map(|(share, b)| share * (n * b.y + n * n * b.var / 2.0).exp()).sum()
        };
        let mean = moment(1.0);
        (mean, (moment(2.0) - mean * mean).max(0.0))
    }

    /// Returns the probability that `y` is above that.
    pub(crate) fn above(&self, y: f64) -> f64 {
        self.mixture().above(y)
    }

    /// Returns the `y` above which that probability lies, to a thousandth.
    pub(crate) fn quantile(&self, above: f64) -> f64 {
        self.mixture().quantile(above)
    }

    /// Returns it as what quantiles and tails are asked of.
    pub(crate) fn mixture(&self) -> Mixture {
        Mixture {
            low: Hump::new(1.0 - self.jammed, self.free.y, self.free.var),
            high: Hump::new(self.jammed, self.jam.y, self.jam.var),
        }
    }
}

/// Returns the share that is left after so many seconds of what was known beyond the typical.
pub(crate) fn kept(seconds: f64) -> f64 {
    (-seconds / LASTS_S).exp()
}

/// Returns how much likelier that reading was, if the one belief is right, than if the other is.
fn likelier(seen: Belief, one: Belief, other: Belief) -> f64 {
    /// Odds are held long before.
    const MOST_NATS: f64 = 600.0;
    let (var, other_var) = (seen.var + one.var, seen.var + other.var);
    let nats = 0.5 * ((seen.y - other.y).powi(2) / other_var - (seen.y - one.y).powi(2) / var);
    nats.min(MOST_NATS).exp() * (other_var / var).sqrt()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn unseen() -> Regimes {
        Regimes::unseen(0.2, 0.3, Jams::default())
    }

    #[test]
    fn standing_probes_make_a_jam_of_a_free_link_at_once() {
        let jam = Belief { y: 3.0, var: 0.13 };
        let before = unseen().and(Belief { y: 0.2, var: 0.05 }, Hidden::Nothing, &unseen());
        let after = before.after(120.0, &unseen()).and(jam, Hidden::Nothing, &unseen());
        assert!(before.jammed < 0.06 && after.jammed > 0.6, "{} {}", before.jammed, after.jammed);
    }

    #[test]
    fn a_jam_that_begins_passes_the_gate() {
        // A street of which nothing but free traffic was seen, in each band from long ago to the last minute.
        let ages_s = [750.0, 218.0, 112.0, 80.0];
        let free = ages_s.into_iter().fold(unseen(), |belief, seconds| {
            belief.and(Belief { y: 0.2, var: 0.05 }, Hidden::Nothing, &unseen()).after(seconds, &unseen())
        });
        for y in [1.5, 2.0, 3.0, 4.0] {
            let jam = Belief { y, var: 0.1 };
            assert_eq!(free.gated(jam), jam);
            assert!(free.and(free.gated(jam), Hidden::Nothing, &unseen()).jammed > 0.3);
        }
    }

    #[test]
    fn free_passage_over_a_loop_leaves_a_jam_behind_it_alone() {
        let jammed = unseen().and(Belief { y: 3.0, var: 0.1 }, Hidden::Nothing, &unseen());
        let passage = Belief { y: 0.3, var: 0.13 };
        let hidden = jammed.and(passage, Hidden::Share(0.9), &unseen());
        let plain = jammed.and(passage, Hidden::Nothing, &unseen());
        assert!(hidden.jammed > 0.7 && plain.jammed < 0.5, "{} {}", hidden.jammed, plain.jammed);
        assert!((hidden.jam.y - jammed.jam.y).abs() < 0.1);
    }

    #[test]
    fn an_hour_that_is_usually_jammed_is_taken_for_one_and_a_free_one_is_not() {
        let free_share = |regimes: &Regimes| (-regimes.free.y).exp();
        let [rush, night] = [0.3, 0.85].map(|share| unseen().with_mean(share));
        assert!(rush.jammed > 0.4 && free_share(&rush) < free_share(&unseen()), "{rush:?}");
        assert!(night.jammed <= 0.1 + 1e-9 && free_share(&night) > free_share(&unseen()), "{night:?}");
    }

    proptest! {
        #[test]
        fn of_two_usual_speeds_the_slower_makes_the_slower_link(share in 0.02f64..1.1, more in 0.0f64..0.3) {
            let mean = |regimes: &Regimes| {
                (1.0 - regimes.jammed) * (-regimes.free.y).exp() + regimes.jammed * (-regimes.jam.y).exp()
            };
            let (slow, fast) = (unseen().with_mean(share), unseen().with_mean(share + more));
            prop_assert!(slow.is_finite() && slow.free.y >= fast.free.y && slow.jammed >= fast.jammed - 1e-9);
            if (0.25..0.9).contains(&share) {
                prop_assert!((mean(&slow) - share).abs() < 1e-9, "{} {share}", mean(&slow));
            }
        }

        #[test]
        fn the_gate_leaves_alone_what_either_regime_explains_and_trusts_the_rest_less(y in -4.0f64..6.0, var in 0.001f64..0.5) {
            let before = unseen().and(Belief { y: 0.3, var: 0.01 }, Hidden::Nothing, &unseen());
            let seen = Belief { y, var };
            let gated = before.gated(seen);
            if before.surprise(seen) <= GATE_SD {
                prop_assert_eq!(gated, seen);
            } else {
                prop_assert!(gated.var > var && (before.surprise(gated) - GATE_SD).abs() < 1e-6);
            }
        }

        #[test]
        fn quantiles_are_in_order_and_mean_what_they_say(y in 0.0f64..2.0, p in 0.001f64..0.999) {
            let regimes = Regimes { jammed: p, ..Regimes::unseen(y, 0.12, Jams::default()) };
            let [lo, mid, hi] = [0.9, 0.5, 0.1].map(|q| regimes.quantile(q));
            prop_assert!(lo <= mid && mid <= hi);
            prop_assert!((regimes.above(mid) - 0.5).abs() < 0.01);
        }

        #[test]
        fn slower_evidence_makes_a_slower_link(z in 0.0f64..2.5, more in 0.1f64..1.0) {
            let see = |y: f64| unseen().and(Belief { y, var: 0.1 }, Hidden::Nothing, &unseen()).quantile(0.5);
            prop_assert!(see(z + more) >= see(z) - 0.01);
        }
    }
}
