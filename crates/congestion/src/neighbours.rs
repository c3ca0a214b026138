//! Links without counting sensors: what their neighbours and the conservation of vehicles say.
//!
//! Jams: the probability of a jam departs from the usual as it does on the neighbours over the turns, but less: by a factor that
//! is learned from those pairs of neighbours that are both measured (it is near 0 where signals hold vehicles back, and
//! higher where jams spread). Swept in the order of links, warm-started from the boundary before.
//!
//! How fast they run when they are free: `field`.
//!
//! Flow: what leaves the links before it enters it, split by lanes; what enters the links behind it comes from it, split
//! likewise. A side counts for more the fewer of its vehicles turn off to other links or come from them.

use roadnet::{LinkIndex, Network};
use serde::{Deserialize, Serialize};

use crate::shown::Shown;
use crate::turns::{Next, Turns};

/// How much of its neighbours' departure from the typical a link shares.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct Coupling {
    products: f64,
    /// Of the neighbours' mean, and of the link itself.
    squares: f64,
    own_squares: f64,
    /// What the guess is worth.
    prior: f64,
}

/// Tells for each link whether evidence reaches it: it is heard of itself, or is a few turns from one that is.
pub(crate) fn reached(network: &Network, heard: impl Fn(LinkIndex) -> bool) -> Vec<bool> {
    /// Turns that a guess is carried. In a city with a sensor on every fifth link nearly all are within three of one;
    /// farther away the coupling of neighbours (below one half a turn) has left nothing of what was seen.
    const TURNS: usize = 6;
    let mut edge: Vec<LinkIndex> = network.indices().filter(|&link| heard(link)).collect();
    let mut reached = vec![false; network.links().len()];
    edge.iter().for_each(|link| reached[link.index()] = true);
    for _ in 0..TURNS {
        let mut next_edge = Vec::new();
        for &link in &edge {
            for &next in network.downstream(link).iter().chain(network.upstream(link)) {
                if !std::mem::replace(&mut reached[next.index()], true) {
                    next_edge.push(next);
                }
            }
        }
        edge = next_edge;
    }
    reached
}

impl Coupling {
    /// Before anything is learned: a share of 0.3, worth that sum of squared departures.
    pub(crate) fn guessed(worth: f64) -> Self {
        Self { products: 0.3 * worth, squares: worth, own_squares: worth, prior: worth }
    }

    pub(crate) fn share(self) -> f64 {
        (self.products / self.squares).clamp(0.0, 0.9)
    }

    /// Returns the part of the variance of departures that neighbours do not explain.
    pub(crate) fn unexplained(self) -> f64 {
        let share = self.share();
        let left = self.own_squares - 2.0 * share * self.products + share * share * self.squares;
        (left / self.own_squares).clamp(0.05, 1.0)
    }

    /// Takes what measured links and their measured neighbours depart by; to be called about once a minute.
    pub(crate) fn learn(
        &mut self,
        network: &Network,
        turns: &Turns,
        departure: impl Fn(LinkIndex) -> f64,
        measured: impl Fn(LinkIndex) -> bool,
    ) {
        /// Half of it is forgotten in two hours: how jams spread changes with the time of day.
        const KEPT: f64 = 0.994;
        let prior = Self::guessed(self.prior);
        self.products = prior.products + KEPT * (self.products - prior.products);
        self.squares = prior.squares + KEPT * (self.squares - prior.squares);
        self.own_squares = prior.own_squares + KEPT * (self.own_squares - prior.own_squares);
        for link in network.indices().filter(|link| measured(*link)) {
            let known = turns_around(turns, link).filter(|(next, _)| measured(*next));
            let add = |(sum, all), (next, share)| (sum + share * departure(next), all + share);
            let (sum, all) = known.fold((0.0, 0.0), add);
            if all > 0.0 {
                let (around, own) = (sum / all, departure(link));
                self.products += around * own;
                self.squares += around * around;
                self.own_squares += own * own;
            }
        }
    }
}

/// Yields the links that a link's traffic goes on to and comes from, with the share of it.
fn turns_around(turns: &Turns, link: LinkIndex) -> impl Iterator<Item = (LinkIndex, f64)> {
    turns.around(link).iter().filter(move |next| next.link != link).map(|next| (next.link, next.share()))
}

/// What the links around a link show, summed up by their shares.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Around {
    pub(crate) shares: f64,
    departure: f64,
    /// Of the free regime.
    pub(crate) y: f64,
    /// Of the free regime, by the squares of their shares.
    pub(crate) var: f64,
}

impl Around {
    pub(crate) fn of(turns: &Turns, link: LinkIndex, shown: &[Shown]) -> Self {
        let mut sums = Self::default();
        for (next, share) in turns_around(turns, link) {
            let Shown { departure, free, .. } = shown[next.index()];
            sums.shares += share;
            sums.departure += share * departure;
            sums.y += share * free.y;
            sums.var += share * share * free.var;
        }
        sums
    }

