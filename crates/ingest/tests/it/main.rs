//! One binary for all integration tests of ingest.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]
#![expect(clippy::print_stdout, reason = "measurements and long runs tell what they found")]

mod bad_input;
mod broker;
mod city;
mod device;
mod fuzz;
mod golden;
mod listener;
mod peers;
mod rig;
mod speed;
