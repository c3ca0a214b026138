//! What an operator can set.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Section `gateway` of the configuration, but for the addresses: whoever starts the gateway binds them.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// What the page and clients call the network; it should say so where that is a schematic or made up.
    pub title: String,
    /// How long changes are gathered before watchers are told, milliseconds: less is fresher, more is cheaper.
    pub tick_ms: u64,
    /// A picture whose newest state is older than this is not healthy, seconds; 0 = any age is.
    pub stale_after_s: u64,
    /// A forecast that was last said longer ago than this is left out, seconds: the analyser says each anew at least every
    /// quarter of an hour.
    pub forecast_kept_s: u64,
    /// Connections served at once, for each address, at least 1; further ones wait.
    pub max_connections: usize,
    /// Calls at once on one connection.
    pub max_streams_per_connection: u32,
    /// After this a connection is asked to come again, so that clients spread over new gateways, seconds; 0 = never.
    pub max_connection_age_s: u64,
    /// How long calls may still run on a connection that was asked to come again, seconds.
    pub connection_grace_s: u64,
    /// How long streams may take to end when the gateway stops, seconds.
    pub shutdown_grace_s: u64,
    /// Web pages of these origins may call over gRPC-web: `https://traffic.example`, `http://localhost:*` for any
    /// port, or `*`. The gateway's own page always may.
    pub cors_origins: Vec<String>,
    /// How long events that are over can still be listed, seconds.
    pub cleared_events_kept_s: u64,
    /// How many events that are over can still be listed.
    pub cleared_events_max: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            title: String::new(),
            tick_ms: 25,
            stale_after_s: 60,
            forecast_kept_s: 1800,
            max_connections: 4096,
            max_streams_per_connection: 256,
            max_connection_age_s: 4 * 3600,
            connection_grace_s: 30,
            shutdown_grace_s: 3,
            cors_origins: vec!["http://localhost:*".into(), "http://127.0.0.1:*".into()],
            cleared_events_kept_s: 24 * 3600,
            cleared_events_max: 10_000,
        }
    }
}

impl Config {
    pub(crate) fn tick(&self) -> Duration {
        Duration::from_millis(self.tick_ms)
    }

    pub(crate) fn stale_after(&self) -> Option<Duration> {
        (self.stale_after_s > 0).then(|| Duration::from_secs(self.stale_after_s))
    }

    pub(crate) fn connection_age(&self) -> Option<Duration> {
        (self.max_connection_age_s > 0).then(|| Duration::from_secs(self.max_connection_age_s))
    }
}
