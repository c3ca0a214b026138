//! Retention, with a clock of our own.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use super::retention::{self, drop_segments};
use super::writer::Command;
use super::{Config, LocalLog};
use crate::{Append, Cleanup, Delivery, Fetched, Record, Start, Subscription, TopicSpec};

const HOUR_MS: i64 = 3_600_000;

/// A log in a directory, and its clock.
struct Bench {
    log: LocalLog,
    now_ms: Arc<AtomicI64>,
}

impl Bench {
    fn open(dir: &Path, config: Config) -> Self {
        let now_ms = Arc::new(AtomicI64::new(1_000 * HOUR_MS));
        let clock = now_ms.clone();
        let log =
            LocalLog::open_with_clock(dir, &config, Arc::new(move || clock.load(Ordering::SeqCst))).unwrap();
        Self { log, now_ms }
    }

    async fn topic(&self, name: &str, cleanup: Cleanup) {
        self.log.ensure_topics(&[TopicSpec { name: name.into(), partitions: 2, cleanup }]).await.unwrap();
    }

    async fn append(&self, topic: &str, key: &str, value: &str) {
        let record =
            Record { key: key.to_owned().into(), value: value.to_owned().into(), ..Record::default() };
        let batch = vec![Append { topic: topic.into(), partition: 1, record }];
        self.log.append(batch).await.unwrap().await.unwrap();
    }

    fn pass(&self, hours: i64) {
        self.now_ms.fetch_add(hours * HOUR_MS, Ordering::SeqCst);
    }

    /// As the retention's thread does it.
    fn tidy(&self, topic: &str, history_bytes: u64) -> usize {
        let store = self.log.shared.store().unwrap();
        let topic = store.topic(topic).unwrap();
        let retention_ms = topic.retention_ms.load(Ordering::SeqCst);
        let before_ms =
            i64::try_from(retention_ms).map_or(i64::MIN, |ms| self.now_ms.load(Ordering::SeqCst) - ms);
        drop_segments(&store, &topic, before_ms, history_bytes).unwrap()
    }

    async fn read(&self, topic: &str, n: usize) -> Vec<Fetched> {
        let start = Subscription::All { topic: topic.into(), start: Start::Earliest };
        let mut consumer = self.log.consume(start).await.unwrap();
        let mut records = Vec::new();
        while records.len() < n {
            match consumer.next(n).await.unwrap() {
                Delivery::Records(more) => records.extend(more),
                other => panic!("expected records, got {other:?}"),
            }
        }
        records
    }
}

