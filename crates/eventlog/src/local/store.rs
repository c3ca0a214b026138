//! The store: fjall's keyspaces and what they hold.
//!
//! ```text
//! topics              name                  -> id u32, partitions u32, kind u8, retention_ms u64
//! groups              group 0 topic 0 partition -> next offset u64
//! t{id}-{first block} block's number        -> block (block.rs): one keyspace for each segment
//! i{id}               partition, key        -> offset u64, appended_at_ms i64, record: compacted topics only
//! ```
//! Numbers in keys are big-endian so that they sort, in values little-endian. Everything of one commit is one atomic
//! fjall batch: a crash leaves all of it or nothing.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use bytes::{Buf, BufMut, Bytes};
use fjall::config::CompressionPolicy;
use fjall::{CompressionType, Database, Keyspace, KeyspaceCreateOptions, PersistMode};
use rustc_hash::FxHashMap;
use tokio::sync::watch;

use super::Config;
use super::block::{Block, Ends, Malformed};
use super::directory::{Directory, format_error};
use super::topic::{Head, Kind, Segment, Topic, retention_ms};
use crate::{Error, TopicSpec};

/// 8 MiB: a handful of keyspaces is written to at a time, so that all of them together stay below 100 MB of memory.
const MEMTABLE_BYTES: u64 = 8 << 20;

/// 128 MiB of journal at most: bounds what is replayed after a crash to a second or so.
const JOURNAL_BYTES: u64 = 128 << 20;

pub(super) type StoreResult<T> = Result<T, Failure>;

