//! What sensors say -> observations in the log. An event is acknowledged to its device only when the log holds it.
//!
//! ```text
//! mqtt -> lane -> decode -> normalise -> eventlog ─┐
//!   ^                                              │ durable
//!   └──────────── acknowledgements, in order ◄─────┘
//! ```
//!
//! [`decode`] and [`normalise`] are sync and pure; everything that waits is in the pipeline and in [`mqtt`]. What can't
//! be used is a [`Reject`]: data that goes to the dead letters, is acknowledged like the rest and stops nobody.
//!
//! This crate never knows what the values are used for: no traffic state, no gRPC.
//!
//! Words: an *event* is what a device publishes; a *reading* is what it measured; an *observation* is a reading placed
//! on a link; a *lane* (of this crate) is a bounded queue with one worker.

#![warn(clippy::indexing_slicing)]

mod decode;
mod normalise;
mod reject;
mod topic;

pub use decode::{Decoded, Header, decode, native};
pub use normalise::{ClockMode, Normaliser, Placed, Rules};
pub use reject::{Reason, Reject};
pub use topic::{Encoding, EventTopic};
