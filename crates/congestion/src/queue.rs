//! Queues: connected congested links, traced to the link that holds them back.
//!
//! A link joins when it is likely to have been congested for some minutes (a red light alone is no queue) and somebody is on
//! it. Where it hangs in the forest of queues says which link holds it back. Each head is one queue, and one event from opening
//! to clearing.

use model::{EventChange, EventKind, Timestamp, TrafficEvent};
use serde::{Deserialize, Serialize};

use crate::events::{event, link_id};
use crate::forest::{Ground, Tree};
use crate::link::Own;
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
    /// Sorted by head.
    open: Vec<Open>,
    spillbacks: Spillbacks,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Open {
    head: u32,
    opened_at: Timestamp,
    told_at: Timestamp,
    revision: u32,
    links: Vec<u32>,
    told_length_m: f64,
    /// Time lost so far, by those whose flow is known.
    delay_veh_h: Option<f64>,
}

/// One queue as found at one boundary.
struct Found {
    head: u32,
    links: Vec<u32>,
    tail: u32,
    length_m: f64,
    /// veh h / h; `None` where no member's flow is known.
    delay_rate: Option<f64>,
}

/// A link on which there are fewer vehicles on average holds nobody back.
const LEAST_VEHICLES: f64 = 0.5;

/// What is known of all links at one boundary.
pub(crate) struct Picture<'a> {
    pub(crate) belief: &'a [Regimes],
    pub(crate) flow_vph: &'a [f64],
    pub(crate) own: &'a [Own],
    /// PCU and MCU per vehicle where nobody counts.
    pub(crate) mix: (f64, f64),
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
            open: Vec::new(),
            spillbacks: Spillbacks::default(),
        }
    }

    pub(crate) fn step(
        &mut self,
        at: Timestamp,
        picture: &Picture<'_>,
        context: &Context<'_>,
        events: &mut Vec<TrafficEvent>,
    ) {
        let Picture { belief, congested: probability, .. } = *picture;
        // The middle of what is believed; asked of members of queues and of those that may become one.
        let least = context.config.queue.probability;
        let y: Vec<f64> = (0..belief.len())
            .map(|link| {
                if self.member[link] || probability[link] >= least {
                    belief[link].quantile(0.5)
                } else {
                    f64::NAN
                }
            })
            .collect();
        self.judge_members(at, probability, &y, picture, context);
        let found = self.find(probability, &y, picture, context);
        let mut filled: Vec<Filled> =
            found.iter().flat_map(|queue| filled(queue, &y, picture, context)).collect();
        filled.sort_unstable_by_key(|filled| filled.link);
        self.tell(at, found, context, events);
        self.spillbacks.step(at, &filled, context, events);
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
            let site = &context.sites[link];
            let congested = site.owned
                && probability >= config.probability
                && picture.vehicles(link, y[link], site) >= LEAST_VEHICLES;
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

    fn find(
        &self,
        probability: &[f64],
        y: &[f64],
        picture: &Picture<'_>,
        context: &Context<'_>,
    ) -> Vec<Found> {
        let Picture { seen, turns, .. } = *picture;
        let config = &context.config.queue;
        let ground = Ground {
            network: context.network,
            turns,
            member: &self.member,
            probability,
            onset: &self.since,
            y,
            least_share: config.least_turn_share,
            tolerance_ms: (config.onset_tolerance_s * 1000.0) as i64,
        };
        let trees = ground.trees().into_iter();
        let mut found: Vec<Found> = trees.map(|tree| measure(tree, y, picture, context)).collect();
        found.retain(|q| q.links.len() >= 2 || q.length_m >= context.config.queue.min_length_m);
        // Nobody is called out for a queue that no sensor sees any link of.
        found.retain(|q| q.links.iter().any(|&link| seen[link as usize]));
        found
    }

    fn tell(
        &mut self,
        at: Timestamp,
        found: Vec<Found>,
        context: &Context<'_>,
        events: &mut Vec<TrafficEvent>,
    ) {
        let step_h = context.config.graph_boundary_ms as f64 / 3_600_000.0;
        let mut still = Vec::with_capacity(found.len());
        let mut before = std::mem::take(&mut self.open).into_iter().peekable();
        for queue in found {
            while let Some(gone) = before.next_if(|open| open.head < queue.head) {
                events.push(cleared(gone, at, context));
            }
            let mut open = before.next_if(|open| open.head == queue.head).unwrap_or_else(|| Open {
                head: queue.head,
                opened_at: at,
                told_at: at,
                revision: 0,
                links: Vec::new(),
                told_length_m: 0.0,
                delay_veh_h: None,
            });
            if let Some(rate) = queue.delay_rate {
                *open.delay_veh_h.get_or_insert(0.0) += rate * step_h;
            }
            if is_news(&open, &queue, at, context) {
                events.push(news(&mut open, queue, at, context));
            }
            still.push(open);
        }
        events.extend(before.map(|gone| cleared(gone, at, context)));
        self.open = still;
    }
}