    /// Returns by how much more than usual the link is likely to be jammed.
    pub(crate) fn departure(&self, coupling: Coupling) -> f64 {
        if self.shares > 0.0 { coupling.share() * (self.departure / self.shares) } else { 0.0 }
    }
}

/// What the links on one side of a link say of its flow.
#[derive(Clone, Copy, Default)]
struct Side {
    vph: f64,
    /// The share of the link's vehicles that comes from links whose flow is known, or goes to such.
    known: f64,
    /// The share of those links' vehicles that has nothing to do with the link, each counting by its part of `known`.
    others: f64,
}

impl Side {
    fn of(links: &[Next], shown: &[Shown]) -> Self {
        let mut side = Self::default();
        let flows = links.iter().map(|next| (next, shown[next.link.index()].flow_vph));
        for (next, flow_vph) in flows.filter(|(_, flow_vph)| !flow_vph.is_nan()) {
            side.vph += flow_vph * next.mine();
            side.known += next.share();
            side.others += next.share() * (1.0 - next.mine());
        }
        side
    }

    /// A side whose vehicles all are the link's counts them; where most are others, all rests on the turn shares.
    fn weight(&self) -> f64 {
        /// What makes even a pure side wrong: vehicles that begin or end their way on the link, as a share of others.
        const NEVER_PURE: f64 = 0.3;
        1.0 / (NEVER_PURE + self.others / self.known.max(f64::MIN_POSITIVE))
    }
}

/// Returns the flow of a link from those around it, veh/h; `None` when nothing is known of them.
pub(crate) fn flow(turns: &Turns, link: LinkIndex, shown: &[Shown]) -> Option<f64> {
    let (into, out) = (Side::of(turns.before(link), shown), Side::of(turns.after(link), shown));
    // Those that are not known bring as much as those that are, so a side is scaled up by the share that is known of it; and it
    // counts by that share. The two cancel.
    let sum = |of: fn(&Side) -> f64| into.weight() * of(&into) + out.weight() * of(&out);
    let known_share = sum(|side| side.known);
    (known_share > 0.0).then(|| sum(|side| side.vph) / known_share)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::streets::{link, streets};

    /// A street to the east in three pieces, and one that leaves it to the north after the first.
    fn street_with_a_branch() -> Network {
        streets(&[((0, 0), (3, 0)), ((3, 0), (6, 0)), ((6, 0), (9, 0)), ((3, 0), (3, 3))])
    }

    fn shown(flow_vph: &[f64; 4]) -> [Shown; 4] {
        flow_vph.map(|flow_vph| Shown { flow_vph, ..Shown::NOTHING })
    }

    fn estimate(of: u32, flow_vph: &[f64; 4]) -> f64 {
        let network = street_with_a_branch();
        flow(&Turns::new(&network), link(of), &shown(flow_vph)).unwrap()
    }

    #[test]
    fn who_leaves_through_a_junction_has_come_to_it() {
        let flow_vph = estimate(0, &[f64::NAN, 600.0, 600.0, 250.0]);
        assert!((flow_vph - 850.0).abs() < 1e-3, "{flow_vph}");
    }

    #[test]
    fn the_side_that_all_of_a_link_pass_says_more_of_it_than_the_one_where_others_turn_off() {
        // Behind the branch, five in six of 1,200 are expected, and 400 are counted a little later.
        let flow_vph = estimate(1, &[1200.0, f64::NAN, 400.0, f64::NAN]);
        assert!((450.0..650.0).contains(&flow_vph), "{flow_vph}");
    }

    #[test]
    fn where_nothing_is_known_around_nothing_is_said() {
        let network = street_with_a_branch();
        assert_eq!(flow(&Turns::new(&network), link(1), &[Shown::NOTHING; 4]), None);
    }

    proptest! {
        #[test]
        fn counts_that_agree_with_the_turns_are_met(a_vph in 1.0f64..4000.0) {
            let network = street_with_a_branch();
            let turns = Turns::new(&network);
            let on_vph = a_vph * turns.share(link(0), link(1));
            let flow_vph = flow(&turns, link(1), &shown(&[a_vph, f64::NAN, on_vph, a_vph - on_vph])).unwrap();
            prop_assert!((flow_vph - on_vph).abs() < 1e-3 * a_vph);
        }

        #[test]
        fn more_vehicles_around_never_make_fewer_on_a_link(
            vph in proptest::array::uniform4(0.0f64..4000.0), of in 0u32..4, more in 0usize..4, by in 0.0f64..1000.0,
        ) {
            let mut after = vph;
            after[more] += by;
            prop_assert!(estimate(of, &after) >= estimate(of, &vph));
        }
    }
}
