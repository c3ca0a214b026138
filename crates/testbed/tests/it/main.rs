//! The components for real.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod kafka;
mod mosquitto;
mod python;
