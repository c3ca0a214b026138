//! The contract on the wire: generated types and services of `luong.v1`, and their translation to and from `model`.
//!
//! Nothing above this crate names a protobuf library. What is generated is in [`v1`]; the translation is in
//! `observation`, `state` and `event`; [`FILE_DESCRIPTOR_SET`] serves reflection.

mod event;
mod network;
mod observation;
mod state;
mod time;

#[expect(
    missing_docs,
    clippy::all,
    unreachable_pub,
    unused_qualifications,
    reason = "generated from proto/, where the documentation is"
)]
pub mod v1 {
    tonic::include_proto!("luong.v1");
}

/// All of `proto/luong/v1`, as reflection wants it.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/luong.v1.bin"));
