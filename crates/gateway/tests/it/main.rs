//! A real gateway over a real local log, driven by real clients.

#![expect(clippy::unwrap_used, reason = "a test that fails here says where")]

mod city;
mod rig;

mod arguments;
mod events;
mod forecasts;
mod front;
mod network;
mod python;
mod states;
mod stopping;
