//! What sensors say -> observations in the log. An event is acknowledged to its device only when the log holds it.
//!
//! ```text
//! mqtt -> lane -> decode -> normalise -> eventlog ─┐
//!   ^                                              │ durable
//!   └──────────── acknowledgements, in order ◄─────┘
//! ```
//!
//! [`decode()`] and [`Normaliser`] are sync and pure; everything that waits is in the lanes and in `mqtt`. What can't
//! be used is a [`Reject`]: data that goes to the dead letters, is acknowledged like the rest and stops nobody.
//!
//! This crate never knows what the values are used for: no traffic state, no gRPC.
//!
//! Words: an *event* is what a device publishes; a *reading* is what it measured; an *observation* is a reading placed
//! on a link; a *lane* (of this crate) is a bounded queue with one worker.

#![warn(clippy::indexing_slicing)]

mod config;
mod ingest;

mod mqtt;

mod ack;
mod lane;

mod decode;
mod normalise;
mod reject;
mod topic;

mod clock;
mod marker;
mod metrics;
mod notice;
mod status;

pub use clock::Clock;
pub use config::Config;
pub use decode::{Decoded, Header, decode, native};
pub use ingest::{Ingest, Parts, StartError, StatusHandle};
pub use mqtt::broker::BrokerConfigError;
pub use mqtt::{BrokerConfig, ListenerConfig};
pub use normalise::{ClockMode, Normaliser, Placed, Rules};
pub use reject::{Reason, Reject};
pub use status::Status;
pub use topic::{Encoding, EventTopic};
