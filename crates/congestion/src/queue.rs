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
use crate::charge::{self, Delay};
use crate::config::LEARN_EVERY_MS;
use crate::explain;
use crate::forest::{Forest, Ground};
use crate::graph::Mix;
use crate::own::Own;
use crate::partition::Context;
use crate::regime::Regimes;
use crate::site::Site;
use crate::spillback::{Filled, Spillbacks};
use crate::standing;
use crate::turns::Turns;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Queues {
    /// Per link: graph boundary since which it is congested (positive) or free (negative), ms; 0 = never seen.
    since: Vec<i64>,
    /// Per link: whether it is part of a queue.
    member: Vec<bool>,
    book: Book,
    capacities: Capacities,
    spillbacks: Spillbacks,
}

/// A link on which there are fewer vehicles on average holds nobody back.
const LEAST_VEHICLES: f64 = 0.5;

/// What is known of all links at one boundary.
pub(crate) struct Picture<'a> {
    pub(crate) belief: &'a [Regimes],
    pub(crate) flow_vph: &'a [f64],
    pub(crate) own: &'a [Own],
    /// Of those on links where nobody counts.
    pub(crate) mix: Mix,
    /// Probability that the link is congested.
    pub(crate) congested: &'a [f64],
    /// Whether the link's own sensors said anything in the last lateness.
    pub(crate) seen: &'a [bool],
    pub(crate) turns: &'a Turns,
}

impl Queues {
    pub(crate) fn new(links: usize) -> Self {
        Self {
            since: vec![0; links],
            member: vec![false; links],
            book: Book::default(),
            capacities: Capacities::new(links),
            spillbacks: Spillbacks::default(),
        }
    }

    /// Takes a boundary. `y`: by link, the middle of what is believed as far as it is known from before, NaN elsewhere.
    pub(crate) fn step(
        &mut self,
        at: Timestamp,
        picture: &Picture<'_>,
        y: &mut [f64],
        context: &Context<'_>,
        events: &mut Vec<TrafficEvent>,
    ) {
        let Picture { belief, congested: probability, .. } = *picture;
        // Asked of members of queues and of those that may become one.
        let least = context.config.queue.probability;
        for (link, y) in y.iter_mut().enumerate() {
            if y.is_nan() && (self.member[link] || probability[link] >= least) {
                *y = belief[link].quantile(0.5);
            }
        }
        if at.as_millis() % LEARN_EVERY_MS == 0 {
            let bar = context.config.queue.probability;
            let discharges = |link: usize| {
                picture.congested[link] >= bar && cause::runs_into_jams(link as u32, picture, context) <= 0.5
            };
            self.capacities.learn(picture.own, discharges);
        }
        self.judge_members(at, probability, y, picture, context);
        let forest = self.forest(probability, y, picture, context);
        let stands: Vec<Stand> =
            forest.links.iter().map(|&link| picture.stand(link, y[link as usize], context)).collect();
        let found = self.find(&forest, &stands, y, picture, context);
        let filled = filled(&forest, &stands, &found, picture, context);
        self.book.step(at, found, context, events);
        self.spillbacks.step(at, &filled, context, events);
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

    fn judge_members(
        &mut self,
        at: Timestamp,
        probability: &[f64],
        y: &[f64],
        picture: &Picture<'_>,
        context: &Context<'_>,
    ) {
        let config = &context.config.queue;
        let now = at.as_millis().max(1);
        for (link, &probability) in probability.iter().enumerate() {
            // Most links are free, and stay so.
            if self.since[link] < 0 && !self.member[link] && probability < config.probability {
                continue;
            }
            let site = &context.sites[link];
            let bar = if self.member[link] {
                config.probability - config.hysteresis_probability
            } else {
                config.probability
            };
            let congested =
                site.owned && probability >= bar && picture.vehicles(link, y[link], site) >= LEAST_VEHICLES;
            let since = &mut self.since[link];
            if *since == 0 || congested != (*since > 0) {
                *since = if congested { now } else { -now };
            }
            let lasted_s = (now - since.abs()) as f64 / 1000.0;
            match (self.member[link], congested) {
                (false, true) if lasted_s >= config.join_after_s => self.member[link] = true,
                (true, false) if lasted_s >= config.leave_after_s => self.member[link] = false,
                _ => {}
            }
        }
    }

    fn forest(&self, probability: &[f64], y: &[f64], picture: &Picture<'_>, context: &Context<'_>) -> Forest {
        let config = &context.config.queue;
        let ground = Ground {
            network: context.network,
            turns: picture.turns,
            member: &self.member,
            probability,
            onset: &self.since,
            y,
            least_share: config.least_turn_share,
            tolerance_ms: (config.onset_tolerance_s * 1000.0) as i64,
        };
        ground.forest()
    }

    fn find(
        &self,
        forest: &Forest,
        stands: &[Stand],
        y: &[f64],
        picture: &Picture<'_>,
        context: &Context<'_>,
    ) -> Vec<Found> {
        let charged = charge::charged(forest, stands.iter().map(|stand| stand.lost).collect());
        let mut found = Vec::new();
        for (head, places) in forest.trees() {
            let length_m = places.iter().map(|&place| stands[place as usize].length_m).sum();
            let link = |place: u32| forest.links[place as usize];
            // Nobody is called out for a queue that no sensor sees any link of.
            let is_seen = places.iter().any(|&place| picture.seen[link(place) as usize]);
            if !is_seen || places.len() < 2 && length_m < context.config.queue.min_length_m {
                continue;
            }
            let known = places.iter().any(|&place| stands[place as usize].flows);
            let (delay, head) = (charged[head], forest.links[head]);
            let links: Vec<u32> = places.iter().map(|&place| link(place)).collect();
            found.push(Found {
                head,
                tail: tail(head, &links, context),
                links,
                length_m,
                delay_rate: Some(delay).filter(|delay| known || delay.vehicles > 0.0),
                kind: cause::of(head, y[head as usize], &self.capacities, picture, context),
                probability: picture.congested[head as usize],
            });
        }
        found
    }
}

/// What is known of those who stand on a link of a queue.
struct Stand {
    /// The standing queue, m; NaN where no flow is known.
    standing_m: f64,
    /// What the link adds to the length of its queue, m.
    length_m: f64,
    /// By how much the standing queue can become shorter, m/s.
    discharge_mps: f64,
    lost: Delay,
    flows: bool,
}

impl Picture<'_> {
    /// Returns how many vehicles are on a link, on average.
    fn vehicles(&self, link: usize, y: f64, site: &Site) -> f64 {
        /// Where nobody passes any more, somebody stands: as if one came every two minutes.
        const LEAST_FLOW_VPH: f64 = 30.0;
        // `max` keeps a number over NaN.
        let flow_vph = self.flow_vph[link].max(LEAST_FLOW_VPH);
        flow_vph * y.exp() / site.free_kmh * site.length_m / 1000.0
    }

