//! Queues: connected congested links, traced to the link that holds them back.
//!
//! A link joins when it has been congested for some minutes (a red light alone is no queue). It hangs on the slowest
//! congested link among those that may follow it; the link without such a one is the head. In a ring (gridlock) the slowest
//! link is the head. Each head is one queue, and one event from opening to clearing.

use model::{EventChange, EventKind, Timestamp, TrafficEvent};
use serde::{Deserialize, Serialize};

use crate::events::{event, link_id};
use crate::link::Own;
use crate::partition::Context;
use crate::regime::Regimes;
use crate::spillback::{Filled, Spillbacks};
use crate::told;

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

const NO_LINK: u32 = u32::MAX;

/// What is known of all links at one boundary.
pub(crate) struct Picture<'a> {
    pub(crate) belief: &'a [Regimes],
    pub(crate) flow_vph: &'a [f64],
    pub(crate) own: &'a [Own],
    /// Whether the link's own sensors said anything in the last lateness.
    pub(crate) seen: &'a [bool],
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
        let Picture { belief, own, .. } = *picture;
        self.judge_members(at, belief, context);
        let y: Vec<f64> = belief.iter().map(|belief| belief.quantile(0.5)).collect();
        let found = self.find(&y, picture, context);
        let mut filled: Vec<Filled> =
            found.iter().flat_map(|queue| filled(queue, &y, own, context)).collect();
        filled.sort_unstable_by_key(|filled| filled.link);
        self.tell(at, found, context, events);
        self.spillbacks.step(at, &filled, context, events);
    }

    fn judge_members(&mut self, at: Timestamp, belief: &[Regimes], context: &Context<'_>) {
        let config = &context.config.queue;
        let edge = -context.config.congested_share.ln();
        let now = at.as_millis().max(1);
        for (link, belief) in belief.iter().enumerate() {
            let congested = context.sites[link].owned && belief.above(edge) >= config.probability;
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

    fn find(&self, y: &[f64], picture: &Picture<'_>, context: &Context<'_>) -> Vec<Found> {
        let Picture { flow_vph, own, seen, .. } = *picture;
        let members: Vec<u32> =
            (0..self.member.len() as u32).filter(|&link| self.member[link as usize]).collect();
        let head = self.heads(&members, y, context);
        let mut found: Vec<Found> = Vec::new();
        let mut by_head: Vec<(u32, u32)> = members.iter().map(|&link| (head[link as usize], link)).collect();
        by_head.sort_unstable();
        for group in by_head.chunk_by(|a, b| a.0 == b.0) {
            let links: Vec<u32> = group.iter().map(|&(_, link)| link).collect();
            found.push(measure(group[0].0, links, y, flow_vph, own, context));
        }
        found.retain(|q| q.links.len() >= 2 || q.length_m >= context.config.queue.min_length_m);
        // Nobody is called out for a queue that no sensor sees any link of.
        found.retain(|q| q.links.iter().any(|&link| seen[link as usize]));
        found
    }

    /// Returns the head of each member.
    fn heads(&self, members: &[u32], y: &[f64], context: &Context<'_>) -> Vec<u32> {
        let next = |link: u32| {
            let after = context.network.downstream(roadnet::LinkIndex(link));
            let held = after.iter().filter(|n| self.member[n.index()] && n.0 != link);
            held.max_by(|a, b| y[a.index()].total_cmp(&y[b.index()]).then(b.0.cmp(&a.0))).map(|n| n.0)
        };
        let mut head = vec![NO_LINK; self.member.len()];
        let mut path: Vec<u32> = Vec::new();
        for &start in members {
            path.clear();
            let mut link = Some(start);
            let end = loop {
                match link {
                    None => break path.last().copied().unwrap_or(start),
                    Some(l) if head[l as usize] != NO_LINK => break head[l as usize],
                    Some(l) => match path.iter().position(|&p| p == l) {
                        Some(ring) => break slowest(&path[ring..], y),
                        None => {
                            path.push(l);
                            link = next(l);
                        }
                    },
                }
            };
            path.iter().for_each(|&l| head[l as usize] = end);
        }
        head
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

fn slowest(ring: &[u32], y: &[f64]) -> u32 {
    let worst = ring.iter().max_by(|a, b| y[**a as usize].total_cmp(&y[**b as usize]).then(b.cmp(a)));
    *worst.expect("a ring has links")
}

fn measure(
    head: u32,
    links: Vec<u32>,
    y: &[f64],
    flow_vph: &[f64],
    own: &[Own],
    context: &Context<'_>,
) -> Found {
    let (mut length_m, mut delay_rate) = (0.0, None);
    let mut tail = (f64::MIN, head);
    for &link in &links {
        let (site, own) = (&context.sites[link as usize], &own[link as usize]);
        let share = (-y[link as usize]).exp();
        // Vehicles on the link times the share of their time that they lose: n (1 - v / v_free), in veh h / h.
        let flow_vph = flow_vph[link as usize];
        if !flow_vph.is_nan() {
            let stored = flow_vph / (share * site.free_kmh) * site.length_m / 1000.0;
            *delay_rate.get_or_insert(0.0) += stored * (1.0 - share).max(0.0);
        }
        length_m += if own.queue_m.is_nan() { site.length_m * (1.0 - share) } else { own.queue_m };
        let far = distance(head, link, context);
        if far > tail.0 {
            tail = (far, link);
        }
    }
    Found { head, tail: tail.1, links, length_m, delay_rate }
}

/// Returns how full the links of a queue are.
fn filled<'a>(
    queue: &'a Found,
    y: &'a [f64],
    own: &'a [Own],
    context: &'a Context<'_>,
) -> impl Iterator<Item = Filled> + 'a {
    queue.links.iter().map(move |&link| {
        let (site, place) = (&context.sites[link as usize], link as usize);
        let standing_m = told::queue_m(&own[place], (-y[place]).exp(), site);
        // NaN where nobody counts: then nothing is claimed.
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
