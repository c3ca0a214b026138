//! The seam.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use prometheus::Registry;

use crate::metrics::Metrics;
use crate::{Append, Error, Fetched, Receipt, TopicSpec};
use crate::{kafka, local};

/// A log; cheap to clone, all clones are one.
#[derive(Clone)]
pub enum Log {
    /// In this process.
    Local(local::LocalLog),
    /// Apache Kafka.
    Kafka(kafka::KafkaLog),
}

/// What a consumer reads.
#[derive(Clone, Debug)]
pub enum Subscription {
    /// Shares the topic's partitions with all consumers of the group; [`Delivery::Assigned`] tells which are ours. The
    /// embedded log, which has one process to itself, gives every consumer all of them.
    Group {
        /// Topic.
        topic: Arc<str>,
        /// Group.
        group: Arc<str>,
    },
    /// Reads all partitions, alone.
    All {
        /// Topic.
        topic: Arc<str>,
        /// From where.
        start: Start,
    },
}

/// Where reading starts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Start {
    /// The oldest record that is kept.
    Earliest,
    /// What comes from now on.
    End,
    /// These offsets, partition by partition; too old ones start at the oldest record that is kept.
    Offsets(Vec<u64>),
}

/// What [`Consumer::next`] brings.
#[derive(Debug)]
pub enum Delivery {
    /// These partitions are ours now; nothing of them comes before [`Consumer::seek`] was called for each, or
    /// the next call of `next` (which then goes on from the committed offset, or the oldest).
    Assigned(Vec<u32>),
    /// These are no longer ours; nothing of them comes any more.
    Revoked(Vec<u32>),
    /// At least one record, in order within each partition.
    Records(Vec<Fetched>),
}

/// The newest record of each key (without tombstones), and where a tail goes on.
#[derive(Debug)]
pub struct Latest {
    /// In no particular order.
    pub records: Vec<Fetched>,
    /// Next offset of each partition.
    pub positions: Vec<u64>,
}

/// Reads a topic.
pub enum Consumer {
    /// In this process.
    Local(local::LocalConsumer),
    /// Apache Kafka.
    Kafka(kafka::KafkaConsumer),
}

impl Log {
    /// Opens the embedded log in a directory, creating it if need be.
    ///
    /// # Errors
    /// [`Error::Format`] where the directory is another process's, was written by a newer version or is broken.
    pub async fn open_local(dir: &Path, config: local::Config) -> Result<Self, Error> {
        local::LocalLog::open(dir, config).await.map(Self::Local)
    }

    /// Opens the log of a Kafka cluster. Does not wait for the brokers: [`Self::probe`] asks for them.
    ///
    /// # Errors
    /// When a setting is unknown, reserved or not built in.
    pub fn open_kafka(config: kafka::Config) -> Result<Self, Error> {
        kafka::KafkaLog::open(config).map(Self::Kafka)
    }

    /// Creates the topics that are missing and checks those that are there.
    ///
    /// # Errors
    /// [`Error::TopicMismatch`] where a topic is there with other partitions or another cleanup.
    pub async fn ensure_topics(&self, topics: &[TopicSpec]) -> Result<(), Error> {
        match self {
            Self::Local(log) => log.ensure_topics(topics).await,
            Self::Kafka(log) => log.ensure_topics(topics).await,
        }
    }

    /// Hands a batch over, waiting while the backend's queue is full. Batches of one caller are appended in the order
    /// of the calls; the receipt tells when this one is durable. Cancel-safe: who gives up waiting has appended nothing.
    ///
    /// # Errors
    /// When the batch can't be taken at all; nothing of it is appended then.
    pub async fn append(&self, batch: Vec<Append>) -> Result<Receipt, Error> {
        let (records, since) = (batch.len(), Instant::now());
        let receipt = match self {
            Self::Local(log) => log.append(batch).await,
            Self::Kafka(log) => log.append(batch).await,
        }?;
        Ok(self.metrics().follow(records, since, receipt))
    }

    /// Starts to read.
    pub async fn consume(&self, subscription: Subscription) -> Result<Consumer, Error> {
        match self {
            Self::Local(log) => log.consume(subscription).await.map(Consumer::Local),
            Self::Kafka(log) => log.consume(subscription).await.map(Consumer::Kafka),
        }
    }

    /// Returns the newest record of each key of a compacted topic.
    pub async fn latest(&self, topic: &str) -> Result<Latest, Error> {
        match self {
            Self::Local(log) => log.latest(topic).await,
            Self::Kafka(log) => log.latest(topic).await,
        }
    }

    /// Returns for each partition the offset that the next record will get.
    pub async fn end_offsets(&self, topic: &str) -> Result<Vec<u64>, Error> {
        match self {
            Self::Local(log) => log.end_offsets(topic).await,
            Self::Kafka(log) => log.end_offsets(topic).await,
        }
    }

    /// Returns for each partition the first offset whose record's timestamp is not before `timestamp_ms`, or the end.
    pub async fn offsets_at(&self, topic: &str, timestamp_ms: i64) -> Result<Vec<u64>, Error> {
        match self {
            Self::Local(log) => log.offsets_at(topic, timestamp_ms).await,
            Self::Kafka(log) => log.offsets_at(topic, timestamp_ms).await,
        }
    }

    /// Returns what the group committed for each partition: the offset to go on with.
    pub async fn committed(&self, topic: &str, group: &str) -> Result<Vec<Option<u64>>, Error> {
        match self {
            Self::Local(log) => log.committed(topic, group).await,
            Self::Kafka(log) => log.committed(topic, group).await,
        }
    }

    /// Asks the backend for a sign of life.
    ///
    /// # Errors
    /// When there is none within `timeout`, or appends can't go on.
    pub async fn probe(&self, timeout: Duration) -> Result<(), Error> {
        match self {
            Self::Local(log) => log.probe().await,
            Self::Kafka(log) => log.probe(timeout).await,
        }
    }

    /// Registers the log's metrics, `luong_eventlog_*`.
    ///
    /// # Errors
    /// When they are registered there already.
    pub fn register_metrics(&self, registry: &Registry) -> Result<(), Error> {
        self.metrics().register(registry)
    }

    fn metrics(&self) -> &Metrics {
        match self {
            Self::Local(log) => log.metrics(),
            Self::Kafka(log) => log.metrics(),
        }
    }

    /// Makes everything durable that was handed over, and closes. Other clones answer [`Error::Closed`] afterwards.
    pub async fn close(&self) -> Result<(), Error> {
        match self {
            Self::Local(log) => log.close().await,
            Self::Kafka(log) => log.close().await,
        }
    }
}

impl Consumer {
    /// Waits for records or a change of assignment; at most `max` records. Cancel-safe: what was not returned is
    /// not lost.
    pub async fn next(&mut self, max: usize) -> Result<Delivery, Error> {
        match self {
            Self::Local(consumer) => consumer.next(max).await,
            Self::Kafka(consumer) => consumer.next(max).await,
        }
    }

    /// Goes on reading one of our partitions at `offset`.
    pub fn seek(&mut self, partition: u32, offset: u64) -> Result<(), Error> {
        match self {
            Self::Local(consumer) => consumer.seek(partition, offset),
            Self::Kafka(consumer) => consumer.seek(partition, offset),
        }
    }

    /// Stores for the group where to go on after a restart: (partition, next offset). Durable when it returns.
    pub async fn commit(&mut self, positions: &[(u32, u64)]) -> Result<(), Error> {
        match self {
            Self::Local(consumer) => consumer.commit(positions).await,
            Self::Kafka(consumer) => consumer.commit(positions).await,
        }
    }
}
