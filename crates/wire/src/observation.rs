//! Records of the observations and dead-letters topics, and the message of a device.

use bytes::Bytes;
use model::{LinkId, Observation, Quality, Reading, SensorId, Timestamp};
use prost::Message as _;

use crate::reading::{observed, observed_message, told, told_message};
use crate::time::{required, to_proto_time};
use crate::{DecodeError, v1};

/// What a record of the observations topic is.
#[derive(Clone, PartialEq, Debug)]
pub enum LogRecord {
    /// A reading.
    Observation(Observation),
    /// Its writer has put into the partition whatever it received before this instant of log time.
    Marker(Timestamp),
}

/// What a device publishes, before it is known where the device stands.
#[derive(Clone, PartialEq, Debug)]
pub struct SensorMessage {
    /// The device's own count.
    pub seq: Option<u64>,
    /// The END of the period.
    pub at: Timestamp,
    /// Length of the period.
    pub period_s: Option<f32>,
    /// 1 = nearest the kerb.
    pub lane: Option<u8>,
    /// What was measured.
    pub reading: Reading,
}

/// What could not be used, as it came.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DeadLetter {
    /// MQTT topic.
    pub topic: String,
    /// Its bytes, untouched.
    pub payload: Bytes,
    /// When it came.
    pub received_at: Timestamp,
    /// From a closed list.
    pub reason: String,
    /// In words.
    pub detail: String,
}

/// Encodes a record of the observations topic.
pub fn encode_observation(observation: &Observation) -> Bytes {
    let message = v1::Observation {
        sensor_id: observation.sensor.to_string(),
        link_id: observation.link.to_string(),
        seq: observation.seq,
        at: Some(to_proto_time(observation.at)),
        period_s: observation.period_s.map(f64::from),
        lane: observation.lane.map(u32::from),
        received_at: Some(to_proto_time(observation.received_at)),
        quality: observation.quality.0,
        offset_m: observation.offset_m.map(f64::from),
        reading: Some(observed_message(&observation.reading)),
    };
    message.encode_to_vec().into()
}

/// Encodes a clock marker of the observations topic.
pub fn encode_marker(received_at: Timestamp) -> Bytes {
    v1::Observation { received_at: Some(to_proto_time(received_at)), ..Default::default() }
        .encode_to_vec()
        .into()
}

/// Decodes a record of the observations topic.
///
/// # Errors
/// When the bytes are no such record: somebody else wrote into the topic.
pub fn decode_log_record(bytes: &[u8]) -> Result<LogRecord, DecodeError> {
    let message = v1::Observation::decode(bytes)?;
    let received_at = required(message.received_at.as_ref(), "received_at")?;
    let Some(reading) = message.reading else { return Ok(LogRecord::Marker(received_at)) };
    Ok(LogRecord::Observation(Observation {
        sensor: SensorId(message.sensor_id.into()),
        link: LinkId(message.link_id.into()),
        seq: message.seq,
        at: required(message.at.as_ref(), "at")?,
        period_s: message.period_s.map(|v| v as f32),
        lane: lane(message.lane)?,
        offset_m: message.offset_m.map(|v| v as f32),
        received_at,
        quality: Quality(message.quality),
        reading: observed(reading)?,
    }))
}

/// Encodes what a device publishes.
pub fn encode_sensor_message(message: &SensorMessage) -> Bytes {
    v1::SensorMessage {
        seq: message.seq,
        at: Some(to_proto_time(message.at)),
        period_s: message.period_s.map(f64::from),
        lane: message.lane.map(u32::from),
        reading: Some(told_message(&message.reading)),
    }
    .encode_to_vec()
    .into()
}

/// Decodes what a device published.
///
/// # Errors
/// When the bytes are no such message, or `at` or the reading is missing.
pub fn decode_sensor_message(bytes: &[u8]) -> Result<SensorMessage, DecodeError> {
    let message = v1::SensorMessage::decode(bytes)?;
    Ok(SensorMessage {
        seq: message.seq,
        at: required(message.at.as_ref(), "at")?,
        period_s: message.period_s.map(|v| v as f32),
        lane: lane(message.lane)?,
        reading: told(message.reading.ok_or(DecodeError::Missing("reading"))?)?,
    })
}

