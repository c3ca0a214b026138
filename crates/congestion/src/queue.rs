//! Queues: connected congested links, traced to the link that holds them back.
//!
//! A link joins when it is likely to have been congested for some minutes (a red light alone is no queue) and somebody is on
//! it. Where it hangs in the forest of queues says which link holds it back. Each head is one queue, and one event from opening
//! to clearing.

use model::{Timestamp, TrafficEvent};
use serde::{Deserialize, Serialize};

use crate::book::{Book, Found};
use crate::capacity::{self, Capacities};
use crate::cause;
use crate::charge;
use crate::config::LEARN_EVERY_MS;
use crate::explain;
use crate::forest::{Forest, Ground};
use crate::own::Own;
use crate::partition::Context;
use crate::picture::{Picture, Stand};
use crate::set::Set;
use crate::site::Site;
use crate::spillback::{Filled, Spillbacks};

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Queues {
    /// Per link: graph boundary since which it is congested (positive) or free (negative), ms; 0 = never seen.
    since: Vec<i64>,
    /// Per link: whether it is part of a queue.
    member: Vec<bool>,
    book: Book,
    capacities: Capacities,
    spillbacks: Spillbacks,
    /// Links to be judged: something was told of them, or they wait to join or to leave. All others would be judged as before.
    #[serde(skip)]
    due: Set,
    /// Per link that is part of a queue or may become one: as of when it was judged.
    #[serde(skip)]
    stands: Vec<Stand>,
}

/// A link on which there are fewer vehicles on average holds nobody back.
const LEAST_VEHICLES: f64 = 0.5;

impl Queues {
    pub(crate) fn new(links: usize) -> Self {
        Self {
            since: vec![0; links],
            member: vec![false; links],
            book: Book::default(),
            capacities: Capacities::new(links),
            spillbacks: Spillbacks::default(),
            due: Set::default(),
            stands: Vec::new(),
        }
    }

    /// Notes that something was told of a link: what is believed or counted there, or the probability of a jam, may be another.
    pub(crate) fn judge_again(&mut self, link: usize) {
        self.due.add(link);
    }

    /// Takes a boundary.
    pub(crate) fn step(
        &mut self,
        at: Timestamp,
        picture: &Picture<'_>,
        context: &Context<'_>,
        events: &mut Vec<TrafficEvent>,
    ) {
        if at.as_millis() % LEARN_EVERY_MS == 0 {
            let bar = context.config.queue.probability;
            let discharges = |link: usize| {
                picture.congested[link] >= bar && cause::runs_into_jams(link as u32, picture) <= 0.5
            };
            self.capacities.learn(picture.own, discharges);
        }
        self.judge_members(at, picture, context);
        let forest = self.forest(picture, context);
        let found = self.find(&forest, picture, context);
        let mut told = vec![false; forest.links.len()];
        found.iter().for_each(|queue| told[forest.place(queue.head)] = true);
        self.book.step(at, found, context, events);
        let filled = filled(&forest, &self.stands, &told, picture);
        self.spillbacks.step(at, filled, context, events);
    }

    /// Returns what a link can pass.
    pub(crate) fn capacity_of(&self, link: usize, own: &Own, site: &Site) -> explain::Capacity {
        let passed = self.capacities.of(link);
        explain::Capacity {
            pcuph: passed.capacity_pcuph(site),
            by_width_pcuph: capacity::by_width_pcuph(site),
            queue_minutes: passed.queue_minutes(),
            used: passed.used(own, site).map(|used| used.of_capacity),
        }
    }

    /// Returns the open queues.
    pub(crate) fn book(&self) -> &Book {
        &self.book
    }

    fn judge_members(&mut self, at: Timestamp, picture: &Picture<'_>, context: &Context<'_>) {
        self.stands.resize(self.since.len(), Stand::UNKNOWN);
        let (mut due, mut waiting) = (std::mem::take(&mut self.due), Vec::new());
        due.take_each(|link| {
            if self.judge(link, at, picture, context) {
                waiting.push(link);
            }
        });
        waiting.into_iter().for_each(|link| due.add(link));
        self.due = due;
    }

    /// Judges whether a link is part of a queue; tells whether it has to wait to join or to leave.
    fn judge(&mut self, link: usize, at: Timestamp, picture: &Picture<'_>, context: &Context<'_>) -> bool {
        let (config, site) = (&context.config.queue, &context.sites[link]);
        let (probability, member) = (picture.congested[link], self.member[link]);
        // Most links are free, and stay so.
        if !member && probability < config.probability && self.since[link] < 0 {
            return false;
        }
        if member || probability >= config.probability {
            self.stands[link] = picture.stand(link as u32, &self.capacities, context);
        }
        let slack = if member { config.hysteresis_probability } else { 0.0 };
        let congested = site.owned
            && probability >= config.probability - slack
            && self.stands[link].vehicles >= LEAST_VEHICLES;
        let (now, since) = (at.as_millis().max(1), &mut self.since[link]);
        if *since == 0 || congested != (*since > 0) {
            *since = if congested { now } else { -now };
        }
        let lasted_s = (now - since.abs()) as f64 / 1000.0;
        let after_s = if congested { config.join_after_s } else { config.leave_after_s };
        if congested != member && lasted_s >= after_s {
            self.member[link] = congested;
        }
        congested != member
    }

    fn forest(&self, picture: &Picture<'_>, context: &Context<'_>) -> Forest {
        let config = &context.config.queue;
        let ground = Ground {
            turns: picture.turns,
            member: &self.member,
            probability: picture.congested,
            onset: &self.since,
            y: &|link| self.stands[link as usize].y,
            least_share: config.least_turn_share,
            tolerance_ms: (config.onset_tolerance_s * 1000.0) as i64,
        };
        ground.forest()
    }

    fn find<'a>(&self, forest: &'a Forest, picture: &Picture<'_>, context: &Context<'_>) -> Vec<Found<'a>> {
        let stand = |link: &u32| &self.stands[*link as usize];
        let charged = charge::charged(forest, forest.links.iter().map(|link| stand(link).lost).collect());
        let mut found = Vec::new();
        for (place, links) in forest.trees() {
            let length_m = links.iter().map(|link| stand(link).length_m).sum();
            // Nobody is called out for a queue that no sensor sees any link of.
            let is_seen = links.iter().any(|link| picture.seen[*link as usize]);
            if !is_seen || links.len() < 2 && length_m < context.config.queue.min_length_m {
                continue;
            }
            let known = links.iter().any(|link| stand(link).flows);
            let (delay, head) = (charged[place], forest.links[place]);
            found.push(Found {
                head,
                links,
                length_m,
                delay_rate: Some(delay).filter(|delay| known || delay.vehicles > 0.0),
                kind: cause::of(head, stand(&head).alone, picture),
                probability: picture.congested[head as usize],
            });
        }
        found
    }
}

/// Yields how full the links of queues are, in the order of links. `told`: by place, whether the link is the head of one.
fn filled(
    forest: &Forest,
    stands: &[Stand],
    told: &[bool],
    picture: &Picture<'_>,
) -> impl Iterator<Item = Filled> {
    let of_queues = forest.links.iter().zip(&forest.heads).filter(|(_, head)| told[**head as usize]);
    of_queues.map(|(&link, &head)| {
        let stand = &stands[link as usize];
        Filled {
            link,
            head: forest.links[head as usize],
            share: stand.filled,
            discharge: stand.discharge,
            probability: picture.congested[link as usize],
        }
    })
}
