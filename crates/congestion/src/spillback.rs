//! Spillback: a queue that fills its link blocks the junction behind it.
//!
//! It is told with the links that lead into the full one: as a warning when the queue fills half of the
//! storage and, growing as it did in the last two minutes, will fill it within minutes; as a block when standing vehicles fill
//! it (HCM: 95 % of the storage). A warning is taken back when the queue would need twice as long, and not before two minutes; a
//! block when a fifth of the storage is free again: so the end of a green clears neither. A queue is never taken to shrink
//! faster than vehicles leave it: where nobody passes any more, flow times time lost says that nobody stands there.

use model::{EventChange, EventKind, Timestamp, TrafficEvent};
use roadnet::LinkIndex;
use serde::{Deserialize, Serialize};

use crate::events::{event, link_id};
use crate::normal::normal;
use crate::partition::Context;

/// Storage that is free again when a spillback is over.
const FREE_AGAIN: f64 = 0.2;

/// No warning before so much of the storage is used: until then a green may clear it.
const LEAST_USED: f64 = 0.5;

/// Growth is measured over the last minutes, as that of whole queues is, s.
const GROWTH_S: f64 = 120.0;

/// The part of the growth of two minutes that goes on for minutes more: the rest was a platoon, or a red that is over.
const GOES_ON: f64 = 0.5;

/// What the length of a queue is wrong by, as a share of its link: what it would be in some minutes is as uncertain.
const LENGTH_SD: f64 = 0.25;

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Spillbacks {
    /// Sorted by link.
    watched: Vec<Watched>,
    /// Sorted by link.
    open: Vec<Open>,
}

/// A link on which a queue stands.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Watched {
    link: u32,
    /// Share of the link on which vehicles stand.
    share: f64,
    /// The share that it had, faded over [`GROWTH_S`].
    past: f64,
}

impl Watched {
    fn of(link: &Filled) -> Self {
        Self { link: link.link, share: link.share, past: link.share }
    }

