//! Native events as JSON: one object a message, or, in a file, one object a line.

use compact_str::CompactString;
use model::{
    Aggregate, Alert, AlertKind, ClassCounts, Passage, Probe, Quality, Queue, Reading, ReadingKind, SensorId,
    Signal, SignalState, SpeedMean, Timestamp, TravelTime,
};

use super::fields::{Counts, Fields, Flag, Instant, Number, Sequence, class_or_other, whole};
use super::{Decoded, Header, screen};
use crate::topic::{self, LONGEST_ID};
use crate::{Reason, Reject};

/// One line of a file of observations.
#[derive(Clone, PartialEq, Debug)]
pub struct Line {
    /// Field `sensor_id`.
    pub sensor: SensorId,
    /// Field `received_at`, where the line has one.
    pub received_at: Option<Timestamp>,
    /// The event itself, of the kind that field `kind` names.
    pub event: Decoded,
}

/// Decodes one line of a file of observations: a native event with `sensor_id`, `kind` and perhaps `received_at`.
///
/// ```
/// let line = r#"{"sensor_id":"loop-TranPhu-03","kind":"aggregate","at":"2026-11-22T07:00:30.000Z","speed_kmh":27.4}"#;
/// let line = ingest::native::decode_line(line).unwrap();
/// assert_eq!(line.sensor.as_str(), "loop-TranPhu-03");
/// assert_eq!(line.event.header.at.as_millis(), 1_795_330_830_000);
/// ```
///
/// # Errors
/// A [`Reject`] when it can't be used.
pub fn decode_line(line: &str) -> Result<Line, Reject> {
    let fields = parse(line)?;
    let kind = topic::kind(&required(fields.kind.clone(), "kind")?)?;
    let sensor = SensorId(required(fields.sensor_id.clone(), "sensor_id")?);
    let received_at = match &fields.received_at {
        Instant::Absent => None,
        Instant::At(at) => Some(*at),
        Instant::Unusable(text) => return Err(no_time("received_at", text)),
    };
    Ok(Line { sensor, received_at, event: event(kind, fields)? })
}

pub(super) fn decode(kind: ReadingKind, payload: &[u8]) -> Result<Decoded, Reject> {
    if payload.is_empty() {
        return Err(Reject::new(Reason::EmptyPayload, "the payload has no bytes"));
    }
    // First, because the parser hands out text before it has looked at all of it.
    let text = str::from_utf8(payload)
        .map_err(|error| Reject::new(Reason::BadJson, format!("not UTF-8: {error}")))?;
    event(kind, parse(text)?)
}

fn parse(text: &str) -> Result<Fields, Reject> {
    sonic_rs::from_str(text).map_err(|error| {
        let message = error.to_string();
        Reject::new(Reason::BadJson, message.lines().next().unwrap_or("not a JSON object"))
    })
}

fn event(kind: ReadingKind, fields: Fields) -> Result<Decoded, Reject> {
    let mut removed = Removed(false);
    let header = header(&fields, &mut removed)?;
    let unknown_fields = fields.unknown;
    let reading = match kind {
        ReadingKind::Aggregate => Reading::Aggregate(aggregate(&fields, &mut removed)?),
        ReadingKind::Passage => Reading::Passage(passage(&fields, &mut removed)),
        ReadingKind::Probe => Reading::Probe(probe(fields, &mut removed)?),
        ReadingKind::Queue => Reading::Queue(queue(&fields, &mut removed)),
        ReadingKind::TravelTime => Reading::TravelTime(travel_time(fields, &mut removed)?),
        ReadingKind::Signal => Reading::Signal(signal(fields)?),
        ReadingKind::Alert => Reading::Alert(alert(&fields)?),
    };
    let quality = if removed.0 { Quality::VALUE_REMOVED } else { Quality::GOOD };
    screen::screen(Decoded { header, reading, quality, unknown_fields })
}

/// Whether a value had to be left out already while reading.
struct Removed(bool);

impl Removed {
    fn counts(&mut self, counts: Counts) -> Option<ClassCounts> {
        match counts {
            Counts::Absent => None,
            Counts::Unusable => {
                self.0 = true;
                None
            }
            Counts::Counted(counts) => Some(counts),
        }
    }

    fn whole(&mut self, Number(n): Number) -> Option<u32> {
        let n = n.filter(|&n| n != -1.0)?;
        if whole(n) {
            return Some(n as u32);
        }
        self.0 = true;
        None
    }

    fn flag(&mut self, flag: Flag) -> Option<bool> {
        match flag {
            Flag::Absent => None,
            Flag::Unusable => {
                self.0 = true;
                None
            }
            Flag::Told(told) => Some(told),
        }
    }
}

fn header(fields: &Fields, removed: &mut Removed) -> Result<Header, Reject> {
    let seq = match fields.seq {
        Sequence::Absent => None,
        Sequence::Count(seq) => Some(seq),
        Sequence::Unusable => {
            removed.0 = true;
            None
        }
    };
    let at = match &fields.at {
        Instant::At(at) => *at,
        Instant::Absent => return Err(Reject::new(Reason::BadTime, "at is absent")),
        Instant::Unusable(text) => return Err(no_time("at", text)),
    };
    Ok(Header { seq, at, period_s: f32_of(fields.period_s), lane: screen::lane(fields.lane.0)? })
}

