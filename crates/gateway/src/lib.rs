//! The gateway: tells everyone what the log says of the network now, and what it expects of the next hour.
//!
//! It follows the link states, the forecasts and the events of the log into three immutable values, each replaced by its
//! one writer: the *picture* (the newest state of every link), the *outlook* (the newest forecast of every link) and the
//! *book* (the newest change of every event). Services read them: gRPC and gRPC-web for programs, and a web page for people.
//!
//! Nothing is queued for a client. A watcher is a cursor into the newest picture; a slow one gets the newest state when it
//! is ready for it, and costs the others nothing. Link states are never decoded and encoded again: the log's own bytes
//! go out, put together into frames that watchers of the same thing share.
//!
//! This crate knows nothing of how states come about, of sensors' protocols, or of which kind of log it reads.
//!
//! Start with [`Gateway::start`]; then `tail` (in), `picture` and `book` (what is known), `walk` and `watch` (out).

mod arguments;
mod book;
mod config;
mod cors;
mod frames;
mod gateway;
mod metrics;
mod network;
mod outlook;
mod page;
mod picture;
mod readings;
mod selection;
mod server;
mod services;
mod shared;
mod tail;
mod token;
mod walk;
mod watch;

pub use config::Config;
pub use gateway::{Gateway, Parts, StartError, Status};
pub use shared::Clock;
