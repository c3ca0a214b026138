//! The pure analyser: what sensors said goes in, what is known of each link and what happened on the network comes out.
//!
//! [`Analyzer`] is a fold over the log: [`Analyzer::advance`] moves a partition's clock to a record's `received_at`,
//! [`Analyzer::observe`] takes the record. At each boundary of log time that the clock passes, `advance` returns the
//! states that changed; the same log gives the same bytes, whatever the interleaving of partitions, the number of
//! threads or the crashes in between ([`Analyzer::checkpoint`], [`Analyzer::restore`]).
//!
//! This crate never knows IO, an async runtime, a clock, randomness, metrics or the wire format.
//!
//! Words: a *reading* belongs to the event time that its device gave it; *log time* says when we knew it; a *boundary* is
//! a multiple of a fixed step of log time; a link's *own estimate* rests on its own sensors alone; the *graph stage*
//! joins the own estimates of all links: it estimates the silent ones and traces queues.
//!
//! Reading order: [`Config`], `window` (readings by event time), `link` (the own estimate), `partition` (boundaries),
//! `graph` (neighbours, queues, incidents, events), [`forecast`] (the next hour), [`Analyzer`].

#![warn(missing_docs)]

mod analyzer;
mod audit;
mod bands;
mod bias;
mod book;
mod capacity;
mod cause;
mod chance;
mod charge;
mod checkpoint;
mod clock;
mod config;
mod cycle;
mod delay;
mod events;
mod evidence;
mod explain;
mod facility;
mod field;
mod fleet;
mod flow;
pub mod forecast;
mod forecasts;
mod forest;
mod freeflow;
mod fusion;
mod graph;
mod handed;
mod health;
mod identity;
mod incident;
mod journeys;
mod level;
mod link;
mod neighbours;
mod normal;
mod own;
mod pairs;
mod partition;
mod picture;
mod quantile;
mod queue;
mod recurrence;
mod regime;
mod road;
mod rota;
mod sample;
mod scatter;
mod set;
mod shown;
mod site;
mod smoothing;
mod source;
mod spillback;
mod splits;
mod standing;
mod storage;
#[cfg(test)]
mod streets;
mod told;
mod turns;
mod typical;
mod way;
mod window;
mod work;

pub use analyzer::{Analyzer, Changes};
pub use checkpoint::RestoreError;
pub use config::{
    Config, ConfigError, FacilityConfig, ForecastConfig, HealthConfig, IncidentConfig, PartsConfig,
    QueueConfig, UnitTable,
};
pub use explain::{
    Believed, Capacity, Class, Evidence, Explanation, Facility, Heard, Means, Measure, Neighbour, Queue,
    Road, Said, Scatter, Speed, Stage, Step, Usual,
};
pub use partition::AT_ONCE;
