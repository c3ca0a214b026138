//! The command line.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use model::Timestamp;
use simulator::Broker;

use crate::{Failure, usage};

/// Simulates a city's traffic and its sensors, and publishes what they say over MQTT.
#[derive(Parser, Debug)]
#[command(name = "luong-sim", version, about)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    /// Plays a scenario and publishes its events over MQTT, or writes them to a file
    Run(RunArguments),
    /// Lists the built-in scenarios
    List,
    /// Checks a scenario
    Validate {
        /// A built-in scenario's name or a TOML file
        scenario: String,
    },
    /// Compares link states with the truth of a run
    Score(ScoreArguments),
    /// Writes a city as GeoJSON and a sensor registry
    City(CityArguments),
}

#[derive(Args, Debug)]
pub(crate) struct RunArguments {
    /// A built-in scenario's name (see `list`) or a TOML file
    pub(crate) scenario: String,
    /// Where to publish: `mqtt://[user:password@]host[:port]`
    #[arg(long, default_value = "mqtt://127.0.0.1:1883")]
    pub(crate) broker: Broker,
    /// Writes the events to FILE (.ndjson or .ndjson.gz) in place of publishing them
    #[arg(long, value_name = "FILE", conflicts_with = "broker")]
    pub(crate) events: Option<PathBuf>,
    /// Times real time; 0 = as fast as the broker acknowledges
    #[arg(long, default_value_t = 1.0, value_parser = speed)]
    pub(crate) speed: f64,
    /// Seconds of the scenario's own time; 0 = until it is stopped [default: the scenario's]
    #[arg(long, value_name = "SECONDS")]
    pub(crate) duration: Option<u64>,
    /// The same seed gives the same traffic, readings and faults
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Writes what really happened into DIR
    #[arg(long, value_name = "DIR")]
    pub(crate) truth: Option<PathBuf>,
    /// Event time of the beginning, RFC 3339 [default: now, with --events the scenario's]
    #[arg(long, value_name = "TIME")]
    pub(crate) start: Option<String>,
    /// Threads for large cities; the result does not depend on it
    #[arg(long, default_value = "1")]
    pub(crate) threads: NonZeroUsize,
    /// MQTT connections
    #[arg(long, default_value = "4")]
    pub(crate) connections: NonZeroUsize,
}

#[derive(Args, Debug)]
pub(crate) struct ScoreArguments {
    /// The folder that `run --truth` wrote
    #[arg(long, value_name = "DIR")]
    pub(crate) truth: PathBuf,
    /// Link states as `luong backtest --out` writes them
    #[arg(long, value_name = "STATES.csv")]
    pub(crate) states: PathBuf,
}

#[derive(Args, Debug)]
pub(crate) struct CityArguments {
    /// About how many links a made-up city gets [default: the demo city is written]
    #[arg(long)]
    pub(crate) links: Option<usize>,
    /// Of the made-up city
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// The folder to write city.geojson and sensors.csv into
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
}

impl RunArguments {
    pub(crate) fn starts(&self) -> Result<Option<Timestamp>, Failure> {
        self.start.as_deref().map(Timestamp::parse).transpose().map_err(usage)
    }
}

fn speed(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(speed) if speed.is_finite() && speed >= 0.0 => Ok(speed),
        _ => Err("a number of 0 or more is wanted: 1 = real time, 0 = as fast as possible".to_owned()),
    }
}
