//! `luong.v1.SensorMessage`.

use model::{Quality, ReadingKind};

use super::{Decoded, Header, screen};
use crate::{Reason, Reject};

pub(super) fn decode(kind: ReadingKind, payload: &[u8]) -> Result<Decoded, Reject> {
    if payload.is_empty() {
        return Err(Reject::new(Reason::EmptyPayload, "the payload has no bytes"));
    }
    let message = wire::decode_sensor_message(payload)
        .map_err(|error| Reject::new(Reason::BadProtobuf, error.to_string()))?;
    if message.reading.kind() != kind {
        return Err(Reject::new(
            Reason::KindMismatch,
            format!("the topic says {}, the message holds {}", kind.name(), message.reading.kind().name()),
        ));
    }
    let header = Header {
        seq: message.seq,
        at: message.at,
        period_s: message.period_s,
        lane: screen::lane(message.lane.map(f64::from))?,
    };
    screen::screen(Decoded { header, reading: message.reading, quality: Quality::GOOD, unknown_fields: 0 })
}
