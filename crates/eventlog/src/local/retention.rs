//! Retention: a thread that looks every so often and throws away whole segments.
//!
//! Why segments: deleting a segment's keyspace removes a folder and costs the same however much is in it. fjall has no
//! range delete, one tombstone for each block would be compacted together with its block, and its FIFO strategy keeps
//! the age for which the keyspace was created.
//!
//! A segment goes when its newest block was appended longer ago than the retention (wall clock: a replay of last
//! year's events is not old), in compacted topics when newer segments already fill `compacted_history_bytes`. The
//! segment that is written to always stays, and with it the knowledge where the topic ends.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::mpsc;
use tracing::{error, info};

use super::store::{Store, StoreResult};
use super::topic::{Segment, Topic};
use super::writer::Command;
use super::{Clock, index, watermark};

/// 10,000 keys a look: bounds what one look reads to some milliseconds.
const KEYS_AT_A_TIME: usize = 10_000;

/// The retention's thread.
pub(super) struct Retention {
    pub(super) store: Weak<Store>,
    pub(super) writer: mpsc::WeakSender<Command>,
    pub(super) clock: Clock,
    pub(super) every: Duration,
    pub(super) compacted_history_bytes: u64,
    pub(super) ended: std::sync::mpsc::Receiver<()>,
}

impl Retention {
    /// Looks every so often until the log is closed.
    pub(super) fn run(self) {
        let mut places: BTreeMap<u32, Vec<u8>> = BTreeMap::new();
        while let Err(std::sync::mpsc::RecvTimeoutError::Timeout) = self.ended.recv_timeout(self.every) {
            let Some(store) = self.store.upgrade() else { return };
            if let Err(error) = watermark::write(&store) {
                error!(%error, "the log's watermark could not be written; check the disk");
            }
            for topic in store.topics() {
                if let Err(failure) = self.look(&store, &topic, places.entry(topic.id).or_default()) {
                    error!(%failure, topic = %topic.name, "retention failed; the disk may fill up");
                }
            }
        }
    }

    fn look(&self, store: &Store, topic: &Arc<Topic>, place: &mut Vec<u8>) -> StoreResult<()> {
        let retention_ms = topic.retention_ms.load(Ordering::Relaxed);
        let before_ms = i64::try_from(retention_ms).map_or(i64::MIN, |ms| (self.clock)().saturating_sub(ms));
        let dropped = drop_segments(store, topic, before_ms, self.compacted_history_bytes)?;
        if dropped > 0 {
            info!(topic = %topic.name, segments = dropped, "threw old segments away");
        }
        if topic.index.is_some() && retention_ms < u64::MAX {
            let (stale, go_on) = index::stale(topic, before_ms, place, KEYS_AT_A_TIME)?;
            *place = go_on.map(Vec::from).unwrap_or_default();
            if let (false, Some(writer)) = (stale.is_empty(), self.writer.upgrade()) {
                // An error says that the log is closed: then there is nothing to forget any more.
                writer.blocking_send(Command::Forget { topic: topic.clone(), stale }).ok();
            }
        }
        Ok(())
    }
}

/// Throws away what is too old or, in compacted topics, too much. Returns how many segments.
pub(super) fn drop_segments(
    store: &Store,
    topic: &Topic,
    before_ms: i64,
    compacted_history_bytes: u64,
) -> StoreResult<usize> {
    let old = too_old(topic, before_ms, compacted_history_bytes);
    for &first_block in &old {
        store.drop_segment(topic, first_block)?;
    }
    Ok(old.len())
}

fn too_old(topic: &Topic, before_ms: i64, compacted_history_bytes: u64) -> Vec<u64> {
    let segments = topic.segments.read().unwrap_or_else(PoisonError::into_inner);
    let size = |segment: &Segment| segment.bytes.load(Ordering::Relaxed);
    let mut excess = match topic.kind.is_compacted() {
        true => segments
            .values()
            .map(|segment| size(segment))
            .sum::<u64>()
            .saturating_sub(compacted_history_bytes),
        false => 0,
    };
    let mut old = Vec::new();
    // From the oldest on, without gaps; the last one stays.
    for (&first_block, segment) in segments.iter().take(segments.len().saturating_sub(1)) {
        if excess == 0 && segment.last_appended_ms.load(Ordering::Relaxed) >= before_ms {
            break;
        }
        excess = excess.saturating_sub(size(segment));
        old.push(first_block);
    }
    old
}
