//! The graph stage: joins the own estimates of all owned partitions as of one boundary, estimates the silent links, and
//! keeps the book of events.

use model::{Source, Timestamp, TrafficEvent};
use serde::{Deserialize, Serialize};

use crate::fusion::Belief;
use crate::level::Level;
use crate::link::Own;
use crate::neighbours;
use crate::partition::{Context, Frozen};
use crate::queue::Queues;
use crate::told::Told;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Graph {
    own: Vec<Own>,
    levels: Vec<Level>,
    /// Log travel-time index of every link.
    y: Vec<f64>,
    /// What was told of the links that do not tell their state themselves.
    told: Vec<Told>,
    queues: Queues,
    faults: crate::events::Faults,
}

/// Sweeps per graph boundary; warm-started, so that a change has spread by three links at once and on at each boundary.
const SWEEPS: usize = 3;

impl Graph {
    pub(crate) fn new(links: usize) -> Self {
        Self {
            own: vec![Own::NOTHING; links],
            levels: vec![Level::default(); links],
            y: vec![0.2; links],
            told: vec![Told::NOTHING; links],
            queues: Queues::new(links),
            faults: crate::events::Faults::default(),
        }
    }

    /// Takes the copies of all partitions, in the order of partitions, for one boundary.
    pub(crate) fn step(
        &mut self,
        at: Timestamp,
        frozen: &[Frozen],
        context: &Context<'_>,
        mut tell: impl FnMut(u32, &Told),
    ) -> Vec<TrafficEvent> {
        let mut events = Vec::new();
        for part in frozen {
            for (link, own) in &part.own {
                self.own[*link as usize] = *own;
            }
        }
        for part in frozen {
            self.faults.take(at, &part.faults, context, &mut events);
        }
        self.spread(context);
        for link in 0..self.own.len() {
            let own = &self.own[link];
            if own.counts() {
                self.told[link] = Told::NOTHING;
                continue;
            }
            let site = &context.sites[link];
            let around = Belief { y: self.y[link], var: 0.25 };
            let source = if own.belief.is_some() { Source::Observed } else { Source::Estimated };
            let belief = own.belief.map_or(around, |b| b.and(around));
            let new = Told::of(at, belief, own, source, &mut self.levels[link], site, context.config);
            let old = std::mem::replace(&mut self.told[link], new);
            if !new.looks_like(&old) {
                tell(link as u32, &new);
            }
        }
        self.queues.step(at, &self.y, &self.own, context, &mut events);
        events
    }

    /// Returns what was last told of a link here.
    pub(crate) fn told(&self, link: u32) -> Told {
        self.told[link as usize]
    }

    fn spread(&mut self, context: &Context<'_>) {
        let own: Vec<Option<Belief>> = self.own.iter().map(|own| own.belief).collect();
        let prior = vec![0.2; own.len()];
        neighbours::spread(context.network, &own, &prior, &mut self.y, SWEEPS);
    }
}
