//! The index of a compacted topic: the newest record of each key, whole.
//!
//! It is written in the same atomic batch as the block, so it never lags behind. Since it holds the records themselves,
//! old blocks can be thrown away by the segment, and who reads from before the oldest block is served from here: the
//! newest record of each key, in the order of their offsets, with gaps, as Kafka does it.

use bytes::{Buf, BufMut, Bytes};
use fjall::{Keyspace, OwnedWriteBatch, PersistMode};
use rustc_hash::FxHashMap;

use super::block::decode_record;
use super::store::{Failure, Store, StoreResult};
use super::topic::Topic;
use super::writer::{Part, index_key};
use crate::Fetched;

/// A key that is too old, if it still has this offset.
pub(super) struct Stale {
    key: Bytes,
    offset: u64,
}

struct Entry {
    offset: u64,
    appended_at_ms: i64,
    record: Bytes,
}

/// Puts the newest of each key into the batch. `next` is where each partition goes on.
pub(super) fn put(batch: &mut OwnedWriteBatch, index: &Keyspace, parts: &[Part], next: &[u64], now_ms: i64) {
    let mut next = next.to_vec();
    // One entry for each key: within a batch fjall does not order two writes of the same key.
    let mut newest: FxHashMap<(u32, &[u8]), (u64, &Part, usize)> = FxHashMap::default();
    for part in parts {
        let offset = &mut next[part.section.partition as usize];
        for (i, keyed) in part.keys.iter().enumerate() {
            newest.insert((part.section.partition, &keyed.key), (*offset, part, i));
            *offset += 1;
        }
    }
    for ((partition, key), (offset, part, i)) in newest {
        let keyed = &part.keys[i];
        if keyed.is_tombstone {
            batch.remove(index, index_key(partition, key));
            continue;
        }
        let mut entry = Vec::with_capacity(16 + keyed.at.len());
        entry.put_u64_le(offset);
        entry.put_i64_le(now_ms);
        entry.put_slice(&part.section.bytes[keyed.at.clone()]);
        batch.insert(index, index_key(partition, key), entry);
    }
}

/// Returns the newest record of each key whose offset is at least `from` of its partition, by partition and offset.
pub(super) fn records(topic: &Topic, from: &[u64]) -> StoreResult<Vec<Fetched>> {
    let Some(index) = &topic.index else { return Ok(Vec::new()) };
    let mut records = Vec::new();
    // A whole iterator is a snapshot: what is written meanwhile does not mix in.
    for entry in index.iter() {
        let (key, value) = entry.into_inner()?;
        let (partition, Entry { offset, mut record, .. }) = decode(topic, &key, value.into())?;
        if from.get(partition as usize).is_some_and(|from| offset >= *from) {
            let record =
                decode_record(&mut record).map_err(|error| Failure::block(&topic.name, offset, error))?;
            records.push(Fetched { partition, offset, record });
        }
    }
    records.sort_unstable_by_key(|fetched| (fetched.partition, fetched.offset));
    Ok(records)
}

/// Finds up to `limit` keys last written before `before_ms`, from key `after` on; also says where to go on.
pub(super) fn stale(
    topic: &Topic,
    before_ms: i64,
    after: &[u8],
    limit: usize,
) -> StoreResult<(Vec<Stale>, Option<Bytes>)> {
    let Some(index) = &topic.index else { return Ok((Vec::new(), None)) };
    let mut stale = Vec::new();
    for (seen, entry) in index.range(after..).enumerate() {
        let (key, value) = entry.into_inner()?;
        if seen == limit {
            return Ok((stale, Some(key.into())));
        }
        let (_, Entry { offset, appended_at_ms, .. }) = decode(topic, &key, value.into())?;
        if appended_at_ms < before_ms {
            stale.push(Stale { key: key.into(), offset });
        }
    }
    Ok((stale, None))
}

/// Removes the stale keys that were not written again since. Only the writer calls this, so none can be in between.
pub(super) fn forget(store: &Store, topic: &Topic, stale: Vec<Stale>) -> StoreResult<()> {
    let Some(index) = &topic.index else { return Ok(()) };
    // Durable before the next commit: of what a crash tears, only the last batch may be missing.
    let mut batch = store.db.batch().durability(Some(PersistMode::SyncData));
    for Stale { key, offset } in stale {
        let Some(value) = index.get(&key)? else { continue };
        if decode(topic, &key, value.into())?.1.offset == offset {
            batch.remove(index, key);
        }
    }
    Ok(batch.commit()?)
}

fn decode(topic: &Topic, mut key: &[u8], mut value: Bytes) -> StoreResult<(u32, Entry)> {
    let short = |_| Failure::block(&topic.name, 0, super::block::Malformed::Short);
    let partition = key.try_get_u32().map_err(short)?;
    let (offset, appended_at_ms) =
        (value.try_get_u64_le().map_err(short)?, value.try_get_i64_le().map_err(short)?);
    Ok((partition, Entry { offset, appended_at_ms, record: value }))
}