fn found(records: &[Fetched]) -> Vec<(u64, &str)> {
    records
        .iter()
        .map(|fetched| (fetched.offset, std::str::from_utf8(&fetched.record.value).unwrap()))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn old_segments_go_and_offsets_stay() {
    let dir = tempfile::tempdir().unwrap();
    let bench = Bench::open(dir.path(), Config::default());
    bench.topic("t", Cleanup::Delete { retention: Duration::from_secs(5 * 3600) }).await;
    for hour in 0..8 {
        bench.append("t", "k", &hour.to_string()).await;
        bench.pass(1);
    }
    assert_eq!(bench.tidy("t", u64::MAX), 3);

    let records = bench.read("t", 5).await;
    assert_eq!(found(&records).first(), Some(&(3, "3")));
    assert_eq!(bench.log.offsets_at("t", i64::MIN).await.unwrap(), [0, 3]);
    bench.pass(1_000);
    bench.tidy("t", u64::MAX);
    // The last segment stays, so that the next record still gets the next offset, also after opening again.
    bench.log.close().await.unwrap();
    let bench = Bench::open(dir.path(), Config::default());
    assert_eq!(bench.log.end_offsets("t").await.unwrap(), [0, 8]);
    assert_eq!(found(&bench.read("t", 1).await), [(7, "7")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_retention_overtakes_goes_on_at_the_oldest_record() {
    let dir = tempfile::tempdir().unwrap();
    let bench = Bench::open(dir.path(), Config::default());
    bench.topic("t", Cleanup::Delete { retention: Duration::from_secs(3 * 3600) }).await;
    for hour in 0..3 {
        bench.append("t", "k", &hour.to_string()).await;
        bench.pass(1);
    }
    let start = Subscription::All { topic: "t".into(), start: Start::Earliest };
    let mut slow = bench.log.consume(start).await.unwrap();
    assert!(matches!(slow.next(1).await.unwrap(), Delivery::Records(records) if records[0].offset == 0));
    for hour in 3..10 {
        bench.append("t", "k", &hour.to_string()).await;
        bench.pass(1);
    }
    assert!(bench.tidy("t", u64::MAX) > 3);
    let mut offsets = Vec::new();
    while offsets.last() != Some(&9) {
        let Delivery::Records(records) = slow.next(100).await.unwrap() else { panic!("expected records") };
        offsets.extend(records.iter().map(|fetched| fetched.offset));
    }
    assert!(offsets.is_sorted() && offsets.contains(&7), "{offsets:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compacted_topic_keeps_the_newest_of_each_key_when_its_history_goes() {
    let dir = tempfile::tempdir().unwrap();
    let bench = Bench::open(dir.path(), Config { segment_bytes: 1, ..Config::default() });
    bench.topic("t", Cleanup::Compact).await;
    for (key, value) in [("a", "1"), ("b", "2"), ("a", "3"), ("c", "4"), ("c", ""), ("b", "6"), ("d", "7")] {
        bench.append("t", key, value).await;
    }
    assert_eq!(bench.tidy("t", 0), 6);

    // From the beginning: what is only in the index, then the blocks that are left.
    let records = bench.read("t", 3).await;
    assert_eq!(found(&records), [(2, "3"), (5, "6"), (6, "7")]);
    let latest = bench.log.latest("t").await.unwrap();
    assert_eq!(found(&latest.records), [(2, "3"), (5, "6"), (6, "7")]);
    assert_eq!(latest.positions, [0, 7]);
    // From the middle: nothing before.
    let start = Subscription::All { topic: "t".into(), start: Start::Offsets(vec![0, 3]) };
    let mut consumer = bench.log.consume(start).await.unwrap();
    let Delivery::Records(records) = consumer.next(10).await.unwrap() else { panic!("expected records") };
    assert_eq!(found(&records).first(), Some(&(5, "6")));
}

#[tokio::test(flavor = "multi_thread")]
async fn old_keys_go_from_a_topic_that_is_compacted_and_deleted() {
    let dir = tempfile::tempdir().unwrap();
    let bench = Bench::open(dir.path(), Config::default());
    bench.topic("t", Cleanup::CompactAndDelete { retention: Duration::from_secs(10 * 3600) }).await;
    bench.append("t", "old", "1").await;
    bench.append("t", "renewed", "2").await;
    bench.pass(11);
    let topic = bench.log.shared.topic("t").unwrap();
    let before_ms = bench.now_ms.load(Ordering::SeqCst) - 10 * HOUR_MS;
    let (stale, go_on) = super::index::stale(&topic, before_ms, &[], 100).unwrap();
    assert_eq!((stale.len(), go_on), (2, None));
    // Written again between the look and the forgetting: it stays.
    bench.append("t", "renewed", "3").await;
    bench.log.shared.send(Command::Forget { topic, stale }).await.unwrap();
    bench.append("t", "new", "4").await;

    let latest = bench.log.latest("t").await.unwrap();
    assert_eq!(found(&latest.records), [(2, "3"), (3, "4")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_look_at_the_keys_is_bounded_and_goes_on_where_it_stopped() {
    let dir = tempfile::tempdir().unwrap();
    let bench = Bench::open(dir.path(), Config::default());
    bench.topic("t", Cleanup::CompactAndDelete { retention: Duration::from_secs(3600) }).await;
    for key in ["a", "b", "c"] {
        bench.append("t", key, "v").await;
    }
    bench.pass(2);
    let topic = bench.log.shared.topic("t").unwrap();
    let before_ms = bench.now_ms.load(Ordering::SeqCst);
    let (stale, go_on) = retention_look(&topic, before_ms, &[]);
    assert_eq!(stale, 2);
    assert_eq!(retention_look(&topic, before_ms, &go_on.unwrap()), (1, None));
}

fn retention_look(topic: &super::Topic, before_ms: i64, after: &[u8]) -> (usize, Option<bytes::Bytes>) {
    let (stale, go_on) = super::index::stale(topic, before_ms, after, 2).unwrap();
    (stale.len(), go_on)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_thread_ends_with_the_log() {
    let dir = tempfile::tempdir().unwrap();
    let bench = Bench::open(dir.path(), Config::default());
    let weak = Arc::downgrade(&bench.log.shared.store().unwrap());
    let (ended, receiver) = std::sync::mpsc::channel();
    let thread = retention::Retention {
        store: weak,
        writer: bench.log.shared.queue.downgrade(),
        clock: Arc::new(|| 0),
        every: Duration::from_secs(3600),
        compacted_history_bytes: 0,
        ended: receiver,
    };
    let running = std::thread::spawn(|| thread.run());
    drop(ended);
    running.join().unwrap();
}
