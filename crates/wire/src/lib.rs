//! The contract on the wire: generated types and services of `luong.v1`, and their translation to and from `model`.
//!
//! Nothing above this crate names a protobuf library. What is generated is in [`v1`]; what a record of each topic
//! holds is encoded and decoded by the functions beside it; [`client`] connects to a gateway;
//! [`FILE_DESCRIPTOR_SET`] serves reflection.
//!
//! This crate knows nothing of the log, of MQTT or of what the values are used for.

pub mod client;
mod error;
mod event;
mod forecast;
mod observation;
mod reading;
mod state;
mod time;
pub mod topic;
mod vehicle;

pub use error::DecodeError;
pub use event::{decode_event, encode_event, event_message};
pub use forecast::{decode_forecast, encode_forecast};
pub use observation::{
    DeadLetter, LogRecord, SensorMessage, decode_dead_letter, decode_log_record, decode_sensor_message,
    encode_dead_letter, encode_marker, encode_observation, encode_sensor_message,
};
pub use state::{decode_link_state, encode_link_state, level_message, link_state_message};
pub use time::{from_proto_time, to_proto_time};

/// What [`encode`] and [`decode`] ask of a message of [`v1`].
pub use prost::Message;

/// Generated from `proto/luong/v1`.
#[expect(
    unused_qualifications,
    clippy::allow_attributes_without_reason,
    reason = "generated; documented in proto/"
)]
pub mod v1 {
    tonic::include_proto!("luong.v1");
}

/// All of `proto/luong/v1`, as reflection wants it.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/luong.v1.bin"));

/// Encodes any message of [`v1`], for those that keep or frame the bytes themselves.
pub fn encode(message: &impl Message) -> bytes::Bytes {
    message.encode_to_vec().into()
}

/// Decodes any message of [`v1`].
///
/// # Errors
/// When the bytes are no such message.
pub fn decode<M: Message + Default>(bytes: &[u8]) -> Result<M, DecodeError> {
    Ok(M::decode(bytes)?)
}
