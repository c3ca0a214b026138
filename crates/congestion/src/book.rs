//! The book of open queues: one event each, from opening to clearing.

use model::{EventChange, EventKind, HeadKind, Timestamp, TrafficEvent};
use serde::{Deserialize, Serialize};

use crate::charge::Delay;
use crate::events::{event, link_id};
use crate::partition::Context;
use crate::recurrence::{Recurrence, Recurs};

/// One queue as found at one boundary.
pub(crate) struct Found<'a> {
    pub(crate) head: u32,
    pub(crate) links: &'a [u32],
    pub(crate) length_m: f64,
    /// Charged to the head, h per h; `None` where no flow is known of those that it holds back.
    pub(crate) delay_rate: Option<Delay>,
    /// What holds the head back; `None` where that is not known.
    pub(crate) kind: Option<HeadKind>,
    /// Probability that the head is congested.
    pub(crate) probability: f64,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Book {
    /// Sorted by head.
    open: Vec<Open>,
    recurrence: Recurrence,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Open {
    head: u32,
    opened_at: Timestamp,
    told_at: Timestamp,
    revision: u32,
    links: Vec<u32>,
    told_length_m: f64,
    /// The length that it had, faded over [`GROWTH_S`].
    past_m: f64,
    /// Charged so far.
    delay: Option<Delay>,
    kind: Option<HeadKind>,
    /// When what was found last was what is taken for the kind.
    agreed_at: Timestamp,
    told_kind: Option<HeadKind>,
}

/// Growth, and whether the kind of the head is another, is measured over the last minutes: two cycles, in which no single red
/// counts, s.
const GROWTH_S: f64 = 120.0;

/// A queue that was open for less is no habit of its head, s.
const LASTING_S: f64 = 300.0;

impl Book {
    /// Returns the open queue that a link stands in: its head, its links, its length as last told and when it was opened.
    pub(crate) fn around(&self, link: u32) -> Option<(u32, &[u32], f64, Timestamp)> {
        let open = self.open.iter().find(|open| open.links.contains(&link))?;
        Some((open.head, &open.links, open.told_length_m, open.opened_at))
    }

    /// Takes the queues of a boundary, sorted by head.
    pub(crate) fn step(
        &mut self,
        at: Timestamp,
        found: Vec<Found<'_>>,
        context: &Context<'_>,
        events: &mut Vec<TrafficEvent>,
    ) {
        let ahead_ms = context.config.forecast.ahead_ms();
        self.recurrence.watch(at, ahead_ms);
        let mut still = Vec::with_capacity(found.len());
        let mut before = std::mem::take(&mut self.open).into_iter().peekable();
        for queue in found {
            while let Some(gone) = before.next_if(|open| open.head < queue.head) {
                events.push(self.clear(gone, at, context));
            }
            let mut open =
                before.next_if(|open| open.head == queue.head).unwrap_or_else(|| Open::new(at, &queue));
            open.take(at, &queue, context.config.graph_boundary_ms as f64 / 1000.0);
            if open.lasted_s(at) >= LASTING_S {
                self.recurrence.note(at, ahead_ms, open.head);
            }
            if open.is_news(&queue, at, context) {
                let recurs = self.recurrence.of(at, ahead_ms, open.head);
                events.push(open.news(queue, at, recurs, context));
            }
            still.push(open);
        }
        events.extend(before.map(|gone| self.clear(gone, at, context)));
        self.open = still;
    }

    fn clear(&mut self, mut gone: Open, at: Timestamp, context: &Context<'_>) -> TrafficEvent {
        gone.revision += 1;
        if let Some(delay) = gone.delay.filter(|_| gone.lasted_s(at) >= LASTING_S) {
            self.recurrence.learn_delay(gone.head, delay.vehicles);
        }
        let mut event = gone.event(EventChange::Cleared, at, context);
        event.queue_m = Some(0.0);
        event.detail = "the queue is gone".to_owned();
        event
    }
}

impl Open {
    fn new(at: Timestamp, queue: &Found<'_>) -> Self {
        Self {
            head: queue.head,
            opened_at: at,
            told_at: at,
            revision: 0,
            links: Vec::new(),
            told_length_m: 0.0,
            past_m: queue.length_m,
            delay: None,
            kind: queue.kind,
            agreed_at: at,
            told_kind: None,
        }
    }

    /// Takes what was found after another step of so many seconds.
    fn take(&mut self, at: Timestamp, queue: &Found<'_>, step_s: f64) {
        if queue.kind == self.kind {
            self.agreed_at = at;
        } else if (at - self.agreed_at) as f64 / 1000.0 >= GROWTH_S {
            self.kind = queue.kind;
        }
        self.past_m += (1.0 - (-step_s / GROWTH_S).exp()) * (queue.length_m - self.past_m);
        if let Some(rate) = queue.delay_rate {
            *self.delay.get_or_insert_default() += rate * (step_s / 3600.0);
        }
    }

    fn is_news(&self, queue: &Found<'_>, at: Timestamp, context: &Context<'_>) -> bool {
        let config = &context.config.queue;
        if self.revision == 0 {
            return true;
        }
        let waited = (at - self.told_at) as f64 / 1000.0 >= config.update_every_s;
        let grown =
            (queue.length_m - self.told_length_m).abs() > config.update_share * self.told_length_m.max(1.0);
        waited && (grown || self.kind != self.told_kind || self.is_elsewhere_than(queue))
    }

    /// Tells whether others are its links than were told. A queue of one link is its head; most are.
    fn is_elsewhere_than(&self, queue: &Found<'_>) -> bool {
        self.links.len() != queue.links.len() || queue.links.len() > 1 && self.links != queue.links
    }

    fn lasted_s(&self, at: Timestamp) -> f64 {
        (at - self.opened_at) as f64 / 1000.0
    }

    fn news(
        &mut self,
        queue: Found<'_>,
        at: Timestamp,
        recurs: Option<Recurs>,
        context: &Context<'_>,
    ) -> TrafficEvent {
        self.revision += 1;
        self.told_at = at;
        self.told_length_m = queue.length_m;
        self.links = queue.links.to_vec();
        self.told_kind = self.kind;
        let change = if self.revision == 1 { EventChange::Opened } else { EventChange::Updated };
        let mut event = self.event(change, at, context);
        event.tail_link = Some(link_id(context, tail(self.head, &self.links, context)));
        event.queue_m = Some(queue.length_m.round() as f32);
        event.confidence = Some((queue.probability * 100.0).round() as f32 / 100.0);
        // Of a length that grows evenly the faded one lags by what it grows in that time.
        let growth_m_per_min = (queue.length_m - self.past_m) / GROWTH_S * 60.0;
        event.growth_m_per_min = Some((growth_m_per_min * 10.0).round() as f32 / 10.0);
        event.detail =
            format!("{} queue for {:.0} m behind the head", counted(self.links.len()), queue.length_m);
        event.detail += self.kind.map_or("", because);
        event.detail += &recurs.map(|recurs| recurs.to_string()).unwrap_or_default();
        event
    }

    fn event(&self, change: EventChange, at: Timestamp, context: &Context<'_>) -> TrafficEvent {
        let head = link_id(context, self.head);
        let id = format!("queue-{head}-{}", self.opened_at.as_millis());
        let mut event = event(id, self.revision, EventKind::Queue, change, at, self.opened_at);
        event.link = Some(head.clone());
        event.head_link = Some(head);
        event.links = self.links.iter().map(|&link| link_id(context, link)).collect();
        let hundredths = |hours: f64| (hours * 100.0).round() as f32 / 100.0;
        event.delay_veh_h = self.delay.map(|delay| hundredths(delay.vehicles));
        event.head_kind = self.kind;
        event.delay_person_h = self.delay.map(|delay| hundredths(delay.persons));
        event
    }
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

fn counted(links: usize) -> String {
    if links == 1 { "vehicles of 1 link".to_owned() } else { format!("vehicles of {links} links") }
}

fn because(kind: HeadKind) -> &'static str {
    match kind {
        HeadKind::Capacity => ", which lets through what it can",
        HeadKind::Incident => ", which lets through far less than it can",
        HeadKind::Signal => ", which waits for its signal",
        HeadKind::Downstream => ", which waits for what lies further on",
    }
}
