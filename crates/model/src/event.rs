//! What happened on the network: queues, incidents, spillback, faulty sensors.

use serde::{Deserialize, Serialize};

use crate::{LinkId, SensorId, Timestamp};

/// One change of one event. (`id`, `revision`) names the change, however often it arrives.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct TrafficEvent {
    /// Stays the same from opening to clearing; a function of the log alone.
    pub id: String,
    /// 1 when opened, then one more for each change.
    pub revision: u32,
    /// What it is.
    pub kind: EventKind,
    /// What changed.
    pub change: EventChange,
    /// When this change became known (log time).
    pub at: Timestamp,
    /// When the event was opened (log time).
    pub opened_at: Timestamp,
    /// Where it is; a faulty sensor may have no link.
    pub link: Option<LinkId>,
    /// The link that holds a queue back.
    pub head_link: Option<LinkId>,
    /// The queue's last link.
    pub tail_link: Option<LinkId>,
    /// All links that it touches.
    pub links: Vec<LinkId>,
    /// The faulty sensor.
    pub sensor: Option<SensorId>,
    /// Length over all links.
    pub queue_m: Option<f32>,
    /// Delay since it was opened that is charged to the head, vehicle-hours.
    pub delay_veh_h: Option<f32>,
    /// The same, person-hours.
    pub delay_person_h: Option<f32>,
    /// How fast a queue grows (below 0: shrinks), m/min.
    pub growth_m_per_min: Option<f32>,
    /// What holds the head back; nothing where that is not known.
    pub head_kind: Option<HeadKind>,
    /// How soon a queue is expected to block the junction behind it, s; 0 = it does.
    pub blocks_in_s: Option<f32>,
    /// How sure, 0..1.
    pub confidence: Option<f32>,
    /// In words.
    pub detail: String,
}

/// What an event is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum EventKind {
    /// Connected congested links behind one head.
    Queue,
    /// Something blocks the road.
    Incident,
    /// A queue is about to block, or blocks, the junction behind it.
    Spillback,
    /// A sensor that should not be believed.
    SensorFault,
}

impl EventKind {
    /// All kinds.
    pub const ALL: [Self; 4] = [Self::Queue, Self::Incident, Self::Spillback, Self::SensorFault];

    /// Returns the name that files use.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Queue => "queue",
            Self::Incident => "incident",
            Self::Spillback => "spillback",
            Self::SensorFault => "sensor_fault",
        }
    }
}

/// What holds a queue's head back.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum HeadKind {
    /// It lets through what it can.
    Capacity,
    /// It lets through far less than it can: something blocks it, or its signal fails.
    Incident,
    /// Those who wait do so for a red or two.
    Signal,
    /// What holds it back lies further on, out of sight.
    Downstream,
}

impl HeadKind {
    /// Returns the name that files use.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Capacity => "capacity",
            Self::Incident => "incident",
            Self::Signal => "signal",
            Self::Downstream => "downstream",
        }
    }
}

/// What changed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum EventChange {
    /// It is new.
    Opened,
    /// It goes on, differently.
    Updated,
    /// It is over.
    Cleared,
}

impl EventChange {
    /// Returns the name that files use.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Updated => "updated",
            Self::Cleared => "cleared",
        }
    }
}