/// The store said no.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error("{0}")]
    Fjall(#[from] fjall::Error),
    #[error("{0}")]
    Io(#[from] std::io::Error),
    #[error("{place} can't be read: {error}")]
    Block { place: String, error: Malformed },
    #[error("the entry of topic {topic} is not {expected} bytes")]
    TopicEntry { topic: String, expected: usize },
}

impl Failure {
    pub(super) fn block(topic: &str, number: u64, error: Malformed) -> Self {
        Self::Block { place: format!("topic {topic} block {number}"), error }
    }

    /// As the seam's error.
    pub(super) fn during(self, what: &'static str) -> Error {
        Error::Backend { what, detail: self.to_string() }
    }
}

/// An open store.
pub(super) struct Store {
    // Declared first so that fjall closes before the directory's lock goes.
    pub(super) db: Database,
    topics_on_disk: Keyspace,
    pub(super) groups: Keyspace,
    topics: RwLock<FxHashMap<Arc<str>, Arc<Topic>>>,
    directory: Directory,
    /// Held while the watermark is written: closing must not meet the retention's thread at it.
    pub(super) watermark: Mutex<()>,
}

impl Store {
    /// Opens what is there, or makes a new store.
    pub(super) fn open(dir: &Path, config: &Config) -> Result<Self, Error> {
        let directory = Directory::open(dir)?;
        let broken = |failure: Failure| format_error(directory.store(), in_words(&failure));
        if !directory.store().exists() {
            directory.create_store(|path| open_database(path, config).map(drop)).map_err(broken)?;
        }
        super::journal::check(directory.store())?;
        let db = open_database(directory.store(), config).map_err(broken)?;
        let topics_on_disk = db.keyspace("topics", small_keyspace).map_err(|error| broken(error.into()))?;
        let groups = db.keyspace("groups", small_keyspace).map_err(|error| broken(error.into()))?;
        let topics = open_topics(&db, &topics_on_disk).map_err(broken)?;
        Ok(Self {
            db,
            topics_on_disk,
            groups,
            topics: RwLock::new(topics),
            directory,
            watermark: Mutex::new(()),
        })
    }

    /// The log's directory.
    pub(super) fn dir(&self) -> &Path {
        self.directory.path()
    }

    /// Returns a topic.
    pub(super) fn topic(&self, name: &str) -> Option<Arc<Topic>> {
        self.topics.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    /// Returns all topics.
    pub(super) fn topics(&self) -> Vec<Arc<Topic>> {
        self.topics.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// Creates the topic, or checks it and takes over its retention.
    pub(super) fn ensure_topic(&self, spec: &TopicSpec) -> Result<(), Error> {
        if spec.partitions == 0 {
            let detail = "it needs at least one partition; set log.partitions".to_owned();
            return Err(Error::TopicMismatch { topic: spec.name.to_string(), detail });
        }
        let mut topics = self.topics.write().unwrap_or_else(PoisonError::into_inner);
        let id = match topics.get(&spec.name) {
            Some(topic) => {
                topic.check(spec)?;
                topic.retention_ms.store(retention_ms(spec.cleanup), Ordering::Relaxed);
                topic.id
            }
            None => topics.values().map(|topic| topic.id + 1).max().unwrap_or(0),
        };
        let entry = TopicEntry {
            id,
            partitions: spec.partitions,
            kind: Kind::of(spec.cleanup),
            retention_ms: retention_ms(spec.cleanup),
        };
        let created =
            self.write_topic(&spec.name, entry).map_err(|failure| failure.during("create a topic"))?;
        topics.entry(spec.name.clone()).or_insert(created);
        Ok(())
    }

    fn write_topic(&self, name: &Arc<str>, entry: TopicEntry) -> StoreResult<Arc<Topic>> {
        let topic = open_topic(&self.db, name.clone(), entry, BTreeMap::new())?;
        self.topics_on_disk.insert(name.as_bytes(), entry.encode())?;
        self.db.persist(PersistMode::SyncAll)?;
        Ok(Arc::new(topic))
    }

    /// Starts a new segment; blocks from `first_block` on go there.
    pub(super) fn add_segment(
        &self,
        topic: &Topic,
        first_block: u64,
        now_ms: i64,
    ) -> StoreResult<Arc<Segment>> {
        if let Some(filled) = topic.last_segment() {
            // What is full is written out, so that its memory and its part of the journal are free again.
            filled.keyspace.rotate_memtable()?;
        }
        let keyspace = self.db.keyspace(&segment_name(topic.id, first_block), segment_keyspace)?;
        let segment = Arc::new(Segment {
            keyspace,
            bytes: AtomicU64::new(0),
            first_appended_ms: now_ms,
            last_appended_ms: AtomicI64::new(now_ms),
        });
        topic.segments.write().unwrap_or_else(PoisonError::into_inner).insert(first_block, segment.clone());
        Ok(segment)
    }

    /// Throws a segment away. Whoever still reads it may finish.
    pub(super) fn drop_segment(&self, topic: &Topic, first_block: u64) -> StoreResult<()> {
        let segment = topic.segments.write().unwrap_or_else(PoisonError::into_inner).remove(&first_block);
        match segment {
            Some(segment) => Ok(self.db.delete_keyspace(segment.keyspace.clone())?),
            None => Ok(()),
        }
    }

    /// Next offset that the group committed for the partition.
    pub(super) fn committed(&self, group: &str, topic: &str, partition: u32) -> StoreResult<Option<u64>> {
        let value = self.groups.get(group_key(group, topic, partition))?;
        Ok(value.and_then(|value| value.as_ref().try_get_u64_le().ok()))
    }
}

/// Key of a group's place in a partition.
pub(super) fn group_key(group: &str, topic: &str, partition: u32) -> Vec<u8> {
    let mut key = Vec::with_capacity(group.len() + topic.len() + 6);
    key.put_slice(group.as_bytes());
    key.put_u8(0);
    key.put_slice(topic.as_bytes());
    key.put_u8(0);
    key.put_u32(partition);
    key
}

#[derive(Clone, Copy)]
struct TopicEntry {
    id: u32,
    partitions: u32,
    kind: Kind,
    retention_ms: u64,
}

impl TopicEntry {
    const BYTES: usize = 17;

    fn encode(self) -> Vec<u8> {
        let mut entry = Vec::with_capacity(Self::BYTES);
        entry.put_u32_le(self.id);
        entry.put_u32_le(self.partitions);
        entry.put_u8(self.kind as u8);
        entry.put_u64_le(self.retention_ms);
        entry
    }

    fn decode(mut bytes: &[u8]) -> Option<Self> {
        if bytes.len() != Self::BYTES {
            return None;
        }
        let (id, partitions) = (bytes.get_u32_le(), bytes.get_u32_le());
        Some(Self {
            id,
            partitions,
            kind: Kind::from_number(bytes.get_u8())?,
            retention_ms: bytes.get_u64_le(),
        })
    }
}

fn open_database(path: &Path, config: &Config) -> StoreResult<Database> {
    let database = Database::builder(path)
        .cache_size(config.cache_bytes as u64)
        .worker_threads(2)
        .max_journaling_size(JOURNAL_BYTES)
        .journal_compression(CompressionType::None)
        .manual_journal_persist(true)
        .open()?;
    Ok(database)
}

fn open_topics(db: &Database, on_disk: &Keyspace) -> StoreResult<FxHashMap<Arc<str>, Arc<Topic>>> {
    let mut segments = segments_on_disk(db)?;
    let mut topics = FxHashMap::default();
    for entry in on_disk.iter() {
        let (name, entry) = entry.into_inner()?;
        let name: Arc<str> = String::from_utf8_lossy(&name).into();
        let entry = TopicEntry::decode(&entry)
            .ok_or_else(|| Failure::TopicEntry { topic: name.to_string(), expected: TopicEntry::BYTES })?;
        let segments = segments.remove(&entry.id).unwrap_or_default();
        topics.insert(name.clone(), Arc::new(open_topic(db, name, entry, segments)?));
    }
    Ok(topics)
}

fn open_topic(
    db: &Database,
    name: Arc<str>,
    entry: TopicEntry,
    keyspaces: BTreeMap<u64, Keyspace>,
) -> StoreResult<Topic> {
    let mut head = Head { next_block: 0, ends: Arc::new(Ends::empty(entry.partitions)) };
    let mut segments = BTreeMap::new();
    for (first_block, keyspace) in keyspaces {
        // A segment without blocks was made just before a crash.
        let (Some(first), Some(last)) = (keyspace.first_key_value(), keyspace.last_key_value()) else {
            db.delete_keyspace(keyspace)?;
            continue;
        };
        let (_, first) = decode_block(&name, first)?;
        let (number, last) = decode_block(&name, last)?;
        head = Head { next_block: number + 1, ends: Arc::new(last.ends) };
        let segment = Segment {
            bytes: AtomicU64::new(keyspace.disk_space()),
            keyspace,
            first_appended_ms: first.appended_at_ms,
            last_appended_ms: AtomicI64::new(last.appended_at_ms),
        };
        segments.insert(first_block, Arc::new(segment));
    }
    let index = entry
        .kind
        .is_compacted()
        .then(|| db.keyspace(&format!("i{}", entry.id), index_keyspace))
        .transpose()?;
    Ok(Topic {
        name,
        id: entry.id,
        partitions: entry.partitions,
        kind: entry.kind,
        retention_ms: AtomicU64::new(entry.retention_ms),
        segments: RwLock::new(segments),
        index,
        head: watch::Sender::new(head),
    })
}

fn decode_block(topic: &str, entry: fjall::Guard) -> StoreResult<(u64, Block)> {
    let (key, value) = entry.into_inner()?;
    let number = key.as_ref().try_get_u64().map_err(|_| Failure::block(topic, 0, Malformed::Short))?;
    let block = Block::decode(Bytes::from(value)).map_err(|error| Failure::block(topic, number, error))?;
    Ok((number, block))
}

fn segment_name(topic: u32, first_block: u64) -> String {
    format!("t{topic}-{first_block:016x}")
}

/// Topic's id -> first block -> keyspace.
fn segments_on_disk(db: &Database) -> StoreResult<FxHashMap<u32, BTreeMap<u64, Keyspace>>> {
    let mut segments: FxHashMap<u32, BTreeMap<u64, Keyspace>> = FxHashMap::default();
    for name in db.list_keyspace_names() {
        let Some((topic, first_block)) = name.strip_prefix('t').and_then(|rest| rest.split_once('-')) else {
            continue;
        };
        if let (Ok(topic), Ok(first_block)) = (topic.parse(), u64::from_str_radix(first_block, 16)) {
            segments.entry(topic).or_default().insert(first_block, db.keyspace(&name, segment_keyspace)?);
        }
    }
    Ok(segments)
}

fn segment_keyspace() -> KeyspaceCreateOptions {
    KeyspaceCreateOptions::default()
        .max_memtable_size(MEMTABLE_BYTES)
        .data_block_compression_policy(CompressionPolicy::disabled())
        .expect_point_read_hits(true)
}

fn index_keyspace() -> KeyspaceCreateOptions {
    KeyspaceCreateOptions::default().max_memtable_size(2 * MEMTABLE_BYTES)
}

fn small_keyspace() -> KeyspaceCreateOptions {
    KeyspaceCreateOptions::default().max_memtable_size(1 << 20)
}

fn in_words(failure: &Failure) -> String {
    let advice = "restore the directory from a backup, or move it away and start with an empty one";
    match failure {
        Failure::Fjall(fjall::Error::InvalidVersion(_)) => {
            format!(
                "the store was written by another version of fjall; use the program that wrote it, or {advice}"
            )
        }
        Failure::Fjall(fjall::Error::Locked) => "another process has the store open; stop it".to_owned(),
        Failure::Fjall(fjall::Error::Io(error)) | Failure::Io(error) => {
            format!("the store can't be opened: {error}; check free space, permissions and the disk")
        }
        failure => format!("the store is broken: {failure}; {advice}"),
    }
}
