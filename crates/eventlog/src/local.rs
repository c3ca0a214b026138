//! The embedded backend, over fjall.
//!
//! Reading order: `block` (what lies on disk), `store` and `topic` (where), `writer` (how it gets there),
//! `index` (compacted topics), `consumer`, `retention`, `directory`, `journal` and `watermark` (what guards it).

mod block;
mod consumer;
mod directory;
mod index;
mod journal;
mod retention;
mod store;
mod topic;
mod watermark;
mod writer;

#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use tokio::sync::{Semaphore, mpsc, oneshot};

pub use consumer::LocalConsumer;

use crate::metrics::Metrics;
use crate::{Append, Error, Latest, Receipt, Subscription, TopicSpec};
use retention::Retention;
use store::Store;
use topic::Topic;
use writer::{Command, Writer};

/// Wall clock in milliseconds since the epoch.
type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// 1,024 batches; what they weigh is bounded by `queue_bytes`.
const QUEUE_BATCHES: usize = 1_024;

/// 60 kB: fjall's keys end at 64 KiB, and ours have the partition in front.
const MAX_KEY_BYTES: usize = 60_000;

/// How the embedded log works.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Bytes of records that may wait for the disk; when full, `append` waits.
    pub queue_bytes: usize,
    /// Bytes of records that one commit (one `fdatasync`) gathers at most.
    pub commit_bytes: usize,
    /// Bytes that one record may have, key and headers included.
    pub max_record_bytes: usize,
    /// Bytes after which a new segment is begun; what is too old goes by whole segments.
    pub segment_bytes: u64,
    /// Bytes of history that a compacted topic keeps besides the newest record of each key.
    pub compacted_history_bytes: u64,
    /// Seconds between two looks for what is too old.
    pub retention_check_s: u64,
    /// Bytes of what was read from disk that stay in memory.
    pub cache_bytes: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            queue_bytes: 32 << 20,
            commit_bytes: 4 << 20,
            max_record_bytes: 2 << 20,
            segment_bytes: 128 << 20,
            compacted_history_bytes: 256 << 20,
            retention_check_s: 10,
            cache_bytes: 16 << 20,
        }
    }
}

/// A log in a directory; cheap to clone, all clones are one.
#[derive(Clone)]
pub struct LocalLog {
    shared: Arc<Shared>,
}

struct Shared {
    /// Nothing once closed.
    store: RwLock<Option<Arc<Store>>>,
    queue: mpsc::Sender<Command>,
    /// In KiB: what waits for the disk.
    room: Arc<Semaphore>,
    room_kib: u32,
    max_record_bytes: usize,
    failed: Arc<OnceLock<String>>,
    metrics: Metrics,
    #[expect(dead_code, reason = "the retention's thread ends when this is dropped")]
    retention: std::sync::mpsc::Sender<()>,
}

impl LocalLog {
    pub(crate) async fn open(dir: &Path, config: Config) -> Result<Self, Error> {
        let dir = dir.to_owned();
        blocking(move || Self::open_with_clock(&dir, &config, Arc::new(wall_clock_ms))).await
    }

