//! What explanations ask of the graph stage.

use roadnet::{LinkIndex, Network};

use super::Graph;
use crate::explain;
use crate::own::Own;
use crate::partition::Context;
use crate::regime::Regimes;
use crate::site::Site;
use crate::turns::Next;

impl Graph {
    /// Returns what is believed and known of a link that nothing counts on; nothing where no evidence reaches.
    pub(crate) fn known(&self, link: LinkIndex, context: &Context<'_>) -> Option<(Regimes, Own)> {
        let place = link.index();
        self.is_reached(place).then(|| (self.belief[place], self.filled_in(self.at, place, context).0))
    }

    /// Returns the links around one that nothing counts on: from them its jams and its flow are guessed.
    pub(crate) fn around(&self, link: LinkIndex, context: &Context<'_>) -> Vec<explain::Neighbour> {
        if self.known(link, context).is_none() || self.own[link.index()].counts() {
            return Vec::new();
        }
        let before = self.turns.before(link).iter().map(|next| (next, true));
        let after = self.turns.after(link).iter().map(|next| (next, false));
        let turns = || before.clone().chain(after.clone()).filter(|(next, _)| next.link != link);
        let all: f64 = turns().map(|(next, _)| next.share()).sum();
        let neighbour = |(next, before): (&Next, bool)| explain::Neighbour {
            link: context.network.link(next.link).id.clone(),
            before,
            turn_share: next.share(),
            weight: next.share() / all,
            jammed: self.belief[next.link.index()].jammed,
            flow_vph: Some(self.shown[next.link.index()].flow_vph).filter(|flow_vph| !flow_vph.is_nan()),
        };
        turns().map(neighbour).collect()
    }

    /// Returns what a link can pass.
    pub(crate) fn capacity_of(&self, link: LinkIndex, site: &Site) -> explain::Capacity {
        self.queues.capacity_of(link.index(), &self.own[link.index()], site)
    }

    /// Returns the queue that a link stands in.
    pub(crate) fn queue_of(&self, link: LinkIndex, context: &Context<'_>) -> Option<explain::Queue> {
        let (head, links, length_m, since) = self.queues.book().around(link.0)?;
        Some(explain::Queue {
            head: context.network.links()[head as usize].id.clone(),
            turns_to_head: turns_to(link, LinkIndex(head), links, context.network),
            links: links.len(),
            length_m,
            since,
        })
    }
}

/// Returns the fewest turns from one link to another over those links; as many as there are links where none leads there.
fn turns_to(from: LinkIndex, to: LinkIndex, over: &[u32], network: &Network) -> usize {
    let mut edge = vec![from];
    let mut seen = edge.clone();
    for turns in 0..over.len() {
        if edge.contains(&to) {
            return turns;
        }
        let after = edge.iter().flat_map(|link| network.downstream(*link).iter().copied());
        edge = after.filter(|next| over.contains(&next.0) && !seen.contains(next)).collect();
        seen.extend(&edge);
    }
    over.len()
}