fn measure(tree: Tree, y: &[f64], picture: &Picture<'_>, context: &Context<'_>) -> Found {
    let (mut length_m, mut delay_rate) = (0.0, None);
    let mut tail = (f64::MIN, tree.head);
    for &link in &tree.links {
        let site = &context.sites[link as usize];
        let share = (-y[link as usize]).exp();
        // Vehicles on the link times the share of their time that they lose: n (1 - v / v_free), in veh h / h.
        let flow_vph = picture.flow_vph[link as usize];
        if !flow_vph.is_nan() {
            let stored = flow_vph / (share * site.free_kmh) * site.length_m / 1000.0;
            *delay_rate.get_or_insert(0.0) += stored * (1.0 - share).max(0.0);
        }
        let standing_m = picture.standing_m(link, share, site);
        length_m += if standing_m.is_nan() { site.length_m * (1.0 - share).max(0.0) } else { standing_m };
        let far = distance(tree.head, link, context);
        if far > tail.0 {
            tail = (far, link);
        }
    }
    Found { head: tree.head, tail: tail.1, links: tree.links, length_m, delay_rate }
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

    /// Returns the standing queue on a link, m; NaN where no flow is known.
    fn standing_m(&self, link: u32, share: f64, site: &Site) -> f64 {
        let own = &self.own[link as usize];
        if own.counts() {
            return standing::queue_m(own, share, site);
        }
        let flow_vph = self.flow_vph[link as usize];
        let (flow_pcuph, flow_mcuph) = (flow_vph * self.mix.0, flow_vph * self.mix.1);
        standing::queue_m(&Own { flow_vph, flow_pcuph, flow_mcuph, ..*own }, share, site)
    }
}

/// Returns how full the links of a queue are.
fn filled<'a>(
    queue: &'a Found,
    y: &'a [f64],
    picture: &'a Picture<'_>,
    context: &'a Context<'_>,
) -> impl Iterator<Item = Filled> + 'a {
    queue.links.iter().map(move |&link| {
        let (site, place) = (&context.sites[link as usize], link as usize);
        // Spillback is told of links that are counted on; NaN elsewhere: then nothing is claimed.
        let standing_m = standing::queue_m(&picture.own[place], (-y[place]).exp(), site);
        Filled { link, head: queue.head, share: standing_m / site.length_m }
    })
}

/// Squared distance between the starts of two links, in degrees: only compared.
fn distance(a: u32, b: u32, context: &Context<'_>) -> f64 {
    let start = |link: u32| context.network.geometry(roadnet::LinkIndex(link))[0];
    let (a, b) = (start(a), start(b));
    (a.lon - b.lon).powi(2) + (a.lat - b.lat).powi(2)
}

fn is_news(open: &Open, queue: &Found, at: Timestamp, context: &Context<'_>) -> bool {
    let config = &context.config.queue;
    if open.revision == 0 {
        return true;
    }
    let waited = (at - open.told_at) as f64 / 1000.0 >= config.update_every_s;
    let grown =
        (queue.length_m - open.told_length_m).abs() > config.update_share * open.told_length_m.max(1.0);
    waited && (grown || open.links != queue.links)
}

fn news(open: &mut Open, queue: Found, at: Timestamp, context: &Context<'_>) -> TrafficEvent {
    open.revision += 1;
    open.told_at = at;
    open.told_length_m = queue.length_m;
    open.links = queue.links;
    let change = if open.revision == 1 { EventChange::Opened } else { EventChange::Updated };
    let mut event = event(id(open, context), open.revision, EventKind::Queue, change, at, open.opened_at);
    event.link = Some(link_id(context, open.head));
    event.head_link = event.link.clone();
    event.tail_link = Some(link_id(context, queue.tail));
    event.links = open.links.iter().map(|&link| link_id(context, link)).collect();
    event.queue_m = Some(queue.length_m.round() as f32);
    event.delay_veh_h = open.delay_veh_h.map(|lost| (lost * 100.0).round() as f32 / 100.0);
    event.detail = format!("{} links queue for {:.0} m behind the head", open.links.len(), queue.length_m);
    event
}

fn cleared(mut open: Open, at: Timestamp, context: &Context<'_>) -> TrafficEvent {
    open.revision += 1;
    let mut event =
        event(id(&open, context), open.revision, EventKind::Queue, EventChange::Cleared, at, open.opened_at);
    event.link = Some(link_id(context, open.head));
    event.head_link = event.link.clone();
    event.links = open.links.iter().map(|&link| link_id(context, link)).collect();
    event.queue_m = Some(0.0);
    event.delay_veh_h = open.delay_veh_h.map(|lost| (lost * 100.0).round() as f32 / 100.0);
    event.detail = "the queue is gone".to_owned();
    event
}

fn id(open: &Open, context: &Context<'_>) -> String {
    format!("queue-{}-{}", link_id(context, open.head), open.opened_at.as_millis())
}
