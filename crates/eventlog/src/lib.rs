//! The log: the only joint between the roles. Append, fetch, end offsets, commit, latest by key, with Kafka's nouns.
//!
//! Two backends behind one enum, [`Log`]: [`local`] (fjall, in this process) and [`kafka`] (rdkafka). One conformance
//! suite (`tests/it/conformance.rs`) runs against both, so that what holds in a small city holds in a large one.
//!
//! Keys and values are bytes: this crate knows nothing of traffic, protobuf or any other room.
//!
//! Words, as Kafka has them: a *topic* has *partitions*, a partition's records have *offsets*; a *group* shares the
//! partitions and commits *positions*, the offsets to go on with; a compacted topic keeps the newest record of each
//! *key*; an empty value is a *tombstone*.
//!
//! Start at [`Log`] ([`Log::open_local`], [`Log::open_kafka`], then [`Log::ensure_topics`]); [`Consumer`] reads.
//!
//! What is promised:
//! - a [`Receipt`] resolves only when every record of its batch is durable (local: on disk; Kafka: `acks=all`);
//! - records of one partition that one producer appended in order stay in order;
//! - appending waits while the backend's bounded queue is full; nothing is ever dropped;
//! - a batch may be appended twice (a crash between durable and told): readers know a record by its content.

pub mod kafka;
pub mod local;
mod log;
mod metrics;
mod record;

pub use log::{Consumer, Delivery, Latest, Log, Start, Subscription};
pub use record::{Append, Cleanup, Error, Fetched, Receipt, Record, TopicSpec};
