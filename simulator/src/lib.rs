//! A city that moves: traffic, imperfect sensors, faults and the truth.
//!
//! This crate knows roads (`roadnet`) and words (`model`) alone. It never knows how the service decodes, estimates or
//! serves: its encoders are its own, so that one bug can't hide another.
//!
//! Words: a *city* is a road network with devices and *zones*, where trips begin and end; a *scenario* says which city,
//! which hour, which incidents and which faults; *truth* is what really happened on each link in each minute.
//!
//! Start with [`city::demo`] for a city, [`Scenario`] for what happens in it, and [`Run`] to make it happen.

mod run;
mod scenario;

pub mod city;
pub mod traffic;

mod play;
mod sensing;

mod event;

mod publish;
mod score;
mod truth;

mod nearest;
mod random;

pub use event::Message;
pub use publish::{Broker, BrokerError, PublishError};
pub use run::{Options, Progress, Run, RunError, Summary};
pub use scenario::{CityChoice, Faults, Field, Measuring, PlannedIncident, Scenario, ScenarioError};
pub use score::{Report, Score, ScoreError, score};
pub use truth::TruthError;
