//! One suite for both backends (`conformance`), and what only one of them can show.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod conformance;
mod kafka;
mod local;
mod local_crash;
mod support;
