//! The fields of all seven kinds, read in one pass over the JSON.
//!
//! Devices are sloppy, so a scalar of the wrong type is no error of the whole event: numbers come as text (`"27.4"`),
//! names as numbers (`"vehicle_id":423`), and `null` is absent. What can't be read as its field's type becomes NaN (or
//! "unusable"), which screening removes like any other impossible value.

use std::fmt;

use compact_str::{CompactString, ToCompactString as _};
use model::{ClassCounts, Timestamp, VehicleClass};
use serde::Deserializer;
use serde::de::{Deserialize, DeserializeSeed, Error, MapAccess, SeqAccess, Visitor};

use super::instant;

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

/// A number; NaN where something else stood. Absent where nothing did.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Number(pub(super) Option<f64>);

/// The device's own count; `Unusable` where something else stood.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub(super) enum Sequence {
    #[default]
    Absent,
    Unusable,
    Count(u64),
}

/// A time; `Unusable` where something else stood.
#[derive(Clone, PartialEq, Debug, Default)]
pub(super) enum Instant {
    #[default]
    Absent,
    Unusable(CompactString),
    At(Timestamp),
}

/// Yes or no; also 0, 1, `"true"`, `"false"`.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub(super) enum Flag {
    #[default]
    Absent,
    Unusable,
    Told(bool),
}

/// Vehicles by class; unusable as a whole when one number is, because then the sum is wrong.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub(super) enum Counts {
    #[default]
    Absent,
    Unusable,
    Counted(ClassCounts),
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

/// What a JSON value may turn out to be; each field type says what it makes of it.
trait Scalar: Sized {
    fn absent() -> Self;
    fn unusable() -> Self;
    fn of_number(value: f64) -> Self;
    fn of_text(text: &str) -> Self;
    fn of_unsigned(value: u64) -> Self {
        Self::of_number(value as f64)
    }
    fn of_signed(value: i64) -> Self {
        Self::of_number(value as f64)
    }
    fn of_bool(_: bool) -> Self {
        Self::unusable()
    }
}

struct ScalarVisitor<T>(std::marker::PhantomData<T>);

