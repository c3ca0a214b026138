//! A running ingest over a real embedded log, and what its log holds.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use eventlog::{Cleanup, Delivery, Log, Start, Subscription, TopicSpec};
use ingest::{Config, Ingest, Parts};
use model::{Observation, Timestamp};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use wire::{DeadLetter, LogRecord};

use crate::city;

/// Longer than a loaded machine takes; a test that waits this long has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) const PARTITIONS: u32 = 4;

pub(crate) struct Rig {
    pub(crate) address: SocketAddr,
    pub(crate) log: Log,
    pub(crate) ingest: Ingest,
    pub(crate) metrics: prometheus::Registry,
    pub(crate) clock: Arc<AtomicI64>,
    folder: TempDir,
}

pub(crate) async fn open_log(folder: &TempDir) -> Log {
    let log = Log::open_local(folder.path(), eventlog::local::Config::default()).await.unwrap();
    let topics = [wire::topic::OBSERVATIONS, wire::topic::DEAD_LETTERS].map(|name| TopicSpec {
        name: name.into(),
        partitions: PARTITIONS,
        cleanup: Cleanup::Delete { retention: Duration::from_secs(86_400) },
    });
    log.ensure_topics(&topics).await.unwrap();
    log
}

impl Rig {
    pub(crate) async fn start(config: Config) -> Self {
        Self::start_with(config, None).await
    }

    pub(crate) async fn start_with(config: Config, broker: Option<String>) -> Self {
        let folder = TempDir::new().unwrap();
        let log = open_log(&folder).await;
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let clock = Arc::new(AtomicI64::new(city::NOW.as_millis()));
        let hand = Arc::clone(&clock);
        let metrics = prometheus::Registry::new();
        let network = city::network();
        let parts = Parts {
            listener: Some(socket),
            broker,
            log: log.clone(),
            registry: city::registry(&network),
            network,
            clock: Arc::new(move || Timestamp::from_millis(hand.load(Ordering::Relaxed))),
            metrics: metrics.clone(),
        };
        let config = Config { partitions: PARTITIONS, ..config };
        let ingest = Ingest::start(config, parts, &CancellationToken::new()).unwrap();
        Self { address, log, ingest, metrics, clock, folder }
    }

    /// Waits until the log holds that many observations, and returns all that it holds.
    pub(crate) async fn observations(&self, at_least: usize) -> Vec<Observation> {
        let decode = |value: &[u8]| match wire::decode_log_record(value).unwrap() {
            LogRecord::Observation(observation) => Some(observation),
            LogRecord::Marker(_) => None,
        };
        read(&self.log, wire::topic::OBSERVATIONS, at_least, decode).await
    }

    /// Waits until the log holds that many markers; returns them with their partitions.
    pub(crate) async fn markers(&self, at_least: usize) -> Vec<Timestamp> {
        let decode = |value: &[u8]| match wire::decode_log_record(value).unwrap() {
            LogRecord::Observation(_) => None,
            LogRecord::Marker(at) => Some(at),
        };
        read(&self.log, wire::topic::OBSERVATIONS, at_least, decode).await
    }

    /// Waits until the log holds that many dead letters, and returns all that it holds.
    pub(crate) async fn dead_letters(&self, at_least: usize) -> Vec<DeadLetter> {
        let decode = |value: &[u8]| Some(wire::decode_dead_letter(value).unwrap());
        read(&self.log, wire::topic::DEAD_LETTERS, at_least, decode).await
    }

    pub(crate) fn metric(&self, name: &str, label: &str) -> f64 {
        metric_of(&self.metrics, name, label)
    }

    /// Shuts down; returns the log's folder, so that what is in it can be read again.
    pub(crate) async fn stop(self) -> (Log, TempDir) {
        timeout(PATIENCE, self.ingest.shutdown()).await.expect("ingest ends");
        (self.log, self.folder)
    }
}

/// Returns the sum of a metric over the series that have the label.
pub(crate) fn metric_of(metrics: &prometheus::Registry, name: &str, label: &str) -> f64 {
    let families = metrics.gather();
    let family = families.iter().find(|family| family.name() == name);
    let metrics = family.map(|family| family.get_metric()).unwrap_or_default();
    let fits = |metric: &&prometheus::proto::Metric| {
        label.is_empty() || metric.get_label().iter().any(|pair| pair.value() == label)
    };
    metrics.iter().filter(fits).map(|m| m.get_counter().get_value() + m.get_gauge().get_value()).sum()
}

pub(crate) async fn read<T>(
    log: &Log,
    topic: &str,
    at_least: usize,
    decode: impl Fn(&[u8]) -> Option<T>,
) -> Vec<T> {
    let mut found = Vec::new();
    let subscription = Subscription::All { topic: topic.into(), start: Start::Earliest };
    let mut consumer = log.consume(subscription).await.unwrap();
    let mut ends = log.end_offsets(topic).await.unwrap();
    let mut positions = vec![0; ends.len()];
    let all = async {
        while found.len() < at_least || positions.iter().zip(&ends).any(|(at, end)| at < end) {
            if let Delivery::Records(records) = consumer.next(1000).await.unwrap() {
                for fetched in records {
                    positions[fetched.partition as usize] = fetched.offset + 1;
                    found.extend(decode(&fetched.record.value));
                }
                ends = log.end_offsets(topic).await.unwrap();
            }
        }
    };
    let done = timeout(PATIENCE, all).await;
    assert!(done.is_ok(), "{} of {at_least} in {topic}", found.len());
    found
}
