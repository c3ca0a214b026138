//! What goes in and comes out.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

/// One record, as Kafka has it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Record {
    /// What compaction goes by.
    pub key: Bytes,
    /// Empty = a tombstone in a compacted topic.
    pub value: Bytes,
    /// Few, short.
    pub headers: Vec<(String, Bytes)>,
    /// Milliseconds since the epoch.
    pub timestamp_ms: i64,
}

/// A record and where it goes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Append {
    /// Topic's name.
    pub topic: Arc<str>,
    /// `0..partitions`.
    pub partition: u32,
    /// What.
    pub record: Record,
}

/// A record and where it stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fetched {
    /// `0..partitions`.
    pub partition: u32,
    /// Place in the partition.
    pub offset: u64,
    /// What.
    pub record: Record,
}

/// How a topic is kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TopicSpec {
    /// Its name.
    pub name: Arc<str>,
    /// How many partitions; never changes once created.
    pub partitions: u32,
    /// What is thrown away when.
    pub cleanup: Cleanup,
}

/// What is thrown away when.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Cleanup {
    /// Records older than this.
    Delete {
        /// Age.
        retention: Duration,
    },
    /// All but the newest of each key.
    Compact,
    /// All but the newest of each key, and what is older than this.
    CompactAndDelete {
        /// Age.
        retention: Duration,
    },
}

/// Resolves when the whole batch is durable, or can't be.
pub type Receipt = Pin<Box<dyn Future<Output = Result<(), Error>> + Send>>;

/// What went wrong. Text says what, where and what to do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The backend said no in a way that trying again will not mend.
    #[error("{what}: {detail}")]
    Backend {
        /// What was tried.
        what: &'static str,
        /// What the backend said.
        detail: String,
    },
    /// No such topic or partition.
    #[error("topic {topic} partition {partition} does not exist")]
    NoPartition {
        /// Topic.
        topic: String,
        /// Partition.
        partition: u32,
    },
    /// A topic exists with settings that would lose data or break the contract.
    #[error("topic {topic}: {detail}")]
    TopicMismatch {
        /// Topic.
        topic: String,
        /// What differs and what to do.
        detail: String,
    },
    /// What is on disk was written by a newer version, or is broken.
    #[error("{path}: {detail}")]
    Format {
        /// File or folder.
        path: String,
        /// What is wrong and what to do.
        detail: String,
    },
    /// The log was closed.
    #[error("the log is closed")]
    Closed,
}
