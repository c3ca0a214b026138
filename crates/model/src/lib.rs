//! The words of the field: identities, time, vehicle classes, what a sensor observed, what a link's state is,
//! and what happened on the network.
//!
//! Plain values only. This crate never knows IO, an async runtime, a clock or the wire format.
//!
//! Start with [`Observation`] (what goes into the analyser) and [`LinkState`] (what comes out).

#![warn(missing_docs)]

mod event;
mod forecast;
mod ids;
mod observation;
mod state;
mod time;
mod vehicle;

pub use event::{EventChange, EventKind, HeadKind, TrafficEvent};
pub use forecast::{Forecast, ForecastPoint};
pub use ids::{LinkId, SensorId};
pub use observation::{
    Aggregate, Alert, AlertKind, Identity, Observation, Passage, Probe, Quality, Queue, Reading, ReadingKind,
    Signal, SignalState, SpeedMean, TravelTime,
};
pub use state::{LevelOfService, LinkState, Source};
pub use time::{TimeError, Timestamp};
pub use vehicle::{ClassCounts, ClassSet, UnknownClass, VehicleClass};