/// Encodes a record of the dead-letters topic.
pub fn encode_dead_letter(letter: &DeadLetter) -> Bytes {
    v1::DeadLetter {
        topic: letter.topic.clone(),
        payload: letter.payload.clone(),
        received_at: Some(to_proto_time(letter.received_at)),
        reason: letter.reason.clone(),
        detail: letter.detail.clone(),
    }
    .encode_to_vec()
    .into()
}

/// Decodes a record of the dead-letters topic.
///
/// # Errors
/// When the bytes are no such record.
pub fn decode_dead_letter(bytes: &[u8]) -> Result<DeadLetter, DecodeError> {
    let message = v1::DeadLetter::decode(bytes)?;
    Ok(DeadLetter {
        received_at: required(message.received_at.as_ref(), "received_at")?,
        topic: message.topic,
        payload: message.payload,
        reason: message.reason,
        detail: message.detail,
    })
}

fn lane(lane: Option<u32>) -> Result<Option<u8>, DecodeError> {
    lane.map(|n| u8::try_from(n).map_err(|_| DecodeError::out_of_range("lane", n))).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::*;

    fn every_kind() -> Vec<Reading> {
        let mut counts = ClassCounts::default();
        counts[VehicleClass::Motorcycle] = 41;
        counts[VehicleClass::Trailer] = 2;
        vec![
            Reading::Aggregate(Aggregate {
                counts: Some(counts),
                speed_kmh: Some(27.4),
                speed_mean: Some(SpeedMean::Time),
                occupancy: Some(0.31),
                queue_m: None,
                headway_s: None,
            }),
            Reading::Aggregate(Aggregate { counts: Some(ClassCounts::default()), ..Aggregate::default() }),
            Reading::Passage(Passage {
                class: VehicleClass::Bus,
                speed_kmh: Some(31.0),
                length_m: Some(11.5),
                headway_s: None,
                wrong_way: true,
            }),
            Reading::Probe(Probe {
                vehicle: "a1".into(),
                lon: 106.68,
                lat: 20.86,
                heading_deg: Some(94.0),
                speed_kmh: Some(0.0),
                class: None,
                in_service: Some(false),
            }),
            Reading::Queue(Queue {
                queue_m: Some(35.0),
                stopped_vehicles: Some(0),
                class_counts: Some(counts),
            }),
            Reading::TravelTime(TravelTime {
                from_sensor: "bt-1".into(),
                to_sensor: "bt-2".into(),
                seconds: 71.5,
                vehicles: Some(9),
            }),
            Reading::Signal(Signal { group: "4".into(), state: SignalState::Amber, cycle_s: Some(60.0) }),
            Reading::Alert(Alert { kind: AlertKind::WrongWay, confidence: Some(0.75) }),
        ]
    }

    #[test]
    fn every_kind_of_observation_comes_back_as_it_went() {
        for reading in every_kind() {
            let observation = Observation {
                sensor: "loop-TranPhu-03".into(),
                link: "w12.0f".into(),
                seq: Some(u64::MAX),
                at: Timestamp::from_millis(1_763_794_830_250),
                period_s: Some(30.0),
                lane: Some(1),
                offset_m: Some(12.5),
                received_at: Timestamp::from_millis(1_763_794_831_000),
                quality: Quality::SNAPPED.with(Quality::CLOCK_SUSPECT),
                reading: reading.clone(),
            };
            let back = decode_log_record(&encode_observation(&observation)).unwrap();
            assert_eq!(back, LogRecord::Observation(observation));
            let message = SensorMessage {
                seq: None,
                at: Timestamp::from_millis(-1),
                period_s: None,
                lane: None,
                reading,
            };
            assert_eq!(decode_sensor_message(&encode_sensor_message(&message)).unwrap(), message);
        }
    }

    #[test]
    fn a_marker_is_told_from_an_observation() {
        let at = Timestamp::from_millis(1_763_794_830_250);
        assert_eq!(decode_log_record(&encode_marker(at)), Ok(LogRecord::Marker(at)));
    }

    #[test]
    fn bytes_of_another_kind_are_an_error_that_names_the_field() {
        assert_eq!(decode_sensor_message(b""), Err(DecodeError::Missing("at")));
        assert!(matches!(decode_log_record(b"{\"seq\":1}"), Err(DecodeError::Malformed(_))));
    }
}