    fn open_with_clock(dir: &Path, config: &Config, clock: Clock) -> Result<Self, Error> {
        let store = Arc::new(Store::open(dir, config)?);
        watermark::check(&store)?;
        let (queue, commands) = mpsc::channel(QUEUE_BATCHES);
        let (retention, ended) = std::sync::mpsc::channel();
        let failed = Arc::new(OnceLock::new());
        let watch = Retention {
            store: Arc::downgrade(&store),
            writer: queue.downgrade(),
            clock: clock.clone(),
            every: Duration::from_secs(config.retention_check_s.max(1)),
            compacted_history_bytes: config.compacted_history_bytes,
            ended,
        };
        let writer = Writer {
            store: store.clone(),
            commands,
            failed: failed.clone(),
            clock,
            commit_bytes: config.commit_bytes,
            segment_bytes: config.segment_bytes,
        };
        spawn("eventlog-writer", move || writer.run())?;
        spawn("eventlog-tidy", move || watch.run())?;
        let room_kib = u32::try_from(config.queue_bytes / 1_024).unwrap_or(u32::MAX).clamp(1, u32::MAX >> 4);
        let shared = Shared {
            store: RwLock::new(Some(store)),
            queue,
            room: Arc::new(Semaphore::new(room_kib as usize)),
            room_kib,
            max_record_bytes: config.max_record_bytes,
            failed,
            metrics: Metrics::new(),
            retention,
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    pub(crate) async fn ensure_topics(&self, topics: &[TopicSpec]) -> Result<(), Error> {
        let (store, topics) = (self.shared.store()?, topics.to_vec());
        blocking(move || topics.iter().try_for_each(|spec| store.ensure_topic(spec))).await
    }

    pub(crate) async fn append(&self, batch: Vec<Append>) -> Result<Receipt, Error> {
        let mut kib = 1;
        let mut routed = Vec::with_capacity(batch.len());
        let mut last: Option<Arc<Topic>> = None;
        for append in batch {
            let topic = match last.take() {
                Some(topic) if topic.name == append.topic => topic,
                _ => self.shared.topic(&append.topic)?,
            };
            self.shared.check(&topic, &append)?;
            kib += block::record_bytes(&append.record);
            last = Some(topic.clone());
            routed.push((topic, append));
        }
        let kib = u32::try_from(kib / 1_024 + 1).unwrap_or(u32::MAX).min(self.shared.room_kib);
        let room = self.shared.room.clone().acquire_many_owned(kib).await.map_err(|_| Error::Closed)?;
        let (done, outcome) = oneshot::channel();
        self.shared.send(Command::Append { parts: writer::parts(routed), room, done }).await?;
        Ok(Box::pin(async move { outcome.await.unwrap_or(Err(Error::Closed)) }))
    }

    pub(crate) async fn consume(&self, subscription: Subscription) -> Result<LocalConsumer, Error> {
        LocalConsumer::new(self.shared.clone(), subscription)
    }

    pub(crate) async fn latest(&self, topic: &str) -> Result<Latest, Error> {
        let topic = self.shared.topic(topic)?;
        if topic.index.is_none() {
            let detail = format!("topic {} is not compacted", topic.name);
            return Err(Error::Backend { what: "read the newest record of each key", detail });
        }
        blocking(move || {
            // Before the records: the tail then repeats what came in between, and misses nothing.
            let mut positions = topic.head().ends.offsets.clone();
            let from = vec![0; positions.len()];
            let records =
                index::records(&topic, &from).map_err(|failure| failure.during("read the newest records"))?;
            for fetched in &records {
                let position = &mut positions[fetched.partition as usize];
                *position = (*position).max(fetched.offset + 1);
            }
            Ok(Latest { records, positions })
        })
        .await
    }

    pub(crate) async fn end_offsets(&self, topic: &str) -> Result<Vec<u64>, Error> {
        Ok(self.shared.topic(topic)?.head().ends.offsets.clone())
    }

    pub(crate) async fn offsets_at(&self, topic: &str, timestamp_ms: i64) -> Result<Vec<u64>, Error> {
        let topic = self.shared.topic(topic)?;
        let find = move || {
            (0..topic.partitions).map(|partition| offset_at(&topic, partition, timestamp_ms)).collect()
        };
        blocking(move || -> store::StoreResult<Vec<u64>> { find() })
            .await
            .map_err(|failure| failure.during("find the offsets of a time"))
    }

    pub(crate) async fn committed(&self, topic: &str, group: &str) -> Result<Vec<Option<u64>>, Error> {
        let (store, topic) = (self.shared.store()?, self.shared.topic(topic)?);
        (0..topic.partitions)
            .map(|partition| store.committed(group, &topic.name, partition))
            .collect::<store::StoreResult<_>>()
            .map_err(|failure| failure.during("read the committed offsets"))
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.shared.metrics
    }

    pub(crate) async fn probe(&self) -> Result<(), Error> {
        self.shared.store().map(drop)
    }

    pub(crate) async fn close(&self) -> Result<(), Error> {
        // From here on nobody finds the store any more; what was handed over before is still written.
        let store = self.shared.store.write().unwrap_or_else(PoisonError::into_inner).take();
        let Some(store) = store else { return Ok(()) };
        self.shared.room.close();
        let (done, outcome) = oneshot::channel();
        self.shared.queue.send(Command::Close { done }).await.map_err(|_| Error::Closed)?;
        let outcome = outcome.await.unwrap_or(Err(Error::Closed));
        blocking(move || let_go(store)).await.and(outcome)
    }
}

/// Writes the last watermark and waits for readers that are still at it, so that the directory is free afterwards.
fn let_go(store: Arc<Store>) -> Result<(), Error> {
    let written = watermark::write(&store).map_err(|error| Error::Backend {
        what: "write the log's watermark",
        detail: format!("{error}; check the disk and its free space"),
    });
    let deadline = Instant::now() + Duration::from_secs(2);
    while Arc::strong_count(&store) > 1 && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(1));
    }
    written
}

