//! The one writer: takes all that is waiting, writes it as one atomic batch, syncs once, and tells everyone.
//!
//! While one commit is on its way to the disk the next one gathers, so the time of one `fdatasync` is shared by all
//! who wait, and the busier the log the larger its commits.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};

use bytes::{BufMut, Bytes};
use fjall::{OwnedWriteBatch, PersistMode};
use rustc_hash::FxHashMap;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};
use tracing::error;

use super::Clock;
use super::block::{Section, encode};
use super::index;
use super::store::{Failure, Store, StoreResult};
use super::topic::{Head, Segment, Topic};
use crate::Error;

pub(super) type Done = oneshot::Sender<Result<(), Error>>;

/// What the writer is asked to do, in the order it is asked.
pub(super) enum Command {
    /// Append a batch.
    Append {
        parts: Vec<Part>,
        /// Its share of the queue; free again when the batch is durable.
        room: OwnedSemaphorePermit,
        done: Done,
    },
    /// Store where a group goes on.
    Commit { positions: Vec<(Vec<u8>, u64)>, done: Done },
    /// Take keys out of a topic's index, unless they were written again since.
    Forget { topic: Arc<Topic>, stale: Vec<index::Stale> },
    /// Finish.
    Close { done: Done },
}

/// What a batch brings to one partition, already encoded.
pub(super) struct Part {
    pub(super) topic: Arc<Topic>,
    pub(super) section: Section,
    /// Of each record, in compacted topics.
    pub(super) keys: Vec<Keyed>,
}

/// A record in a section.
pub(super) struct Keyed {
    pub(super) key: Bytes,
    pub(super) at: Range<usize>,
    pub(super) is_tombstone: bool,
}

/// The writer's thread.
pub(super) struct Writer {
    pub(super) store: Arc<Store>,
    pub(super) commands: mpsc::Receiver<Command>,
    /// Set once when the disk failed: nothing is taken any more.
    pub(super) failed: Arc<OnceLock<String>>,
    pub(super) clock: Clock,
    pub(super) commit_bytes: usize,
    pub(super) segment_bytes: u64,
}

/// What one commit gathers.
#[derive(Default)]
struct Commit {
    topics: Vec<(Arc<Topic>, Vec<Part>)>,
    positions: BTreeMap<Vec<u8>, u64>,
    bytes: usize,
    waiting: Vec<(Done, Option<OwnedSemaphorePermit>)>,
    close: Option<Done>,
}

/// What becomes visible when the commit is durable.
struct Written {
    topic: Arc<Topic>,
    segment: Arc<Segment>,
    head: Head,
    bytes: u64,
}

impl Writer {
    /// Works until the log is closed or all its handles are gone.
    pub(super) fn run(mut self) {
        while let Some(first) = self.commands.blocking_recv() {
            let mut commit = Commit::default();
            self.gather(first, &mut commit);
            while commit.bytes < self.commit_bytes && commit.close.is_none() {
                match self.commands.try_recv() {
                    Ok(command) => self.gather(command, &mut commit),
                    Err(_) => break,
                }
            }
            let close = commit.close.take();
            let outcome = self.write(commit);
            if let Some(done) = close {
                let outcome = outcome.and_then(|()| self.sync());
                // Let go of the store first: who was told that the log is closed may open it again.
                drop(self);
                return tell(done, outcome);
            }
        }
        if let Err(failure) = self.sync() {
            error!(%failure, "the log could not be synced at its end");
        }
    }

    fn gather(&mut self, command: Command, commit: &mut Commit) {
        match command {
            Command::Append { parts, room, done } => {
                parts.into_iter().for_each(|part| commit.add(part));
                commit.waiting.push((done, Some(room)));
            }
            Command::Commit { positions, done } => {
                commit.positions.extend(positions);
                commit.waiting.push((done, None));
            }
            Command::Forget { topic, stale } => {
                if let Err(failure) = index::forget(&self.store, &topic, stale) {
                    error!(%failure, topic = %topic.name, "stale keys could not be removed; they stay until the next try");
                }
            }
            Command::Close { done } => commit.close = Some(done),
        }
    }

    /// Makes the commit durable and tells all who wait.
    fn write(&self, commit: Commit) -> Result<(), Arc<str>> {
        let Commit { topics, positions, waiting, .. } = commit;
        let outcome = match self.failed.get() {
            Some(failure) => Err(failure.as_str().into()),
            None => self.write_durably(topics, positions).map_err(|failure| self.fail(&failure)),
        };
        for (done, room) in waiting {
            drop(room);
            tell(done, outcome.clone());
        }
        outcome
    }

