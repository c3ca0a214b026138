//! Instants.

use model::Timestamp;

use crate::DecodeError;

/// Returns the instant as protobuf has it.
pub fn to_proto_time(at: Timestamp) -> prost_types::Timestamp {
    let millis = at.as_millis();
    prost_types::Timestamp {
        seconds: millis.div_euclid(1000),
        nanos: (millis.rem_euclid(1000) * 1_000_000) as i32,
    }
}

/// Returns the instant, to the millisecond.
///
/// # Errors
/// Outside the years 1 to 9999, which is as far as a protobuf time goes.
pub fn from_proto_time(at: &prost_types::Timestamp) -> Result<Timestamp, DecodeError> {
    const YEAR_1: i64 = -62_135_596_800;
    const YEAR_10000: i64 = 253_402_300_800;
    if !(YEAR_1..YEAR_10000).contains(&at.seconds) || !(0..1_000_000_000).contains(&at.nanos) {
        return Err(DecodeError::out_of_range("timestamp", format_args!("{} s {} ns", at.seconds, at.nanos)));
    }
    Ok(Timestamp::from_millis(at.seconds * 1000 + i64::from(at.nanos / 1_000_000)))
}

pub(crate) fn required(
    at: Option<&prost_types::Timestamp>,
    field: &'static str,
) -> Result<Timestamp, DecodeError> {
    from_proto_time(at.ok_or(DecodeError::Missing(field))?)
}
