//! Short words for the tests.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use eventlog::{
    Append, Cleanup, Consumer, Delivery, Error, Fetched, Log, Record, Start, Subscription, TopicSpec,
};

/// Longest that a test waits for anything.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) fn deleting(name: &str, partitions: u32) -> TopicSpec {
    let retention = Duration::from_secs(7 * 24 * 3600);
    TopicSpec { name: name.into(), partitions, cleanup: Cleanup::Delete { retention } }
}

pub(crate) fn compacted(name: &str, partitions: u32) -> TopicSpec {
    TopicSpec { name: name.into(), partitions, cleanup: Cleanup::Compact }
}

pub(crate) fn record(key: &str, value: &str) -> Record {
    Record {
        key: key.to_owned().into(),
        value: value.to_owned().into(),
        headers: Vec::new(),
        timestamp_ms: now_ms(),
    }
}

/// Now: Kafka throws old records away and refuses far future ones.
pub(crate) fn now_ms() -> i64 {
    std::time::UNIX_EPOCH.elapsed().unwrap().as_millis() as i64
}

pub(crate) fn to(topic: &str, partition: u32, record: Record) -> Append {
    Append { topic: topic.into(), partition, record }
}

/// Appends and waits until it is durable.
pub(crate) async fn append(log: &Log, batch: Vec<Append>) {
    let receipt = log.append(batch).await.unwrap();
    in_time(receipt).await.unwrap();
}

pub(crate) async fn append_values(
    log: &Log,
    topic: &str,
    partition: u32,
    values: impl IntoIterator<Item = String>,
) {
    let batch = values.into_iter().map(|value| to(topic, partition, record("k", &value))).collect();
    append(log, batch).await;
}

pub(crate) async fn in_time<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.expect("nothing came in time")
}

pub(crate) fn all(topic: &str, start: Start) -> Subscription {
    Subscription::All { topic: topic.into(), start }
}

pub(crate) fn group(topic: &str, group: &str) -> Subscription {
    Subscription::Group { topic: topic.into(), group: group.into() }
}

/// Reads until there are `n` records.
pub(crate) async fn read(consumer: &mut Consumer, n: usize) -> Vec<Fetched> {
    let mut records = Vec::new();
    while records.len() < n {
        if let Delivery::Records(more) = in_time(consumer.next(n - records.len())).await.unwrap() {
            records.extend(more);
        }
    }
    records
}

/// Reads until the group has given us `n` partitions.
pub(crate) async fn assigned(consumer: &mut Consumer, n: usize) -> Vec<u32> {
    let mut partitions = Vec::new();
    while partitions.len() < n {
        match in_time(consumer.next(1)).await.unwrap() {
            Delivery::Assigned(more) => partitions.extend(more),
            other => panic!("expected an assignment, got {other:?}"),
        }
    }
    partitions.sort_unstable();
    partitions
}

pub(crate) async fn read_all(log: &Log, topic: &str, n: usize) -> Vec<Fetched> {
    let mut consumer = log.consume(all(topic, Start::Earliest)).await.unwrap();
    read(&mut consumer, n).await
}

pub(crate) fn value(fetched: &Fetched) -> &str {
    std::str::from_utf8(&fetched.record.value).unwrap()
}

pub(crate) fn places(records: &[Fetched]) -> Vec<(u32, u64)> {
    records.iter().map(|fetched| (fetched.partition, fetched.offset)).collect()
}

/// Fails unless nothing more comes.
pub(crate) async fn assert_quiet(consumer: &mut Consumer) {
    let more = tokio::time::timeout(Duration::from_millis(300), consumer.next(10)).await;
    assert!(more.is_err(), "something more came: {more:?}");
}

pub(crate) fn bytes(n: usize) -> Bytes {
    Bytes::from((0..n).map(|i| (i % 251) as u8).collect::<Vec<u8>>())
}

pub(crate) fn name(name: &str) -> Arc<str> {
    name.into()
}

pub(crate) fn backend_detail(error: Error) -> String {
    match error {
        Error::Backend { what, detail } => format!("{what}: {detail}"),
        other => panic!("expected a backend's error, got {other:?}"),
    }
}
