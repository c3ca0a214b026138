//! Links without counting sensors: what their neighbours and the conservation of vehicles say.
//!
//! Jams: the probability of a jam departs from the usual as it does on the neighbours over the turns, but less: by a factor that
//! is learned from those pairs of neighbours that are both measured (it is near 0 where signals hold vehicles back, and
//! higher where jams spread). Swept in the order of links, warm-started from the boundary before.
//!
//! Flow: what leaves the links before it enters it, split by lanes; what enters the links behind it comes from it, split
//! likewise; the mean of the two.

use roadnet::{LinkIndex, Network};
use serde::{Deserialize, Serialize};

use crate::turns::Turns;

/// How much of its neighbours' departure from the typical a link shares.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct Coupling {
    products: f64,
    squares: f64,
}

impl Default for Coupling {
    fn default() -> Self {
        // Before anything is learned: a share of 0.3, worth a few dozen jammed pairs.
        Self { products: 0.3 * 10.0, squares: 10.0 }
    }
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
    pub(crate) fn share(self) -> f64 {
        (self.products / self.squares).clamp(0.0, 0.9)
    }

    /// Takes what measured links and their measured neighbours depart by; to be called about once a minute.
    pub(crate) fn learn(
        &mut self,
        network: &Network,
        turns: &Turns,
        departure: &[f64],
        measured: impl Fn(LinkIndex) -> bool,
    ) {
        /// Half of it is forgotten in two hours: how jams spread changes with the time of day.
        const KEPT: f64 = 0.994;
        let prior = Self::default();
        self.products = prior.products + KEPT * (self.products - prior.products);
        self.squares = prior.squares + KEPT * (self.squares - prior.squares);
        for link in network.indices().filter(|link| measured(*link)) {
            if let Some(around) = mean_around(network, turns, link, departure, &measured) {
                self.products += around * departure[link.index()];
                self.squares += around * around;
            }
        }
    }
}

fn mean_around(
    network: &Network,
    turns: &Turns,
    link: LinkIndex,
    departure: &[f64],
    counts: impl Fn(LinkIndex) -> bool,
) -> Option<f64> {
    let after = network.downstream(link).iter().zip(turns.of(link));
    let (sum, weight) = after
        .chain(network.upstream(link).iter().zip(turns.brought(link)))
        .filter(|(next, _)| **next != link && counts(**next))
        .map(|(next, share)| (next.index(), f64::from(*share)))
        .fold((0.0, 0.0), |(sum, all), (next, share)| (sum + share * departure[next], all + share));
    (weight > 0.0).then(|| sum / weight)
}

/// Returns by how much more than usual a link is likely to be jammed, going by its neighbours.
pub(crate) fn around(
    network: &Network,
    turns: &Turns,
    link: LinkIndex,
    departure: &[f64],
    coupling: Coupling,
) -> f64 {
    coupling.share() * mean_around(network, turns, link, departure, |_| true).unwrap_or(0.0)
}

/// Returns the flow of a link from those around it, veh/h; `None` when nothing is known of them.
pub(crate) fn flow(network: &Network, turns: &Turns, link: LinkIndex, flow_vph: &[f64]) -> Option<f64> {
    let known = |of: &LinkIndex| Some(flow_vph[of.index()]).filter(|flow_vph| !flow_vph.is_nan());
    let (mut into, mut out) = ((0.0, 0.0), (0.0, 0.0));
    for (from, brought) in network.upstream(link).iter().zip(turns.brought(link)) {
        if let Some(flow_vph) = known(from) {
            into = (into.0 + flow_vph * turns.share(network, *from, link), into.1 + f64::from(*brought));
        }
    }
    for (to, share) in network.downstream(link).iter().zip(turns.of(link)) {
        if let Some(flow_vph) = known(to) {
            let place = network.upstream(*to).iter().position(|from| *from == link);
            let mine = place.map_or(0.0, |place| f64::from(turns.brought(*to)[place]));
            out = (out.0 + flow_vph * mine, out.1 + f64::from(*share));
        }
    }
    // Those that are not known bring as much as those that are, so a side is scaled up by the share that is known of it; and it
    // counts by that share. The two cancel.
    let known_share = into.1 + out.1;
    (known_share > 0.0).then(|| (into.0 + out.0) / known_share)
}
