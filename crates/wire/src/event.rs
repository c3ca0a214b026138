//! Records of the events topic.

use bytes::Bytes;
use model::{EventChange, EventKind, HeadKind, LinkId, SensorId, TrafficEvent};
use prost::Message as _;

use crate::time::{required, to_proto_time};
use crate::{DecodeError, v1};

/// Returns the event as services answer it.
pub fn event_message(event: &TrafficEvent) -> v1::TrafficEvent {
    v1::TrafficEvent {
        id: event.id.clone(),
        revision: event.revision,
        r#type: match event.kind {
            EventKind::Queue => v1::EventType::Queue,
            EventKind::Incident => v1::EventType::Incident,
            EventKind::Spillback => v1::EventType::Spillback,
            EventKind::SensorFault => v1::EventType::SensorFault,
        }
        .into(),
        change: match event.change {
            EventChange::Opened => v1::EventChange::Opened,
            EventChange::Updated => v1::EventChange::Updated,
            EventChange::Cleared => v1::EventChange::Cleared,
        }
        .into(),
        at: Some(to_proto_time(event.at)),
        opened_at: Some(to_proto_time(event.opened_at)),
        link_id: text(event.link.as_ref()),
        head_link_id: text(event.head_link.as_ref()),
        tail_link_id: text(event.tail_link.as_ref()),
        link_ids: event.links.iter().map(ToString::to_string).collect(),
        sensor_id: text(event.sensor.as_ref()),
        queue_m: event.queue_m.map(f64::from),
        delay_veh_h: event.delay_veh_h.map(f64::from),
        delay_person_h: event.delay_person_h.map(f64::from),
        growth_m_per_min: event.growth_m_per_min.map(f64::from),
        head_kind: event.head_kind.map_or(v1::HeadKind::Unspecified, head_kind_message).into(),
        blocks_in_s: event.blocks_in_s.map(f64::from),
        confidence: event.confidence.map(f64::from),
        detail: event.detail.clone(),
        resume_token: String::new(),
    }
}

/// Encodes a record of the events topic.
pub fn encode_event(event: &TrafficEvent) -> Bytes {
    event_message(event).encode_to_vec().into()
}

/// Decodes a record of the events topic.
///
/// # Errors
/// When the bytes are no such record.
pub fn decode_event(bytes: &[u8]) -> Result<TrafficEvent, DecodeError> {
    let message = v1::TrafficEvent::decode(bytes)?;
    Ok(TrafficEvent {
        revision: message.revision,
        kind: match message.r#type() {
            v1::EventType::Queue => EventKind::Queue,
            v1::EventType::Incident => EventKind::Incident,
            v1::EventType::Spillback => EventKind::Spillback,
            v1::EventType::SensorFault => EventKind::SensorFault,
            v1::EventType::Unspecified => return Err(DecodeError::Missing("type")),
        },
        change: match message.change() {
            v1::EventChange::Opened => EventChange::Opened,
            v1::EventChange::Updated => EventChange::Updated,
            v1::EventChange::Cleared => EventChange::Cleared,
            v1::EventChange::Unspecified => return Err(DecodeError::Missing("change")),
        },
        at: required(message.at.as_ref(), "at")?,
        opened_at: required(message.opened_at.as_ref(), "opened_at")?,
        link: named(&message.link_id).map(LinkId::from),
        head_link: named(&message.head_link_id).map(LinkId::from),
        tail_link: named(&message.tail_link_id).map(LinkId::from),
        links: message.link_ids.iter().map(|id| LinkId::from(id.as_str())).collect(),
        sensor: named(&message.sensor_id).map(SensorId::from),
        queue_m: message.queue_m.map(|v| v as f32),
        delay_veh_h: message.delay_veh_h.map(|v| v as f32),
        delay_person_h: message.delay_person_h.map(|v| v as f32),
        growth_m_per_min: message.growth_m_per_min.map(|v| v as f32),
        head_kind: head_kind(message.head_kind()),
        blocks_in_s: message.blocks_in_s.map(|v| v as f32),
        confidence: message.confidence.map(|v| v as f32),
        detail: message.detail,
        id: message.id,
    })
}

fn head_kind_message(kind: HeadKind) -> v1::HeadKind {
    match kind {
        HeadKind::Capacity => v1::HeadKind::Capacity,
        HeadKind::Incident => v1::HeadKind::Incident,
        HeadKind::Signal => v1::HeadKind::Signal,
        HeadKind::Downstream => v1::HeadKind::Downstream,
    }
}

fn head_kind(kind: v1::HeadKind) -> Option<HeadKind> {
    match kind {
        v1::HeadKind::Unspecified => None,
        v1::HeadKind::Capacity => Some(HeadKind::Capacity),
        v1::HeadKind::Incident => Some(HeadKind::Incident),
        v1::HeadKind::Signal => Some(HeadKind::Signal),
        v1::HeadKind::Downstream => Some(HeadKind::Downstream),
    }
}

fn text(id: Option<&impl ToString>) -> String {
    id.map(ToString::to_string).unwrap_or_default()
}

fn named(id: &str) -> Option<&str> {
    Some(id).filter(|id| !id.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::Timestamp;

    #[test]
    fn an_event_comes_back_as_it_went() {
        let event = TrafficEvent {
            id: "queue-A0B0-1763794830000".into(),
            revision: 3,
            kind: EventKind::Queue,
            change: EventChange::Updated,
            at: Timestamp::from_millis(1_763_794_890_000),
            opened_at: Timestamp::from_millis(1_763_794_830_000),
            link: Some("A0B0".into()),
            head_link: Some("B0C0".into()),
            tail_link: Some("A0B0".into()),
            links: vec!["A0B0".into(), "B0C0".into()],
            sensor: None,
            queue_m: Some(220.0),
            delay_veh_h: Some(0.5),
            delay_person_h: Some(0.75),
            growth_m_per_min: Some(-12.0),
            head_kind: Some(HeadKind::Downstream),
            blocks_in_s: Some(60.0),
            confidence: None,
            detail: String::new(),
        };
        assert_eq!(decode_event(&encode_event(&event)).unwrap(), event);
    }
}
