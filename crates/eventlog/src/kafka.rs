//! The Kafka backend.

use crate::{Append, Delivery, Error, Latest, Receipt, Subscription, TopicSpec};

/// Cheap to clone.
#[derive(Clone)]
pub struct KafkaLog {}

/// Reads a topic.
pub struct KafkaConsumer {}

impl KafkaLog {
    pub(crate) async fn ensure_topics(&self, _topics: &[TopicSpec]) -> Result<(), Error> {
        todo!()
    }
    pub(crate) async fn append(&self, _batch: Vec<Append>) -> Result<Receipt, Error> {
        todo!()
    }
    pub(crate) async fn consume(&self, _subscription: Subscription) -> Result<KafkaConsumer, Error> {
        todo!()
    }
    pub(crate) async fn latest(&self, _topic: &str) -> Result<Latest, Error> {
        todo!()
    }
    pub(crate) async fn end_offsets(&self, _topic: &str) -> Result<Vec<u64>, Error> {
        todo!()
    }
    pub(crate) async fn offsets_at(&self, _topic: &str, _timestamp_ms: i64) -> Result<Vec<u64>, Error> {
        todo!()
    }
    pub(crate) async fn committed(&self, _topic: &str, _group: &str) -> Result<Vec<Option<u64>>, Error> {
        todo!()
    }
    pub(crate) async fn probe(&self, _timeout: std::time::Duration) -> Result<(), Error> {
        todo!()
    }
    pub(crate) async fn close(&self) -> Result<(), Error> {
        todo!()
    }
}

impl KafkaConsumer {
    pub(crate) async fn next(&mut self, _max: usize) -> Result<Delivery, Error> {
        todo!()
    }
    pub(crate) fn seek(&mut self, _partition: u32, _offset: u64) -> Result<(), Error> {
        todo!()
    }
    pub(crate) async fn commit(&mut self, _positions: &[(u32, u64)]) -> Result<(), Error> {
        todo!()
    }
}
