//! What is believed of each link: of those that count from their own sensors, of the others from those around them.

use std::hint::black_box;
use std::iter::successors;

use model::Timestamp;
use roadnet::LinkIndex;

use super::{Graph, Mix, Stage};
use crate::config::LEARN_EVERY_MS;
use crate::neighbours;
use crate::own::Own;
use crate::partition::{AT_ONCE, Context};
use crate::regime::Regimes;

/// Sweeps per graph boundary; warm-started, so that a change has spread by two links at once and on at each boundary.
const SWEEPS: usize = 2;

impl Graph {
    pub(super) fn spread(&mut self, at: Timestamp, context: &Context<'_>) {
        let learns = at.as_millis() % LEARN_EVERY_MS == 0;
        self.reach(at, context);
        self.each_due(Self::fetch_own, |graph, link| {
            if graph.work.counts(link) && graph.reached[link] {
                graph.take_own(link, context);
            }
        });
        if learns {
            self.learn(context);
            self.work.all_again();
        }
        self.each_due(
            |_, _| (),
            |graph, link| {
                if !graph.is_reached(link) {
                    graph.forget(link);
                }
            },
        );
        for _ in 0..SWEEPS {
            self.each_due(Self::fetch_around, |graph, link| {
                graph.work.done(link);
                if !graph.work.counts(link) {
                    graph.estimate(LinkIndex(link as u32), context);
                }
            });
        }
        if learns || self.mix == Mix::UNKNOWN {
            self.learn_mix();
            self.work.tell_all();
        }
    }

    /// Calls `each` with each link that is to be estimated again, in their order; with those too that become so further on.
    ///
    /// `fetch`: reads a little of what a link asks for, for nothing but to have it in the cache. It is called with some links at once, so that
    /// the misses of the cache overlap.
    fn each_due(&mut self, fetch: impl Fn(&Self, usize), each: impl Fn(&mut Self, usize)) {
        let (mut from, mut fetched) = (0, 0);
        while let Some(link) = self.work.due_from(from) {
            if link >= fetched {
                let next = successors(Some(link), |link| self.work.due_from(link + 1));
                next.take(AT_ONCE).for_each(|link| {
                    fetch(self, link);
                    fetched = link + 1;
                });
            }
            each(self, link);
            from = link + 1;
        }
    }

    fn fetch_own(&self, link: usize) {
        if self.work.counts(link) {
            let own = &self.own[link];
            black_box((own.belief.free.y, own.flow_vph, self.shown[link].flow_vph));
            self.fetch_belief(link);
        }
    }

    fn fetch_around(&self, link: usize) {
        if !self.work.counts(link) {
            self.fetch_belief(link);
            let around = self.turns.around(LinkIndex(link as u32)).iter();
            black_box(around.map(|next| self.shown[next.link.index()].departure).sum::<f64>());
        }
    }

    fn fetch_belief(&self, link: usize) {
        let (rest, belief) = (&self.rest[link], &self.belief[link]);
        black_box((rest.free.y, rest.jammed, belief.free.y, belief.jammed, self.forecasts.usual_share(link)));
    }

    /// Takes what a link's own sensors make one believe of it.
    fn take_own(&mut self, link: usize, context: &Context<'_>) {
        let Own { belief, flow_vph, .. } = self.own[link];
        let usual = self.weekly(link, context).unwrap_or(self.rest[link]);
        self.pairs.note(link as u32, belief);
        self.believe(link, belief, &usual, flow_vph);
        self.work.done(link);
    }

    /// Forgets what was estimated from evidence that is gone: it must not echo between neighbours.
    fn forget(&mut self, link: usize) {
        let rest = self.rest[link];
        self.believe(link, rest, &rest, f64::NAN);
        self.work.done(link);
    }

    /// Estimates a link that nothing counts on from its neighbours and its probes.
    fn estimate(&mut self, link: LinkIndex, context: &Context<'_>) {
        let place = link.index();
        let (mut usual, mut unaided) = (self.belief[place], self.belief[place]);
        let belief = self.estimated(link, context, |stage, belief| {
            if stage <= Stage::Week {
                usual = belief;
            }
            if stage < Stage::TravelTimes {
                unaided = belief;
            }
        });
        self.pairs.note(link.0, unaided);
        let flow_vph = neighbours::flow(&self.turns, link, &self.shown).unwrap_or(self.shown[place].flow_vph);
        self.believe(place, belief, &usual, flow_vph);
    }

    /// Takes what is to be believed of a link.
    fn believe(&mut self, link: usize, belief: Regimes, usual: &Regimes, flow_vph: f64) {
        let seen_around = self.shown[link].take(&belief, usual, flow_vph);
        if seen_around {
            self.work.seen_from(self.turns.around(LinkIndex(link as u32)));
        }
        if seen_around || belief != self.belief[link] {
            self.work.believed(link);
        }
        self.belief[link] = belief;
    }

    /// Learns from a minute how links go together.
    fn learn(&mut self, context: &Context<'_>) {
        let (network, own, shown) = (context.network, &self.own, &self.shown);
        let counts = |link: LinkIndex| own[link.index()].counts();
        if context.config.parts.turn_fitting {
            self.turns.fit(network, |link| shown[link].flow_vph, |link| own[link].counts());
        }
        let departure = |link: LinkIndex| shown[link.index()].departure;
        self.coupling.learn(network, &self.turns, departure, counts);
        self.field.learn(network, &self.turns, shown, counts);
        if context.config.parts.smoothing {
            let edge = -context.config.congested_share.ln();
            self.smoothing.step(network, context.sites, own, edge);
        }
    }

    fn learn_mix(&mut self) {
        let mut sums = [0.0; 4];
        for own in self.own.iter().filter(|own| own.counts()) {
            let flows = [own.flow_vph, own.flow_pcuph, own.flow_mcuph, own.flow_personph];
            sums.iter_mut().zip(flows).for_each(|(sum, flow)| *sum += flow);
        }
        let [n, pcu, mcu, persons] = sums;
        if n > 0.0 {
            self.mix = Mix { pcu: pcu / n, mcu: mcu / n, persons: persons / n };
        }
    }
}
