//! One topic: its segments of blocks, where it ends, and, if it is compacted, the newest record of each key.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use bytes::Bytes;
use fjall::Keyspace;
use tokio::sync::watch;

use super::block::{Block, Ends};
use super::store::{Failure, StoreResult};
use crate::{Cleanup, Error, TopicSpec};

/// A topic and all that is known of it.
pub(super) struct Topic {
    pub(super) name: Arc<str>,
    pub(super) id: u32,
    pub(super) partitions: u32,
    pub(super) kind: Kind,
    /// What [`TopicSpec`] said last; `u64::MAX` = for ever.
    pub(super) retention_ms: AtomicU64,
    /// Ordered by their first block. Blocks are numbered without gaps, over all segments.
    pub(super) segments: RwLock<BTreeMap<u64, Arc<Segment>>>,
    /// (partition, key) -> newest record; only in compacted topics.
    pub(super) index: Option<Keyspace>,
    /// Moves when a commit is durable.
    pub(super) head: watch::Sender<Head>,
}

/// What is thrown away; the numbers are written to disk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    Delete = 0,
    Compact = 1,
    CompactAndDelete = 2,
}

/// Some of a topic's blocks, a keyspace of their own: throwing a segment away is deleting a folder.
pub(super) struct Segment {
    pub(super) keyspace: Keyspace,
    pub(super) bytes: AtomicU64,
    pub(super) first_appended_ms: i64,
    pub(super) last_appended_ms: AtomicI64,
}

/// Where a topic ends: everything before is durable. The channel ends when the log is closed.
#[derive(Clone, Debug)]
pub(super) struct Head {
    /// Number that the next block gets.
    pub(super) next_block: u64,
    pub(super) ends: Arc<Ends>,
}

impl Kind {
    pub(super) fn of(cleanup: Cleanup) -> Self {
        match cleanup {
            Cleanup::Delete { .. } => Self::Delete,
            Cleanup::Compact => Self::Compact,
            Cleanup::CompactAndDelete { .. } => Self::CompactAndDelete,
        }
    }

    pub(super) fn from_number(number: u8) -> Option<Self> {
        [Self::Delete, Self::Compact, Self::CompactAndDelete].into_iter().find(|kind| *kind as u8 == number)
    }

    pub(super) fn is_compacted(self) -> bool {
        self != Self::Delete
    }
}

/// Milliseconds after which records go; `u64::MAX` = never.
pub(super) fn retention_ms(cleanup: Cleanup) -> u64 {
    let whole = |age: Duration| u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
    match cleanup {
        Cleanup::Delete { retention } | Cleanup::CompactAndDelete { retention } => whole(retention),
        Cleanup::Compact => u64::MAX,
    }
}

impl Segment {
    pub(super) fn appended(&self, bytes: u64, appended_at_ms: i64) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.last_appended_ms.fetch_max(appended_at_ms, Ordering::Relaxed);
    }
}

impl Topic {
    /// Checks that an existing topic is what the spec asks for.
    pub(super) fn check(&self, spec: &TopicSpec) -> Result<(), Error> {
        let mismatch = |detail| Error::TopicMismatch { topic: self.name.to_string(), detail };
        if self.partitions != spec.partitions {
            return Err(mismatch(format!(
                "it has {} partitions on disk, the configuration asks for {}; the number can't change once records are \
                 there: set log.partitions = {}, or start with an empty log.dir",
                self.partitions, spec.partitions, self.partitions
            )));
        }
        if self.kind != Kind::of(spec.cleanup) {
            return Err(mismatch(format!(
                "it is kept as {:?} on disk, the program asks for {:?}; start with an empty log.dir",
                self.kind,
                Kind::of(spec.cleanup)
            )));
        }
        Ok(())
    }

    pub(super) fn head(&self) -> Head {
        self.head.borrow().clone()
    }

    /// Number of the oldest block that is kept; the next block's if none is.
    pub(super) fn first_block(&self) -> u64 {
        let first = self.segments.read().unwrap_or_else(PoisonError::into_inner).keys().next().copied();
        first.unwrap_or_else(|| self.head.borrow().next_block)
    }

    /// Returns a block, or nothing if it has been thrown away.
    pub(super) fn block(&self, number: u64) -> StoreResult<Option<Block>> {
        let segments = self.segments.read().unwrap_or_else(PoisonError::into_inner);
        let Some(segment) = segments.range(..=number).next_back().map(|(_, segment)| segment.clone()) else {
            return Ok(None);
        };
        drop(segments);
        let Some(bytes) = segment.keyspace.get(number.to_be_bytes())? else { return Ok(None) };
        let block =
            Block::decode(Bytes::from(bytes)).map_err(|error| Failure::block(&self.name, number, error))?;
        Ok(Some(block))
    }

    /// Offset of each partition's oldest record in the blocks that are kept.
    pub(super) fn starts(&self) -> StoreResult<Vec<u64>> {
        loop {
            let (first, head) = (self.first_block(), self.head());
            if first >= head.next_block {
                return Ok(head.ends.offsets.clone());
            }
            if let Some(block) = self.block(first)? {
                return Ok(block.starts());
            }
            // Retention took the block between the two looks; there is a newer first one now.
        }
    }

    /// Number of the first kept block for which `reached` holds, or the head's. `reached` must stay true once true.
    pub(super) fn bisect(&self, head: &Head, reached: impl Fn(&Ends) -> bool) -> StoreResult<u64> {
        let (mut low, mut high) = (self.first_block(), head.next_block);
        while low < high {
            let middle = low + (high - low) / 2;
            match self.block(middle)? {
                Some(block) if reached(&block.ends) => high = middle,
                // A block that retention has just taken lies before all that is kept.
                Some(_) | None => low = middle + 1,
            }
        }
        Ok(low)
    }

    /// The segment that is written to, if there is one.
    pub(super) fn last_segment(&self) -> Option<Arc<Segment>> {
        let segments = self.segments.read().unwrap_or_else(PoisonError::into_inner);
        segments.last_key_value().map(|(_, segment)| segment.clone())
    }
}
