//! Spillback: a queue that fills its link blocks the junction behind it.
//!
//! A link of a queue whose standing vehicles fill it to a share (HCM: 95 % of the storage) is told with the links that lead into
//! it; it is taken back when a fifth of the storage is free again, so that the end of each green does not clear it.

use model::{EventChange, EventKind, Timestamp, TrafficEvent};
use roadnet::LinkIndex;
use serde::{Deserialize, Serialize};

use crate::events::{event, link_id};
use crate::partition::Context;

/// Storage that is free again when a spillback is over.
const FREE_AGAIN: f64 = 0.2;

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Spillbacks {
    /// Sorted by link.
    open: Vec<Open>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Open {
    link: u32,
    head: u32,
    opened_at: Timestamp,
}

/// A link of a queue.
pub(crate) struct Filled {
    pub(crate) link: u32,
    pub(crate) head: u32,
    /// Share of the link on which vehicles stand.
    pub(crate) share: f64,
}

impl Spillbacks {
    /// Takes all links of queues, sorted by link.
    pub(crate) fn step(
        &mut self,
        at: Timestamp,
        filled: &[Filled],
        context: &Context<'_>,
        events: &mut Vec<TrafficEvent>,
    ) {
        let full = context.config.queue.spillback_share;
        let before = std::mem::take(&mut self.open);
        let was_open = |link: u32| before.binary_search_by_key(&link, |open| open.link).ok();
        for link in filled {
            let blocks = !context.network.upstream(LinkIndex(link.link)).is_empty();
            match was_open(link.link) {
                Some(place) if link.share >= full - FREE_AGAIN => self.open.push(before[place].clone()),
                None if blocks && link.share >= full => {
                    let open = Open { link: link.link, head: link.head, opened_at: at };
                    events.push(news(&open, EventChange::Opened, at, context));
                    self.open.push(open);
                }
                _ => {}
            }
        }
        for gone in &before {
            if self.open.binary_search_by_key(&gone.link, |open| open.link).is_err() {
                events.push(news(gone, EventChange::Cleared, at, context));
            }
        }
    }
}

fn news(open: &Open, change: EventChange, at: Timestamp, context: &Context<'_>) -> TrafficEvent {
    let link = link_id(context, open.link);
    let id = format!("spillback-{link}-{}", open.opened_at.as_millis());
    let revision = if change == EventChange::Opened { 1 } else { 2 };
    let mut event = event(id, revision, EventKind::Spillback, change, at, open.opened_at);
    let behind = context.network.upstream(LinkIndex(open.link));
    event.links = behind.iter().map(|link| link_id(context, link.0)).collect();
    event.head_link = Some(link_id(context, open.head));
    event.link = Some(link);
    event.detail = match change {
        EventChange::Cleared => "vehicles fit on the link again".to_owned(),
        _ => "the queue fills the link and blocks those that lead into it".to_owned(),
    };
    event
}
