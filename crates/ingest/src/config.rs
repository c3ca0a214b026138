//! What an operator can set.

use serde::{Deserialize, Serialize};

use crate::mqtt::{BrokerConfig, ListenerConfig};
use crate::normalise::{ClockMode, Rules};

/// How ingest works. The addresses come from `mqtt.listen` and `mqtt.broker`, the clock from `clock.*`, the number of
/// partitions from `log.partitions`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Workers that decode; each has a queue. As many as cores that ingest may use.
    pub lanes: usize,
    /// Batches that a lane holds (a batch = what one read of a connection brought, at most 64 KiB and one packet); when
    /// it is full, its connections are not read.
    pub lane_batches: usize,
    /// How often a clock marker goes into every partition. Milliseconds.
    pub marker_period_ms: u64,
    /// What is believed.
    pub rules: Rules,
    /// The built-in listener.
    pub listener: ListenerConfig,
    /// The client of an existing broker.
    pub broker: BrokerConfig,
    /// Whose time is log time: `clock.mode`.
    #[serde(skip)]
    pub clock_mode: ClockMode,
    /// Partitions of the log's topics: `log.partitions`.
    #[serde(skip)]
    pub partitions: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            lanes: 2,
            lane_batches: 256,
            marker_period_ms: 250,
            rules: Rules::default(),
            listener: ListenerConfig::default(),
            broker: BrokerConfig::default(),
            clock_mode: ClockMode::Wall,
            partitions: 8,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_configured_has_its_default() {
        let config: Config = sonic_rs::from_str("{}").unwrap();
        assert_eq!(config, Config::default());
        let config: Config =
            sonic_rs::from_str(r#"{"rules":{"max_age_s":60},"listener":{},"broker":{}}"#).unwrap();
        assert_eq!(config.rules, Rules { max_age_s: 60.0, ..Rules::default() });
        assert!(sonic_rs::from_str::<Config>(r#"{"lane":3}"#).unwrap_err().to_string().contains("lane"));
    }
}