impl<'de, T: Scalar> Visitor<'de> for ScalarVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: Error>(self) -> Result<T, E> {
        Ok(T::absent())
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<T, E> {
        Ok(T::of_bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<T, E> {
        Ok(T::of_signed(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<T, E> {
        Ok(T::of_unsigned(value))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<T, E> {
        Ok(T::of_number(value))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        Ok(T::of_text(text.trim_ascii()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<T, A::Error> {
        SKIP.visit_seq(seq)?;
        Ok(T::unusable())
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        SKIP.visit_map(map)?;
        Ok(T::unusable())
    }
}

fn scalar<'de, T: Scalar, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    deserializer.deserialize_any(ScalarVisitor(std::marker::PhantomData))
}

impl Scalar for Number {
    fn absent() -> Self {
        Self(None)
    }

    fn unusable() -> Self {
        Self(Some(f64::NAN))
    }

    fn of_number(value: f64) -> Self {
        Self(Some(value))
    }

    fn of_text(text: &str) -> Self {
        if text.is_empty() { Self(None) } else { Self(Some(text.parse().unwrap_or(f64::NAN))) }
    }
}

impl Scalar for Sequence {
    fn absent() -> Self {
        Self::Absent
    }

    fn unusable() -> Self {
        Self::Unusable
    }

    fn of_unsigned(value: u64) -> Self {
        Self::Count(value)
    }

    fn of_number(value: f64) -> Self {
        /// Beyond it neighbouring integers are one `f64`.
        const EXACT: f64 = 9_007_199_254_740_992.0;
        let whole = (0.0..EXACT).contains(&value) && value.fract() == 0.0;
        if whole { Self::Count(value as u64) } else { Self::Unusable }
    }

    fn of_text(text: &str) -> Self {
        text.parse().map_or(Self::Unusable, Self::Count)
    }
}

impl Scalar for Instant {
    fn absent() -> Self {
        Self::Absent
    }

    fn unusable() -> Self {
        Self::Unusable("something that is no time".into())
    }

    fn of_number(value: f64) -> Self {
        instant::from_number(value).map_or_else(|| Self::Unusable(value.to_compact_string()), Self::At)
    }

    fn of_text(text: &str) -> Self {
        /// Enough to show what came.
        const QUOTED: usize = 40;
        instant::from_text(text).map_or_else(|| Self::Unusable(text.chars().take(QUOTED).collect()), Self::At)
    }
}

impl Scalar for Flag {
    fn absent() -> Self {
        Self::Absent
    }

    fn unusable() -> Self {
        Self::Unusable
    }

    fn of_bool(value: bool) -> Self {
        Self::Told(value)
    }

    fn of_number(value: f64) -> Self {
        match value {
            0.0 => Self::Told(false),
            1.0 => Self::Told(true),
            _ => Self::Unusable,
        }
    }

    fn of_text(text: &str) -> Self {
        match text {
            "true" | "1" => Self::Told(true),
            "false" | "0" => Self::Told(false),
            _ => Self::Unusable,
        }
    }
}

/// A name; absent where something else stood.
struct Text(Option<CompactString>);

impl Scalar for Text {
    fn absent() -> Self {
        Self(None)
    }

    fn unusable() -> Self {
        Self(None)
    }

    fn of_unsigned(value: u64) -> Self {
        Self(Some(value.to_compact_string()))
    }

    fn of_signed(value: i64) -> Self {
        Self(Some(value.to_compact_string()))
    }

    fn of_number(value: f64) -> Self {
        Self(Some(value.to_compact_string()))
    }

    fn of_text(text: &str) -> Self {
        Self(Some(text.into()))
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        scalar(deserializer)
    }
}

impl<'de> Deserialize<'de> for Sequence {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        scalar(deserializer)
    }
}

impl<'de> Deserialize<'de> for Instant {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        scalar(deserializer)
    }
}

impl<'de> Deserialize<'de> for Flag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        scalar(deserializer)
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        scalar(deserializer)
    }
}

impl<'de> Deserialize<'de> for Counts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(CountsVisitor)
    }
}

struct CountsVisitor;

impl<'de> Visitor<'de> for CountsVisitor {
    type Value = Counts;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("counts by class")
    }

    fn visit_unit<E: Error>(self) -> Result<Counts, E> {
        Ok(Counts::Absent)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Counts, E> {
        Ok(Counts::Unusable)
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Counts, E> {
        Ok(Counts::Unusable)
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Counts, E> {
        Ok(Counts::Unusable)
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Counts, E> {
        Ok(Counts::Unusable)
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<Counts, E> {
        Ok(Counts::Unusable)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Counts, A::Error> {
        SKIP.visit_seq(seq)?;
        Ok(Counts::Unusable)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Counts, A::Error> {
        let mut all = ClassCounts::default();
        let mut usable = true;
        while let Some(Class(class)) = map.next_key()? {
            match map.next_value::<Number>()?.0 {
                None => {}
                Some(n) if whole(n) => all[class] = all[class].saturating_add(n as u32),
                Some(_) => usable = false,
            }
        }
        Ok(if usable { Counts::Counted(all) } else { Counts::Unusable })
    }
}

/// Tells whether a number counts something.
pub(super) fn whole(n: f64) -> bool {
    (0.0..=f64::from(u32::MAX)).contains(&n) && n.fract() == 0.0
}

/// A class by its name; a name that is none counts as `other`, so that the sum stays right.
struct Class(VehicleClass);

impl<'de> Deserialize<'de> for Class {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ClassVisitor;
        impl Visitor<'_> for ClassVisitor {
            type Value = Class;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a vehicle class")
            }

            fn visit_str<E: Error>(self, name: &str) -> Result<Class, E> {
                Ok(Class(class_or_other(name)))
            }
        }
        deserializer.deserialize_str(ClassVisitor)
    }
}

pub(super) fn class_or_other(name: &str) -> VehicleClass {
    VehicleClass::ALL.into_iter().find(|class| class.name() == name).unwrap_or(VehicleClass::Other)
}

/// A value that nobody wants, and how many levels it may still go down. Not serde's `IgnoredAny`: the parser skips that
/// by recursion without a limit, so that a packet full of `[` would overflow the stack.
#[derive(Clone, Copy)]
struct Skip {
    levels: u8,
}

/// Device messages nest two or three levels; 255 of the parser's frames would not fit a small stack.
const SKIP: Skip = Skip { levels: 16 };

impl Skip {
    fn deeper<E: Error>(self) -> Result<Self, E> {
        let levels = self.levels.checked_sub(1).ok_or_else(|| E::custom("nested too deep"))?;
        Ok(Self { levels })
    }
}

impl<'de> DeserializeSeed<'de> for Skip {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Skip {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let below = self.deeper()?;
        while seq.next_element_seed(below)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let below = self.deeper()?;
        while map.next_key_seed(below)?.is_some() {
            map.next_value_seed(below)?;
        }
        Ok(())
    }
}
