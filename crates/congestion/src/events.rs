//! Makes events of what the graph stage finds: deterministic ids, revisions that grow.

use model::{EventChange, EventKind, LinkId, SensorId, Timestamp, TrafficEvent};
use serde::{Deserialize, Serialize};

use crate::health::{Fault, Kind};
use crate::partition::Context;

/// Returns an event with nothing but its name, kind, change and times.
pub(crate) fn event(
    id: String,
    revision: u32,
    kind: EventKind,
    change: EventChange,
    at: Timestamp,
    opened_at: Timestamp,
) -> TrafficEvent {
    TrafficEvent {
        id,
        revision,
        kind,
        change,
        at,
        opened_at,
        link: None,
        head_link: None,
        tail_link: None,
        links: Vec::new(),
        sensor: None,
        queue_m: None,
        delay_veh_h: None,
        delay_person_h: None,
        growth_m_per_min: None,
        head_kind: None,
        blocks_in_s: None,
        confidence: None,
        detail: String::new(),
    }
}

/// Open faults of sensors: at most one event a sensor, which names what is wrong.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Faults {
    /// Sorted by sensor number.
    open: Vec<OpenFault>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct OpenFault {
    sensor: u32,
    opened_at: Timestamp,
    revision: u32,
    kinds: Vec<Kind>,
}

impl Faults {
    pub(crate) fn take(
        &mut self,
        at: Timestamp,
        changes: &[Fault],
        context: &Context<'_>,
        events: &mut Vec<TrafficEvent>,
    ) {
        for fault in changes {
            let place = match self.open.binary_search_by_key(&fault.sensor, |f| f.sensor) {
                Ok(place) => place,
                Err(_) if !fault.open => continue,
                Err(place) => {
                    let new =
                        OpenFault { sensor: fault.sensor, opened_at: at, revision: 0, kinds: Vec::new() };
                    self.open.insert(place, new);
                    place
                }
            };
            let open = &mut self.open[place];
            open.kinds.retain(|kind| *kind != fault.kind);
            if fault.open {
                open.kinds.push(fault.kind);
                open.kinds.sort_unstable();
            }
            open.revision += 1;
            events.push(told(open, at, fault, context));
            if open.kinds.is_empty() {
                self.open.remove(place);
            }
        }
    }
}

fn told(open: &OpenFault, at: Timestamp, fault: &Fault, context: &Context<'_>) -> TrafficEvent {
    let change = match (open.revision, open.kinds.is_empty()) {
        (_, true) => EventChange::Cleared,
        (1, false) => EventChange::Opened,
        (_, false) => EventChange::Updated,
    };
    let sensor = &context.registry.sensors()[open.sensor as usize];
    let id = format!("sensor_fault-{}-{}", sensor.id, open.opened_at.as_millis());
    let mut event = event(id, open.revision, EventKind::SensorFault, change, at, open.opened_at);
    event.link = sensor.link.map(|link| link_id(context, link.0));
    event.sensor = Some(SensorId::clone(&sensor.id));
    event.confidence = Some(0.9);
    event.detail = if open.kinds.is_empty() {
        "reports again as it should".to_owned()
    } else {
        open.kinds.iter().map(|kind| words(*kind, fault)).collect::<Vec<_>>().join("; ")
    };
    event
}

fn words(kind: Kind, fault: &Fault) -> String {
    match kind {
        Kind::Silent => "silent: its reports stopped coming".to_owned(),
        Kind::Stuck => "stuck: the same values again and again".to_owned(),
        Kind::Blind => "blind: it sees nobody where others pass".to_owned(),
        Kind::Biased => "biased: its counts or speeds differ from what others see".to_owned(),
        Kind::Clock => format!(
            "its clock is {:.0} s {}",
            (fault.error_ms as f64 / 1000.0).abs(),
            if fault.error_ms > 0 { "behind" } else { "ahead" }
        ),
    }
}

pub(crate) fn link_id(context: &Context<'_>, link: u32) -> LinkId {
    context.network.links()[link as usize].id.clone()
}