/// First offset of the partition whose timestamp is not before `timestamp_ms`, or the end.
fn offset_at(topic: &Topic, partition: u32, timestamp_ms: i64) -> store::StoreResult<u64> {
    let (head, p) = (topic.head(), partition as usize);
    let number = topic.bisect(&head, |ends| ends.timestamps_ms[p] >= timestamp_ms)?;
    if number >= head.next_block {
        return Ok(head.ends.offsets[p]);
    }
    let Some(block) = topic.block(number)? else { return Ok(topic.starts()?[p]) };
    let (mut records, starts) = (Vec::new(), block.starts());
    block
        .records(&starts, &mut records)
        .map_err(|error| store::Failure::block(&topic.name, number, error))?;
    let found = records.iter().find(|f| f.partition == partition && f.record.timestamp_ms >= timestamp_ms);
    // None: the record that was late enough is gone already, so all that is kept comes after it.
    Ok(found.map_or(starts[p], |fetched| fetched.offset))
}

impl Shared {
    fn store(&self) -> Result<Arc<Store>, Error> {
        if let Some(failure) = self.failed.get() {
            return Err(Error::Backend { what: "use the local log", detail: failure.clone() });
        }
        self.store.read().unwrap_or_else(PoisonError::into_inner).clone().ok_or(Error::Closed)
    }

    fn topic(&self, name: &str) -> Result<Arc<Topic>, Error> {
        self.store()?.topic(name).ok_or_else(|| Error::NoPartition { topic: name.to_owned(), partition: 0 })
    }

    fn check(&self, topic: &Topic, Append { partition, record, .. }: &Append) -> Result<(), Error> {
        if *partition >= topic.partitions {
            return Err(Error::NoPartition { topic: topic.name.to_string(), partition: *partition });
        }
        let (bytes, max) = (block::record_bytes(record), self.max_record_bytes);
        let refused = |detail| Err(Error::Backend { what: "append", detail });
        if bytes > max {
            return refused(format!(
                "a record for topic {} has {bytes} bytes, at most {max} are taken",
                topic.name
            ));
        }
        if record.key.len() > MAX_KEY_BYTES {
            let bytes = record.key.len();
            return refused(format!(
                "a key for topic {} has {bytes} bytes, at most {MAX_KEY_BYTES} are taken",
                topic.name
            ));
        }
        Ok(())
    }

    async fn send(&self, command: Command) -> Result<(), Error> {
        self.store()?;
        self.queue.send(command).await.map_err(|_| Error::Closed)
    }
}

fn wall_clock_ms() -> i64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX)
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<(), Error> {
    std::thread::Builder::new().name(name.to_owned()).spawn(work).map(drop).map_err(|error| Error::Backend {
        what: "start a thread of the local log",
        detail: format!("{error}; check the limit on threads"),
    })
}

async fn blocking<T: Send + 'static, E: Send + 'static>(
    work: impl FnOnce() -> Result<T, E> + Send + 'static,
) -> Result<T, E> {
    match tokio::task::spawn_blocking(work).await {
        Ok(outcome) => outcome,
        Err(panic) if panic.is_panic() => std::panic::resume_unwind(panic.into_panic()),
        Err(_) => std::future::pending().await,
    }
}
