//! The fields of all seven kinds, read in one pass over the JSON.
//!
//! Devices are sloppy, so a scalar of the wrong type is no error of the whole event: numbers come as text (`"27.4"`),
//! names as numbers (`"vehicle_id":423`), and `null` is absent. What can't be read as its field's type becomes NaN (or
//! "unusable"), which screening removes like any other impossible value.

mod counts;
mod scalar;
mod skip;

use std::fmt;

use compact_str::CompactString;
use serde::Deserializer;
use serde::de::{Deserialize, Error, MapAccess, Visitor};

pub(super) use counts::{Counts, class_or_other, whole};
use scalar::Text;
pub(super) use scalar::{Flag, Instant, Number, Sequence};
use skip::SKIP;

/// Everything that an event may say.
#[derive(Debug, Default)]
pub(super) struct Fields {
    pub(super) sensor_id: Option<CompactString>,
    pub(super) kind: Option<CompactString>,
    pub(super) received_at: Instant,
    pub(super) seq: Sequence,
    pub(super) at: Instant,
    pub(super) period_s: Number,
    pub(super) lane: Number,
    pub(super) counts: Counts,
    pub(super) class_counts: Counts,
    pub(super) speed_kmh: Number,
    pub(super) speed_mean: Option<CompactString>,
    pub(super) occupancy: Number,
    pub(super) queue_m: Number,
    pub(super) headway_s: Number,
    pub(super) class: Option<CompactString>,
    pub(super) length_m: Number,
    pub(super) wrong_way: Flag,
    pub(super) vehicle_id: Option<CompactString>,
    pub(super) lon: Number,
    pub(super) lat: Number,
    pub(super) heading_deg: Number,
    pub(super) in_service: Flag,
    pub(super) stopped: Number,
    pub(super) from_sensor: Option<CompactString>,
    pub(super) to_sensor: Option<CompactString>,
    pub(super) seconds: Number,
    pub(super) n: Number,
    pub(super) group: Option<CompactString>,
    pub(super) state: Option<CompactString>,
    pub(super) cycle_s: Number,
    pub(super) alert_type: Option<CompactString>,
    pub(super) confidence: Number,
    /// Fields of none of these names.
    pub(super) unknown: u32,
}

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(FieldsVisitor)
    }
}

struct FieldsVisitor;

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = Fields;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of fields")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
        let mut fields = Fields::default();
        while let Some(name) = map.next_key::<Name>()? {
            name.read(&mut fields, &mut map)?;
        }
        Ok(fields)
    }
}

#[derive(Clone, Copy)]
enum Name {
    SensorId,
    Kind,
    ReceivedAt,
    Seq,
    At,
    PeriodS,
    Lane,
    Counts,
    ClassCounts,
    SpeedKmh,
    SpeedMean,
    Occupancy,
    QueueM,
    HeadwayS,
    Class,
    LengthM,
    WrongWay,
    VehicleId,
    Lon,
    Lat,
    HeadingDeg,
    InService,
    Stopped,
    FromSensor,
    ToSensor,
    Seconds,
    N,
    Group,
    State,
    CycleS,
    Type,
    Confidence,
    Unknown,
}

impl Name {
    fn of(name: &str) -> Self {
        match name {
            "sensor_id" => Self::SensorId,
            "kind" => Self::Kind,
            "received_at" => Self::ReceivedAt,
            "seq" => Self::Seq,
            "at" => Self::At,
            "period_s" => Self::PeriodS,
            "lane" => Self::Lane,
            "counts" => Self::Counts,
            "class_counts" => Self::ClassCounts,
            "speed_kmh" => Self::SpeedKmh,
            "speed_mean" => Self::SpeedMean,
            "occupancy" => Self::Occupancy,
            "queue_m" => Self::QueueM,
            "headway_s" => Self::HeadwayS,
            "class" => Self::Class,
            "length_m" => Self::LengthM,
            "wrong_way" => Self::WrongWay,
            "vehicle_id" => Self::VehicleId,
            "lon" => Self::Lon,
            "lat" => Self::Lat,
            "heading_deg" => Self::HeadingDeg,
            "in_service" => Self::InService,
            "stopped" => Self::Stopped,
            "from_sensor" => Self::FromSensor,
            "to_sensor" => Self::ToSensor,
            "seconds" => Self::Seconds,
            "n" => Self::N,
            "group" => Self::Group,
            "state" => Self::State,
            "cycle_s" => Self::CycleS,
            "type" => Self::Type,
            "confidence" => Self::Confidence,
            _ => Self::Unknown,
        }
    }

    fn read<'de, A: MapAccess<'de>>(self, fields: &mut Fields, map: &mut A) -> Result<(), A::Error> {
        match self {
            Self::SensorId => fields.sensor_id = map.next_value::<Text>()?.0,
            Self::Kind => fields.kind = map.next_value::<Text>()?.0,
            Self::ReceivedAt => fields.received_at = map.next_value()?,
            Self::Seq => fields.seq = map.next_value()?,
            Self::At => fields.at = map.next_value()?,
            Self::PeriodS => fields.period_s = map.next_value()?,
            Self::Lane => fields.lane = map.next_value()?,
            Self::Counts => fields.counts = map.next_value()?,
            Self::ClassCounts => fields.class_counts = map.next_value()?,
            Self::SpeedKmh => fields.speed_kmh = map.next_value()?,
            Self::SpeedMean => fields.speed_mean = map.next_value::<Text>()?.0,
            Self::Occupancy => fields.occupancy = map.next_value()?,
            Self::QueueM => fields.queue_m = map.next_value()?,
            Self::HeadwayS => fields.headway_s = map.next_value()?,
            Self::Class => fields.class = map.next_value::<Text>()?.0,
            Self::LengthM => fields.length_m = map.next_value()?,
            Self::WrongWay => fields.wrong_way = map.next_value()?,
            Self::VehicleId => fields.vehicle_id = map.next_value::<Text>()?.0,
            Self::Lon => fields.lon = map.next_value()?,
            Self::Lat => fields.lat = map.next_value()?,
            Self::HeadingDeg => fields.heading_deg = map.next_value()?,
            Self::InService => fields.in_service = map.next_value()?,
            Self::Stopped => fields.stopped = map.next_value()?,
            Self::FromSensor => fields.from_sensor = map.next_value::<Text>()?.0,
            Self::ToSensor => fields.to_sensor = map.next_value::<Text>()?.0,
            Self::Seconds => fields.seconds = map.next_value()?,
            Self::N => fields.n = map.next_value()?,
            Self::Group => fields.group = map.next_value::<Text>()?.0,
            Self::State => fields.state = map.next_value::<Text>()?.0,
            Self::CycleS => fields.cycle_s = map.next_value()?,
            Self::Type => fields.alert_type = map.next_value::<Text>()?.0,
            Self::Confidence => fields.confidence = map.next_value()?,
            Self::Unknown => {
                map.next_value_seed(SKIP)?;
                fields.unknown += 1;
            }
        }
        Ok(())
    }
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NameVisitor;
        impl Visitor<'_> for NameVisitor {
            type Value = Name;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a field's name")
            }

            fn visit_str<E: Error>(self, name: &str) -> Result<Name, E> {
                Ok(Name::of(name))
            }
        }
        deserializer.deserialize_str(NameVisitor)
    }
}
