//! Opens the log and makes sure that its topics are right.

use std::time::Duration;

use anyhow::Context as _;
use eventlog::{Cleanup, Log, TopicSpec};
use wire::topic;

use crate::config::{LogBackend, Settings};

/// Opens the backend that the configuration names; creates or checks the topics.
pub(crate) async fn open(settings: &Settings) -> anyhow::Result<Log> {
    let log = match settings.log.backend {
        LogBackend::Local => Log::open_local(&settings.log_dir(), settings.log.local.clone()).await,
        LogBackend::Kafka => Log::open_kafka(settings.log.kafka.clone()),
    };
    let log = log.context("opening the log")?;
    log.ensure_topics(&topics(settings)).await.context("preparing the log's topics")?;
    Ok(log)
}

/// The topics of the contract.
fn topics(settings: &Settings) -> [TopicSpec; 5] {
    let hours = |h: u64| Duration::from_secs(h.saturating_mul(3600));
    let log = &settings.log;
    let topic = |name: &str, cleanup| TopicSpec { name: name.into(), partitions: log.partitions, cleanup };
    [
        topic(topic::OBSERVATIONS, Cleanup::Delete { retention: hours(log.observations_retention_h) }),
        topic(topic::DEAD_LETTERS, Cleanup::Delete { retention: hours(log.dead_letters_retention_h) }),
        topic(topic::LINK_STATES, Cleanup::Compact),
        topic(topic::FORECASTS, Cleanup::Compact),
        topic(topic::EVENTS, Cleanup::CompactAndDelete { retention: hours(log.events_retention_h) }),
    ]
}