    /// Returns what is watched after another step of so many seconds; `kept`: the part of the growth that is not faded by then.
    fn after(self, step_s: f64, kept: f64, link: &Filled) -> Self {
        let share = link.share.max(self.share - link.discharge * step_s);
        Self { share, past: share + kept * (self.past - share), ..self }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Open {
    link: u32,
    head: u32,
    opened_at: Timestamp,
    revision: u32,
    blocks: bool,
}

/// A link of a queue.
pub(crate) struct Filled {
    pub(crate) link: u32,
    pub(crate) head: u32,
    /// Share of the link on which vehicles stand; NaN where no flow is known.
    pub(crate) share: f64,
    /// Share of the link by which the queue can become shorter, per s.
    pub(crate) discharge: f64,
    /// Probability that it is congested.
    pub(crate) probability: f64,
}

/// What is to be expected of a link.
#[derive(Clone, Copy, PartialEq, Debug)]
struct Outlook {
    share: f64,
    /// Share of the link by which the queue grows, per s.
    growth: f64,
    /// Until it is full, s; infinite where it does not grow.
    full_in_s: f64,
}

impl Outlook {
    fn of(share: f64, past: f64, full: f64) -> Self {
        // Of a length that grows evenly the faded one lags by what it grows in that time.
        let growth = (share - past) / GROWTH_S;
        let full_in_s = if share >= full {
            0.0
        } else if growth > 0.0 {
            (full - share) / growth
        } else {
            f64::INFINITY
        };
        Self { share, growth, full_in_s }
    }

    fn is_full(&self) -> bool {
        self.full_in_s == 0.0
    }

    fn warns(&self, ahead_s: f64) -> bool {
        self.share >= LEAST_USED && self.full_in_s <= ahead_s
    }

    /// Returns whether what was told of it still holds.
    fn holds(&self, blocked: bool, full: f64, ahead_s: f64) -> bool {
        let still_blocks = blocked && self.share >= full - FREE_AGAIN;
        still_blocks || self.share >= LEAST_USED && self.full_in_s <= 2.0 * ahead_s
    }

    /// Returns how likely it is full by then.
    fn chance(&self, full: f64, ahead_s: f64) -> f64 {
        normal((self.share + GOES_ON * self.growth.max(0.0) * ahead_s - full) / LENGTH_SD)
    }
}

impl Open {
    /// Tells whether it is too early to take a warning back.
    fn is_new(&self, at: Timestamp) -> bool {
        !self.blocks && ((at - self.opened_at) as f64) < GROWTH_S * 1000.0
    }
}

impl Spillbacks {
    /// Takes all links of queues, sorted by link.
    pub(crate) fn step(
        &mut self,
        at: Timestamp,
        filled: impl Iterator<Item = Filled>,
        context: &Context<'_>,
        events: &mut Vec<TrafficEvent>,
    ) {
        let config = &context.config.queue;
        let (full, ahead_s) = (config.spillback_share, config.spillback_ahead_s);
        let before = std::mem::take(&mut self.open);
        let mut open_before = before.iter().peekable();
        let room = Vec::with_capacity(self.watched.len());
        let mut watched = std::mem::replace(&mut self.watched, room).into_iter().peekable();
        let step_s = context.config.graph_boundary_ms as f64 / 1000.0;
        let kept = (-step_s / GROWTH_S).exp();
        for link in filled.filter(|link| !link.share.is_nan()) {
            while watched.next_if(|watched| watched.link < link.link).is_some() {}
            let before_it = watched.next_if(|watched| watched.link == link.link);
            let now = before_it.map_or(Watched::of(&link), |watched| watched.after(step_s, kept, &link));
            self.watched.push(now);
            let outlook = Outlook::of(now.share, now.past, full);
            while open_before.next_if(|open| open.link < link.link).is_some() {}
            let open = open_before.next_if(|open| open.link == link.link);
            let confidence =
                link.probability * if outlook.is_full() { 1.0 } else { outlook.chance(full, ahead_s) };
            let told = match open {
                Some(open) if !open.blocks && outlook.is_full() => {
                    let (head, revision) = (link.head, open.revision + 1);
                    let open = Open { blocks: true, head, revision, ..open.clone() };
                    events.push(news(&open, EventChange::Updated, at, &outlook, confidence, context));
                    open
                }
                Some(open) if open.is_new(at) || outlook.holds(open.blocks, full, ahead_s) => open.clone(),
                None if outlook.warns(ahead_s) && leads_into(link.link, context) => {
                    let blocks = outlook.is_full();
                    let open = Open { link: link.link, head: link.head, opened_at: at, revision: 1, blocks };
                    events.push(news(&open, EventChange::Opened, at, &outlook, confidence, context));
                    open
                }
                _ => continue,
            };
            self.open.push(told);
        }
        let gone = |open: &&Open| self.open.binary_search_by_key(&open.link, |open| open.link).is_err();
        events.extend(before.iter().filter(gone).map(|open| cleared(open, at, context)));
    }
}

fn leads_into(link: u32, context: &Context<'_>) -> bool {
    !context.network.upstream(LinkIndex(link)).is_empty()
}

fn news(
    open: &Open,
    change: EventChange,
    at: Timestamp,
    outlook: &Outlook,
    confidence: f64,
    context: &Context<'_>,
) -> TrafficEvent {
    let mut event = named(open, change, at, context);
    // Tens of seconds: more is not known.
    let full_in_s = (outlook.full_in_s / 10.0).round() * 10.0;
    event.blocks_in_s = Some(full_in_s as f32);
    event.confidence = Some((confidence * 100.0).round() as f32 / 100.0);
    event.detail = if open.blocks {
        "the queue fills the link and blocks those that lead into it".to_owned()
    } else {
        format!(
            "expected in {full_in_s:.0} s: the queue will fill the link and block those that lead into it"
        )
    };
    event
}

fn cleared(open: &Open, at: Timestamp, context: &Context<'_>) -> TrafficEvent {
    let mut event =
        named(&Open { revision: open.revision + 1, ..open.clone() }, EventChange::Cleared, at, context);
    event.detail = if open.blocks {
        "vehicles fit on the link again".to_owned()
    } else {
        "the queue did not fill the link".to_owned()
    };
    event
}

fn named(open: &Open, change: EventChange, at: Timestamp, context: &Context<'_>) -> TrafficEvent {
    let link = link_id(context, open.link);
    let id = format!("spillback-{link}-{}", open.opened_at.as_millis());
    let mut event = event(id, open.revision, EventKind::Spillback, change, at, open.opened_at);
    let behind = context.network.upstream(LinkIndex(open.link));
    event.links = behind.iter().map(|link| link_id(context, link.0)).collect();
    event.head_link = Some(link_id(context, open.head));
    event.link = Some(link);
    event
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FULL: f64 = 0.95;

    #[test]
    fn a_queue_that_grows_evenly_is_full_when_it_is_said_to_be() {
        let (mut past, growth, step_s) = (0.0, 0.001, 5.0);
        let share = (1..=160).fold(0.0, |share: f64, _| {
            let share = share + growth * step_s;
            past = share + (-step_s / GROWTH_S).exp() * (past - share);
            share
        });
        let full_in_s = Outlook::of(share, past, FULL).full_in_s;
        assert!((full_in_s - (FULL - share) / growth).abs() < 10.0, "{share} {full_in_s}");
    }

    #[test]
    fn a_queue_that_stands_still_or_shrinks_warns_of_nothing() {
        assert!(!Outlook::of(0.8, 0.8, FULL).warns(300.0));
        assert!(!Outlook::of(0.8, 0.9, FULL).warns(300.0));
        assert!(Outlook::of(0.8, 0.7, FULL).warns(300.0));
        assert!(!Outlook::of(0.4, 0.1, FULL).warns(300.0), "too short for a warning");
    }

    #[test]
    fn a_block_holds_until_a_fifth_is_free_again() {
        let held = |share: f64| Outlook::of(share, share, FULL).holds(true, FULL, 300.0);
        assert!(held(0.8) && !held(0.7));
    }

    proptest! {
        #[test]
        fn what_warns_holds_and_faster_growth_is_likelier_to_fill_it(
            share in 0.0f64..1.0, past in 0.0f64..1.0, less in 0.0f64..0.5,
        ) {
            let slow = Outlook::of(share, past, FULL);
            let fast = Outlook::of(share, past - less, FULL);
            prop_assert!(!slow.warns(300.0) || slow.holds(false, FULL, 300.0));
            prop_assert!(fast.full_in_s <= slow.full_in_s && fast.chance(FULL, 300.0) >= slow.chance(FULL, 300.0));
        }
    }
}
