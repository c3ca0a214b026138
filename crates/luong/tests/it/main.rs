//! The service as its users meet it: the real binary, real brokers, clients that are not ours.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod service;

mod command_line;
mod deploy;
mod explain;
mod forecast;
mod roles;
mod up;