    /// Returns what is known of those who stand on a link. `y`: the middle of what is believed.
    fn stand(&self, link: u32, y: f64, context: &Context<'_>) -> Stand {
        let (place, site, share) = (link as usize, &context.sites[link as usize], (-y).exp());
        // What its own sensors say; where they don't count, with the flow that was estimated.
        let estimated;
        let own = if self.own[place].counts() {
            &self.own[place]
        } else {
            let flow_vph = self.flow_vph[place];
            let (flow_pcuph, flow_mcuph) = (flow_vph * self.mix.pcu, flow_vph * self.mix.mcu);
            estimated = Own { flow_vph, flow_pcuph, flow_mcuph, ..self.own[place] };
            &estimated
        };
        let standing_m = standing::queue_m(own, share, site);
        Stand {
            standing_m,
            length_m: if standing_m.is_nan() { site.length_m * (1.0 - share).max(0.0) } else { standing_m },
            discharge_mps: standing::discharge_mps(own, site),
            lost: self.lost(place, share, site),
            flows: !self.flow_vph[place].is_nan(),
        }
    }

    /// Returns what is lost on a link, h per h: those on it times the share of their time that they lose, n (1 - v / v_free). Nothing
    /// where no flow is known.
    fn lost(&self, link: usize, share: f64, site: &Site) -> Delay {
        let flow_vph = self.flow_vph[link];
        if flow_vph.is_nan() {
            return Delay::default();
        }
        let stored = flow_vph / (share * site.free_kmh) * site.length_m / 1000.0;
        let of_base_free_flow = share * site.free_kmh / self.own[link].free_kmh(site);
        let vehicles = stored * (1.0 - of_base_free_flow).max(0.0);
        Delay { vehicles, persons: vehicles * self.persons(link) }
    }

    /// Returns how many sit in an average vehicle of a link.
    fn persons(&self, link: usize) -> f64 {
        let own = &self.own[link];
        if own.flow_vph > 0.0 { own.flow_personph / own.flow_vph } else { self.mix.persons }
    }
}

/// Returns how full the links of queues are, in the order of links.
fn filled(
    forest: &Forest,
    stands: &[Stand],
    found: &[Found],
    picture: &Picture<'_>,
    context: &Context<'_>,
) -> Vec<Filled> {
    let mut told = vec![false; context.sites.len()];
    found.iter().for_each(|queue| told[queue.head as usize] = true);
    let by_place = forest.links.iter().zip(&forest.heads).zip(stands);
    let head = |place: u32| forest.links[place as usize];
    by_place
        .filter(|((_, place), _)| told[head(**place) as usize])
        .map(|((&link, &place), stand)| {
            let length_m = context.sites[link as usize].length_m;
            Filled {
                link,
                head: head(place),
                share: stand.standing_m / length_m,
                discharge: stand.discharge_mps / length_m,
                probability: picture.congested[link as usize],
            }
        })
        .collect()
}

/// Returns the link of a queue that begins furthest from its head.
fn tail(head: u32, links: &[u32], context: &Context<'_>) -> u32 {
    let mut tail = (f64::MIN, head);
    for &link in links {
        let far = distance(head, link, context);
        if far > tail.0 {
            tail = (far, link);
        }
    }
    tail.1
}

/// Squared distance between the starts of two links, in degrees: only compared.
fn distance(a: u32, b: u32, context: &Context<'_>) -> f64 {
    let start = |link: u32| context.network.geometry(roadnet::LinkIndex(link))[0];
    let (a, b) = (start(a), start(b));
    (a.lon - b.lon).powi(2) + (a.lat - b.lat).powi(2)
}