fn aggregate(fields: &Fields, removed: &mut Removed) -> Result<Aggregate, Reject> {
    let speed_mean = match fields.speed_mean.as_deref() {
        None => None,
        Some("time") => Some(SpeedMean::Time),
        Some("space") => Some(SpeedMean::Space),
        Some(_) => {
            removed.0 = true;
            None
        }
    };
    Ok(Aggregate {
        counts: removed.counts(fields.counts),
        speed_kmh: f32_of(fields.speed_kmh),
        speed_mean,
        occupancy: f32_of(fields.occupancy),
        queue_m: f32_of(fields.queue_m),
        headway_s: f32_of(fields.headway_s),
    })
}

fn passage(fields: &Fields, removed: &mut Removed) -> Passage {
    Passage {
        class: class_or_other(fields.class.as_deref().unwrap_or_default()),
        speed_kmh: f32_of(fields.speed_kmh),
        length_m: f32_of(fields.length_m),
        headway_s: f32_of(fields.headway_s),
        wrong_way: removed.flag(fields.wrong_way).unwrap_or_default(),
    }
}

fn probe(fields: Fields, removed: &mut Removed) -> Result<Probe, Reject> {
    let place = |Number(degrees): Number, name| {
        degrees.ok_or_else(|| Reject::new(Reason::MissingField, format!("{name} is absent")))
    };
    Ok(Probe {
        lon: place(fields.lon, "lon")?,
        lat: place(fields.lat, "lat")?,
        heading_deg: f32_of(fields.heading_deg),
        speed_kmh: f32_of(fields.speed_kmh),
        class: fields.class.as_deref().map(class_or_other),
        in_service: removed.flag(fields.in_service),
        vehicle: required(fields.vehicle_id, "vehicle_id")?,
    })
}

fn queue(fields: &Fields, removed: &mut Removed) -> Queue {
    Queue {
        queue_m: f32_of(fields.queue_m),
        stopped_vehicles: removed.whole(fields.stopped),
        class_counts: removed.counts(fields.class_counts),
    }
}

fn travel_time(fields: Fields, removed: &mut Removed) -> Result<TravelTime, Reject> {
    let seconds =
        f32_of(fields.seconds).ok_or_else(|| Reject::new(Reason::MissingField, "seconds is absent"))?;
    Ok(TravelTime {
        from_sensor: SensorId(required(fields.from_sensor, "from_sensor")?),
        to_sensor: SensorId(required(fields.to_sensor, "to_sensor")?),
        seconds,
        vehicles: removed.whole(fields.n),
    })
}

fn signal(fields: Fields) -> Result<Signal, Reject> {
    let state = match required(fields.state, "state")?.as_str() {
        "red" => SignalState::Red,
        "amber" => SignalState::Amber,
        "green" => SignalState::Green,
        "dark" => SignalState::Dark,
        "flashing" => SignalState::Flashing,
        other => return Err(none_of("state", other, "red, amber, green, dark, flashing")),
    };
    Ok(Signal { group: required(fields.group, "group")?, state, cycle_s: f32_of(fields.cycle_s) })
}

fn alert(fields: &Fields) -> Result<Alert, Reject> {
    let kind = match required(fields.alert_type.clone(), "type")?.as_str() {
        "stopped_vehicle" => AlertKind::StoppedVehicle,
        "wrong_way" => AlertKind::WrongWay,
        "debris" => AlertKind::Debris,
        "smoke" => AlertKind::Smoke,
        "pedestrian" => AlertKind::Pedestrian,
        "congestion" => AlertKind::Congestion,
        other => {
            let expected = "stopped_vehicle, wrong_way, debris, smoke, pedestrian, congestion";
            return Err(none_of("type", other, expected));
        }
    };
    Ok(Alert { kind, confidence: f32_of(fields.confidence) })
}

fn required(field: Option<CompactString>, name: &str) -> Result<CompactString, Reject> {
    match field {
        None => Err(Reject::new(Reason::MissingField, format!("{name} is absent"))),
        Some(text) if text.is_empty() => Err(Reject::new(Reason::MissingField, format!("{name} is empty"))),
        Some(text) if text.len() > LONGEST_ID => {
            Err(Reject::new(Reason::BadValue, format!("{name} is longer than {LONGEST_ID} bytes")))
        }
        Some(text) => Ok(text),
    }
}

fn none_of(name: &str, value: &str, expected: &str) -> Reject {
    Reject::new(Reason::BadValue, format!("{name} {value:?} is none of {expected}"))
}

fn no_time(name: &str, text: &str) -> Reject {
    Reject::new(
        Reason::BadTime,
        format!("{name} {text:?} is neither RFC 3339 with a zone nor milliseconds since the epoch"),
    )
}

fn f32_of(Number(value): Number) -> Option<f32> {
    value.map(|value| value as f32)
}
