//! Numbers, times, flags and names, however a device writes them.

use std::fmt;
use std::marker::PhantomData;

use compact_str::{CompactString, ToCompactString as _};
use model::Timestamp;
use serde::Deserializer;
use serde::de::{Deserialize, Error, MapAccess, SeqAccess, Visitor};

use super::skip::SKIP;
use crate::decode::instant;

/// A number; NaN where something else stood. Absent where nothing did.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::decode) struct Number(pub(in crate::decode) Option<f64>);

/// The device's own count; `Unusable` where something else stood.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub(in crate::decode) enum Sequence {
    #[default]
    Absent,
    Unusable,
    Count(u64),
}

/// A time; `Unusable` where something else stood.
#[derive(Clone, PartialEq, Debug, Default)]
pub(in crate::decode) enum Instant {
    #[default]
    Absent,
    Unusable(CompactString),
    At(Timestamp),
}

/// Yes or no; also 0, 1, `"true"`, `"false"`.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub(in crate::decode) enum Flag {
    #[default]
    Absent,
    Unusable,
    Told(bool),
}

/// A name; absent where something else stood.
pub(super) struct Text(pub(super) Option<CompactString>);

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

struct ScalarVisitor<T>(PhantomData<T>);

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
    deserializer.deserialize_any(ScalarVisitor(PhantomData))
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