    fn write_durably(
        &self,
        topics: Vec<(Arc<Topic>, Vec<Part>)>,
        positions: BTreeMap<Vec<u8>, u64>,
    ) -> StoreResult<()> {
        let now_ms = (self.clock)();
        let mut batch = self.store.db.batch().durability(Some(PersistMode::SyncData));
        let mut written = Vec::with_capacity(topics.len());
        for (topic, parts) in topics {
            written.push(self.put_block(&mut batch, topic, parts, now_ms)?);
        }
        for (key, offset) in positions {
            batch.insert(&self.store.groups, key, offset.to_le_bytes());
        }
        batch.commit()?;
        for Written { topic, segment, head, bytes } in written {
            segment.appended(bytes, now_ms);
            topic.head.send_replace(head);
        }
        Ok(())
    }

    fn put_block(
        &self,
        batch: &mut OwnedWriteBatch,
        topic: Arc<Topic>,
        parts: Vec<Part>,
        now_ms: i64,
    ) -> StoreResult<Written> {
        let Head { next_block, ends } = topic.head();
        if let Some(keyspace) = &topic.index {
            index::put(batch, keyspace, &parts, &ends.offsets, now_ms);
        }
        let sections: Vec<Section> = parts.into_iter().map(|part| part.section).collect();
        let mut ends = (*ends).clone();
        let block = encode(now_ms, &sections, &mut ends);
        let segment = match topic.last_segment() {
            Some(segment) if !self.is_full(&topic, &segment, now_ms) => segment,
            _ => self.store.add_segment(&topic, next_block, now_ms)?,
        };
        let bytes = block.len() as u64;
        batch.insert(&segment.keyspace, next_block.to_be_bytes(), block);
        let head = Head { next_block: next_block + 1, ends: Arc::new(ends) };
        Ok(Written { topic, segment, head, bytes })
    }

    /// Segments are whole or gone: by age they are cut so that at most a sixteenth of the retention is kept too long.
    fn is_full(&self, topic: &Topic, segment: &Segment, now_ms: i64) -> bool {
        let age_ms = u64::try_from(now_ms.saturating_sub(segment.first_appended_ms)).unwrap_or(0);
        let longest_ms = (topic.retention_ms.load(Ordering::Relaxed) / 16).max(1_000);
        segment.bytes.load(Ordering::Relaxed) >= self.segment_bytes || age_ms >= longest_ms
    }

    /// After a failed write nobody can tell what is on the disk: the log takes nothing more until it is opened again.
    fn fail(&self, failure: &Failure) -> Arc<str> {
        let detail = format!(
            "{failure}; the log takes nothing more: check the disk and its free space, then start again"
        );
        error!(%failure, "the disk failed; the log takes nothing more");
        self.failed.get_or_init(|| detail).as_str().into()
    }

    fn sync(&self) -> Result<(), Arc<str>> {
        self.store.db.persist(PersistMode::SyncAll).map_err(|error| self.fail(&error.into()))
    }
}

impl Commit {
    fn add(&mut self, part: Part) {
        self.bytes += part.section.bytes.len();
        match self.topics.iter_mut().find(|(topic, _)| Arc::ptr_eq(topic, &part.topic)) {
            Some((_, parts)) => parts.push(part),
            None => self.topics.push((part.topic.clone(), vec![part])),
        }
    }
}

fn tell(done: Done, outcome: Result<(), Arc<str>>) {
    let outcome = outcome
        .map_err(|detail| Error::Backend { what: "write to the local log", detail: detail.to_string() });
    // Who no longer wants to know has dropped the receipt.
    done.send(outcome).ok();
}

/// Encodes a batch: one part for each topic and partition, in order.
pub(super) fn parts(batch: Vec<(Arc<Topic>, crate::Append)>) -> Vec<Part> {
    let mut places: FxHashMap<(u32, u32), usize> = FxHashMap::default();
    let mut parts: Vec<Part> = Vec::new();
    for (topic, crate::Append { partition, record, .. }) in batch {
        let place = *places.entry((topic.id, partition)).or_insert_with(|| {
            let section = Section { partition, records: 0, max_timestamp_ms: i64::MIN, bytes: Vec::new() };
            parts.push(Part { topic: topic.clone(), section, keys: Vec::new() });
            parts.len() - 1
        });
        parts[place].push(&record);
    }
    parts
}

impl Part {
    fn push(&mut self, record: &crate::Record) {
        let from = self.section.bytes.len();
        super::block::encode_record(record, &mut self.section.bytes);
        self.section.records += 1;
        self.section.max_timestamp_ms = self.section.max_timestamp_ms.max(record.timestamp_ms);
        if self.topic.index.is_some() {
            let at = from..self.section.bytes.len();
            self.keys.push(Keyed { key: record.key.clone(), at, is_tombstone: record.value.is_empty() });
        }
    }
}

/// Where a record's index entry and its key begin.
pub(super) fn index_key(partition: u32, key: &[u8]) -> Vec<u8> {
    let mut index_key = Vec::with_capacity(4 + key.len());
    index_key.put_u32(partition);
    index_key.put_slice(key);
    index_key
}
