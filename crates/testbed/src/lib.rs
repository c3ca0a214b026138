//! The machinery that tests borrow: a real Mosquitto, a real Apache Kafka, a gRPC client that is not ours (Python),
//! a real browser, and our own binaries as child processes.
//!
//! It knows nothing of traffic and of none of our rooms; it is a dev-dependency only. Everything here blocks: a test
//! starts its servers before it does anything else.
//!
//! Words. A *component* is a program that the machine must bring (`cargo xtask setup` installs all of them). It is
//! [`Missing::Absent`] when it is not there, and [`Missing::Broken`] when it is there and does not start. A *program*
//! is a child process of this test. To *freeze* is SIGSTOP: the peer that hangs, which hurts more than the one that
//! refuses.
//!
//! Start with [`require`]:
//!
//! ```no_run
//! use testbed::{Mosquitto, require};
//!
//! let Some(mut broker) = require(Mosquitto::start()) else { return };
//! let url = broker.url(); // mqtt://127.0.0.1:<a free port>
//! broker.kill();
//! broker.restart().expect("the port was ours a moment ago");
//! ```
//!
//! Every child dies with its handle, and with the test process if that is killed first.

mod component;
mod program;

mod kafka;
mod mosquitto;

mod chromium;
mod python;

mod place;
mod port;

pub use chromium::Chromium;
pub use component::{Missing, require};
pub use kafka::Kafka;
pub use mosquitto::Mosquitto;
pub use place::{components, tool, workspace_root};
pub use program::{Program, ProgramError, Signal};
pub use python::{Python, ScriptError};
