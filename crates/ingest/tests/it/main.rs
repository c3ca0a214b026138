//! One binary for all integration tests of ingest.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod bad_input;
mod city;
mod device;
mod golden;
mod listener;
mod rig;
