//! Why an event could not be used: data, not an error. It goes to the dead letters with its bytes.

/// An event that can't be used, and why.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{}: {detail}", reason.name())]
pub struct Reject {
    /// From the closed list.
    pub reason: Reason,
    /// In words: what is wrong, and what to do where that is known.
    pub detail: String,
}

impl Reject {
    pub(crate) fn new(reason: Reason, detail: impl Into<String>) -> Self {
        /// A detail is a sentence; what quotes the input must not grow with it.
        const LONGEST: usize = 200;
        let mut detail = detail.into();
        if detail.len() > LONGEST {
            detail = detail.chars().take(LONGEST).collect();
        }
        Self { reason, detail }
    }
}

/// The closed list of reasons: names of dead letters and values of the metric's label `reason`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum Reason {
    /// The MQTT topic is not `luong/v1/{sensor_id}/{kind}` or `luong/v1pb/{sensor_id}/{kind}`.
    BadTopic,
    /// The kind is none of the seven.
    UnknownKind,
    /// The payload has no bytes.
    EmptyPayload,
    /// The packet is over the limit; only its beginning is kept.
    TooLarge,
    /// The payload is no JSON object: cut off, not UTF-8, nested too deep, or something else.
    BadJson,
    /// The payload is no `luong.v1.SensorMessage`.
    BadProtobuf,
    /// The protobuf message holds another kind of reading than its topic says.
    KindMismatch,
    /// A field without which the kind means nothing is absent.
    MissingField,
    /// A field without which the kind means nothing holds something that it can't mean.
    BadValue,
    /// `at` is absent, no time, or has no zone.
    BadTime,
    /// `at` is further in the future than `clock.max_skew_s`.
    ClockAhead,
    /// `at` is older than what the log keeps, or before the year 2000.
    ClockBehind,
    /// The registry has no such sensor.
    UnknownSensor,
    /// The registry places the sensor on no link.
    SensorWithoutLink,
    /// A position outside the globe, or exactly 0, 0.
    BadPosition,
    /// No link near the position goes that way.
    OffNetwork,
    /// The lane can't be.
    BadLane,
    /// Nothing was measured, or nothing is left after impossible values were removed.
    NothingMeasured,
}

impl Reason {
    /// All reasons.
    pub const ALL: [Self; 18] = [
        Self::BadTopic,
        Self::UnknownKind,
        Self::EmptyPayload,
        Self::TooLarge,
        Self::BadJson,
        Self::BadProtobuf,
        Self::KindMismatch,
        Self::MissingField,
        Self::BadValue,
        Self::BadTime,
        Self::ClockAhead,
        Self::ClockBehind,
        Self::UnknownSensor,
        Self::SensorWithoutLink,
        Self::BadPosition,
        Self::OffNetwork,
        Self::BadLane,
        Self::NothingMeasured,
    ];

    /// Returns the name that dead letters and metrics use.
    pub const fn name(self) -> &'static str {
        match self {
            Self::BadTopic => "bad_topic",
            Self::UnknownKind => "unknown_kind",
            Self::EmptyPayload => "empty_payload",
            Self::TooLarge => "too_large",
            Self::BadJson => "bad_json",
            Self::BadProtobuf => "bad_protobuf",
            Self::KindMismatch => "kind_mismatch",
            Self::MissingField => "missing_field",
            Self::BadValue => "bad_value",
            Self::BadTime => "bad_time",
            Self::ClockAhead => "clock_ahead",
            Self::ClockBehind => "clock_behind",
            Self::UnknownSensor => "unknown_sensor",
            Self::SensorWithoutLink => "sensor_without_link",
            Self::BadPosition => "bad_position",
            Self::OffNetwork => "off_network",
            Self::BadLane => "bad_lane",
            Self::NothingMeasured => "nothing_measured",
        }
    }
}
