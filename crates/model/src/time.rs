//! Instants, in milliseconds. Two clocks use them and are never mixed: event time (a reading's `at`) and log
//! time (`received_at`).

use std::fmt;
use std::ops::{Add, Sub};

use serde::{Deserialize, Serialize};

/// An instant: milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
pub struct Timestamp(i64);

/// A text that is not an instant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an RFC 3339 time with a zone: {text:?}")]
pub struct TimeError {
    text: String,
}

impl Timestamp {
    /// Earlier than any reading.
    pub const MIN: Self = Self(i64::MIN / 4);

    /// Returns the instant that many milliseconds after the epoch.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Returns the milliseconds since the epoch.
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// Reads an RFC 3339 text.
    ///
    /// # Errors
    /// When the text is no RFC 3339 time or has no zone: a local time can't be placed.
    ///
    /// ```
    /// let at: model::Timestamp = model::Timestamp::parse("2026-11-22T07:00:30.250+07:00").unwrap();
    /// assert_eq!(at.to_string(), "2026-11-22T00:00:30.250Z");
    /// ```
    pub fn parse(text: &str) -> Result<Self, TimeError> {
        match text.parse::<jiff::Timestamp>() {
            Ok(at) => Ok(Self(at.as_millisecond())),
            Err(_) => Err(TimeError { text: text.chars().take(64).collect() }),
        }
    }

    /// Returns the latest multiple of `step_ms` that is not after this instant.
    pub const fn floor(self, step_ms: i64) -> Self {
        Self(self.0.div_euclid(step_ms) * step_ms)
    }

    /// Returns this instant moved by `millis`.
    pub const fn plus_millis(self, millis: i64) -> Self {
        Self(self.0.saturating_add(millis))
    }

    /// Returns the seconds from `earlier` to this instant; negative when `earlier` is later.
    pub fn seconds_since(self, earlier: Self) -> f64 {
        (self - earlier) as f64 / 1000.0
    }
}

/// RFC 3339 with milliseconds, UTC.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(at) => write!(f, "{at:.3}"),
            Err(_) => write!(f, "{} ms", self.0),
        }
    }
}

impl Sub for Timestamp {
    type Output = i64;

    /// Milliseconds from `other` to this instant.
    fn sub(self, other: Self) -> i64 {
        self.0.saturating_sub(other.0)
    }
}

impl Add<i64> for Timestamp {
    type Output = Self;

    /// This instant moved by milliseconds.
    fn add(self, millis: i64) -> Self {
        self.plus_millis(millis)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_instant_agree_both_ways() {
        for text in ["2026-11-22T07:00:30.000Z", "1969-12-31T23:59:59.999Z", "2024-02-29T00:00:00.001Z"] {
            assert_eq!(Timestamp::parse(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn a_time_without_a_zone_is_refused() {
        assert!(Timestamp::parse("2026-11-22T07:00:30").is_err());
    }

    #[test]
    fn floor_goes_down_before_the_epoch_too() {
        assert_eq!(Timestamp::from_millis(-1).floor(1000), Timestamp::from_millis(-1000));
    }
}
