//! Incidents: something blocks the road.
//!
//! A sequential test on the joint signature: links show signs (`incident/sign`), each worth the logarithm of how much likelier it is
//! where something blocks the road than is usual on that link. Their sum is the statistic of the link; it climbs while vehicles
//! stand, lanes stay empty and those ahead are missed, and falls when they move again. An incident is told when it passes the bar
//! that keeps the operator's budget of false alarms (`incident/budget`).
//!
//! Where the road ahead is jammed, those who stand are held by that: the incident is told where the road ahead is free, once
//! for a link and its neighbours.

mod budget;
mod fall;
mod lane;
mod sign;
mod stand;
mod usual;
mod words;

use std::collections::BTreeMap;

use model::{EventChange, EventKind, Timestamp, TrafficEvent};
use roadnet::LinkIndex;
use serde::{Deserialize, Serialize};

use budget::{Budget, FLOOR};
use sign::{Beside, Kind};
pub(crate) use sign::{Past, Sign};
pub(crate) use usual::Usual;

use crate::events::{event, link_id};
use crate::partition::Context;
use crate::turns::{Next, Turns};

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Incidents {
    /// By link: what its own readings show.
    signs: BTreeMap<u32, Vec<Sign>>,
    /// By link: since its statistic passed the floor, until it has been below it for long enough.
    climbs: BTreeMap<u32, Climb>,
    budget: Budget,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Climb {
    /// When the statistic was last above the floor.
    above_at: Timestamp,
    peak: f64,
    open: Option<Open>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Open {
    opened_at: Timestamp,
    told_at: Timestamp,
    revision: u32,
    links: Vec<u32>,
    /// In hundredths, as it is told.
    confidence: u8,
}

/// What the test looks at besides the signs.
pub(crate) struct Around<'a> {
    /// Probability that each link is congested.
    pub(crate) congested: &'a [f64],
    /// Whether each link's sensors said anything of late.
    pub(crate) heard: &'a [bool],
    pub(crate) turns: &'a Turns,
}

impl Incidents {
    /// Takes what a link's readings show now.
    pub(crate) fn take(&mut self, link: u32, signs: &[Sign]) {
        if signs.is_empty() {
            self.signs.remove(&link);
        } else {
            self.signs.insert(link, signs.to_vec());
        }
    }

    pub(crate) fn step(
        &mut self,
        at: Timestamp,
        around: &Around<'_>,
        context: &Context<'_>,
        events: &mut Vec<TrafficEvent>,
    ) {
        let watched = around.heard.iter().filter(|heard| **heard).count();
        self.budget.watch(at, context.config.graph_boundary_ms, watched);
        self.signs.retain(|_, signs| {
            signs.retain(|sign| at.as_millis() <= sign.until);
            !signs.is_empty()
        });
        let worths: Vec<(u32, f64)> = self
            .signs
            .iter()
            .map(|(link, signs)| (*link, sign::worth(signs, &self.beside(*link, signs, around, context))))
            .filter(|(_, worth)| *worth >= FLOOR)
            .collect();
        for (link, worth) in worths {
            self.climb(link, worth, at, around, context, events);
        }
        self.end_climbs(at, context, events);
    }

    fn beside(&self, link: u32, signs: &[Sign], around: &Around<'_>, context: &Context<'_>) -> Beside {
        let jammed_ahead = jammed_ahead(link, around, context);
        if sign::nats(signs, Kind::Fallen) == 0.0 {
            return Beside { jammed_ahead, ..Beside::default() };
        }
        let (turns, link) = (around.turns, LinkIndex(link));
        let fewer =
            |next: &Next| self.signs.get(&next.link.0).map_or(0.0, |s| sign::nats(s, Kind::FewerCome));
        Beside {
            jammed_ahead,
            starved: turns.after(link).iter().map(|next| fewer(next) * next.share()).sum(),
            fewer_come: turns.before(link).iter().map(|next| fewer(next) * next.mine()).sum(),
        }
    }

    /// Takes the statistic of a link above the floor. A neighbour of one that climbs already shows the same thing.
    fn climb(
        &mut self,
        link: u32,
        worth: f64,
        at: Timestamp,
        around: &Around<'_>,
        context: &Context<'_>,
        events: &mut Vec<TrafficEvent>,
    ) {
        let climbing = self.climbs.contains_key(&link);
        if !climbing && neighbours(link, context).any(|next| self.climbs.contains_key(&next)) {
            return;
        }
        let budget = context.config.incident.false_alarms_per_day_per_1000_links;
        let bar = self.budget.bar(budget);
        let confidence = self.budget.confidence(worth, budget);
        let climb = self.climbs.entry(link).or_insert(Climb { above_at: at, peak: worth, open: None });
        (climb.above_at, climb.peak) = (at, climb.peak.max(worth));
        let new = Open {
            opened_at: at,
            told_at: at,
            revision: 0,
            links: links(link, around, context),
            confidence: (confidence * 100.0).round() as u8,
        };
        let open = match &mut climb.open {
            None if worth < bar => return,
            Some(open) if !is_news(open, &new, at, context) => return,
            open => open.get_or_insert_with(|| new.clone()),
        };
        (open.told_at, open.revision) = (at, open.revision + 1);
        (open.links, open.confidence) = (new.links, new.confidence);
        let signs = self.signs.get(&link).map_or(&[][..], Vec::as_slice);
        let length_m = context.sites[link as usize].length_m;
        events.push(told(link, open, words::of(signs, open.links.len() - 1, length_m), at, context));
    }

    /// Ends the climbs that have long been below the floor.
    fn end_climbs(&mut self, at: Timestamp, context: &Context<'_>, events: &mut Vec<TrafficEvent>) {
        let clear_after_ms = (context.config.incident.clear_after_s * 1000.0) as i64;
        let budget = &mut self.budget;
        self.climbs.retain(|link, climb| {
            if at - climb.above_at < clear_after_ms {
                return true;
            }
            budget.note(climb.peak);
            if let Some(open) = &climb.open {
                events.push(cleared(*link, open, at, context));
            }
            false
        });
    }
}

/// Tells whether a link that many turn into is jammed.
fn jammed_ahead(link: u32, around: &Around<'_>, context: &Context<'_>) -> bool {
    /// It need not be surer than not to be the likelier reason: incidents are far rarer.
    const JAM_AHEAD: f64 = 1.0 / 3.0;
    let least_share = context.config.queue.least_turn_share;
    let jams = |next: &Next| around.congested[next.link.index()] >= JAM_AHEAD;
    around.turns.after(LinkIndex(link)).iter().any(|next| next.share() >= least_share && jams(next))
}

fn neighbours<'a>(link: u32, context: &'a Context<'_>) -> impl Iterator<Item = u32> + 'a {
    let link = LinkIndex(link);
    context.network.downstream(link).iter().chain(context.network.upstream(link)).map(|next| next.0)
}

/// Returns the link and those that are congested right behind it.
fn links(link: u32, around: &Around<'_>, context: &Context<'_>) -> Vec<u32> {
    let behind = context.network.upstream(LinkIndex(link)).iter().map(|next| next.0);
    let held = behind
        .filter(|next| *next != link && around.congested[*next as usize] >= context.config.queue.probability);
    std::iter::once(link).chain(held).collect()
}

/// Tells whether an open incident is to be told again.
fn is_news(open: &Open, new: &Open, at: Timestamp, context: &Context<'_>) -> bool {
    /// Hundredths by which the confidence changes notably.
    const NOTABLE: u8 = 10;
    let waited = (at - open.told_at) as f64 / 1000.0 >= context.config.incident.update_every_s;
    waited && (open.links != new.links || open.confidence.abs_diff(new.confidence) >= NOTABLE)
}

fn told(link: u32, open: &Open, detail: String, at: Timestamp, context: &Context<'_>) -> TrafficEvent {
    let change = if open.revision == 1 { EventChange::Opened } else { EventChange::Updated };
    let mut event =
        event(id(link, open, context), open.revision, EventKind::Incident, change, at, open.opened_at);
    event.link = Some(link_id(context, link));
    event.links = open.links.iter().map(|&link| link_id(context, link)).collect();
    event.confidence = Some(f32::from(open.confidence) / 100.0);
    event.detail = detail;
    event
}

fn cleared(link: u32, open: &Open, at: Timestamp, context: &Context<'_>) -> TrafficEvent {
    let (change, revision) = (EventChange::Cleared, open.revision + 1);
    let mut event = event(id(link, open, context), revision, EventKind::Incident, change, at, open.opened_at);
    event.link = Some(link_id(context, link));
    event.detail = "nothing speaks for it any more".to_owned();
    event
}

fn id(link: u32, open: &Open, context: &Context<'_>) -> String {
    format!("incident-{}-{}", link_id(context, link), open.opened_at.as_millis())
}
