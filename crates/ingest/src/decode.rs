//! Bytes in a device's shape -> [`Decoded`], or a [`Reject`]. Sync and pure.
//!
//! What the shapes share is here: the header, and [`screen`], which removes what can't be.

mod fields;
mod instant;
pub mod native;
mod protobuf;
mod screen;

use model::{Quality, Reading, ReadingKind, Timestamp};

use crate::Reject;
use crate::topic::Encoding;

/// One event, before it is known where its sensor stands.
#[derive(Clone, PartialEq, Debug)]
pub struct Decoded {
    /// What all kinds have.
    pub header: Header,
    /// What was measured, without what can't be.
    pub reading: Reading,
    /// [`Quality::VALUE_REMOVED`] where something was.
    pub quality: Quality,
    /// Fields that no kind knows; they were ignored.
    pub unknown_fields: u32,
}

/// What all kinds of events have.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Header {
    /// The device's own count.
    pub seq: Option<u64>,
    /// The END of the period, by the device's clock.
    pub at: Timestamp,
    /// Length of the period.
    pub period_s: Option<f32>,
    /// 1 = nearest the kerb; absent = all lanes.
    pub lane: Option<u8>,
}

/// Decodes one event.
///
/// # Errors
/// A [`Reject`] when it can't be used.
pub fn decode(encoding: Encoding, kind: ReadingKind, payload: &[u8]) -> Result<Decoded, Reject> {
    match encoding {
        Encoding::Json => native::decode(kind, payload),
        Encoding::Protobuf => protobuf::decode(kind, payload),
    }
}
