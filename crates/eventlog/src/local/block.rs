//! Blocks: how records lie on disk. One block holds what one commit appended to one topic, all partitions together.
//!
//! ```text
//! version u8 = 1
//! appended_at_ms i64                                     wall clock of the commit; retention goes by it
//! partitions u32, then for each: end_offset u64, max_timestamp_ms i64      both after this block
//! sections u32, then for each: partition u32, base_offset u64, records u32, bytes u32
//! the sections' records, one after the other
//! ```
//! A record is: timestamp_ms i64, key, value, number of headers, each header's name and value; texts and numbers of
//! bytes are LEB128 lengths, fixed numbers are little-endian. Offsets count from the section's base, so a section can
//! be encoded before its place in the log is known.
//!
//! Every block carries the end offset and the highest timestamp of every partition. Both only grow from block to
//! block, so an offset or a time is found by bisecting the blocks: no index file, and nothing to keep in memory.

use bytes::{Buf, BufMut, Bytes};

use crate::{Fetched, Record};

const BLOCK_VERSION: u8 = 1;

/// Why bytes are not a block. They passed the store's checksums, so this is a bug or another version's writing.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub(super) enum Malformed {
    #[error("block version {0}, this program reads version 1")]
    Version(u8),
    #[error("block ends before its records do")]
    Short,
    #[error("header name is not UTF-8")]
    HeaderName,
}

/// Where each partition ends.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Ends {
    pub(super) offsets: Vec<u64>,
    pub(super) timestamps_ms: Vec<i64>,
}

impl Ends {
    pub(super) fn empty(partitions: u32) -> Self {
        Self { offsets: vec![0; partitions as usize], timestamps_ms: vec![i64::MIN; partitions as usize] }
    }
}

/// Consecutive records of one partition, encoded, in one piece.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Section {
    pub(super) partition: u32,
    pub(super) records: u32,
    pub(super) max_timestamp_ms: i64,
    pub(super) bytes: Vec<u8>,
}

/// A decoded block's head; the records are decoded on demand.
#[derive(Debug)]
pub(super) struct Block {
    pub(super) appended_at_ms: i64,
    pub(super) ends: Ends,
    sections: Vec<Place>,
    records: Bytes,
}

#[derive(Clone, Copy, Debug)]
struct Place {
    partition: u32,
    base_offset: u64,
    records: u32,
    bytes: u32,
}

/// Encodes a block; moves `ends` on to what it is afterwards.
pub(super) fn encode(appended_at_ms: i64, sections: &[Section], ends: &mut Ends) -> Bytes {
    let payload: usize = sections.iter().map(|section| section.bytes.len()).sum();
    let places = place(sections, ends);
    let mut block = Vec::with_capacity(64 + ends.offsets.len() * 16 + places.len() * 20 + payload);
    block.put_u8(BLOCK_VERSION);
    block.put_i64_le(appended_at_ms);
    block.put_u32_le(count(ends.offsets.len()));
    for (&offset, &timestamp_ms) in ends.offsets.iter().zip(&ends.timestamps_ms) {
        block.put_u64_le(offset);
        block.put_i64_le(timestamp_ms);
    }
    block.put_u32_le(count(places.len()));
    for place in places {
        block.put_u32_le(place.partition);
        block.put_u64_le(place.base_offset);
        block.put_u32_le(place.records);
        block.put_u32_le(place.bytes);
    }
    for section in sections {
        block.put_slice(&section.bytes);
    }
    block.into()
}

fn place(sections: &[Section], ends: &mut Ends) -> Vec<Place> {
    let mut places = Vec::with_capacity(sections.len());
    for section in sections {
        let partition = section.partition as usize;
        places.push(Place {
            partition: section.partition,
            base_offset: ends.offsets[partition],
            records: section.records,
            bytes: count(section.bytes.len()),
        });
        ends.offsets[partition] += u64::from(section.records);
        ends.timestamps_ms[partition] = ends.timestamps_ms[partition].max(section.max_timestamp_ms);
    }
    places
}

fn count(n: usize) -> u32 {
    u32::try_from(n).expect("a commit is limited to far less than 4 GiB")
}

impl Block {
    /// Decodes the head.
    pub(super) fn decode(mut bytes: Bytes) -> Result<Self, Malformed> {
        let version = bytes.try_get_u8().map_err(|_| Malformed::Short)?;
        if version != BLOCK_VERSION {
            return Err(Malformed::Version(version));
        }
        let appended_at_ms = bytes.try_get_i64_le().map_err(|_| Malformed::Short)?;
        let partitions = fitting(bytes.try_get_u32_le(), 16, &bytes)?;
        let mut ends =
            Ends { offsets: Vec::with_capacity(partitions), timestamps_ms: Vec::with_capacity(partitions) };
        for _ in 0..partitions {
            ends.offsets.push(bytes.get_u64_le());
            ends.timestamps_ms.push(bytes.get_i64_le());
        }
        let sections = fitting(bytes.try_get_u32_le(), 20, &bytes)?;
        let sections: Vec<Place> = (0..sections)
            .map(|_| Place {
                partition: bytes.get_u32_le(),
                base_offset: bytes.get_u64_le(),
                records: bytes.get_u32_le(),
                bytes: bytes.get_u32_le(),
            })
            .collect();
        let payload: u64 = sections.iter().map(|place| u64::from(place.bytes)).sum();
        let sound = |place: &Place| {
            let end = place.base_offset.checked_add(u64::from(place.records));
            ends.offsets.get(place.partition as usize).is_some_and(|last| end.is_some_and(|end| end <= *last))
        };
        if payload != bytes.len() as u64 || !sections.iter().all(sound) {
            return Err(Malformed::Short);
        }
        Ok(Self { appended_at_ms, ends, sections, records: bytes })
    }

    /// Where each partition begins in this block: its end before it.
    pub(super) fn starts(&self) -> Vec<u64> {
        let mut starts = self.ends.offsets.clone();
        for place in &self.sections {
            let start = &mut starts[place.partition as usize];
            *start = start.saturating_sub(u64::from(place.records));
        }
        starts
    }

    /// Decodes the records that `from` (an offset for each partition) has not seen yet, in order.
    pub(super) fn records(&self, from: &[u64], into: &mut impl Extend<Fetched>) -> Result<(), Malformed> {
        let mut at = 0;
        for place in &self.sections {
            let end = at + place.bytes as usize;
            let wanted = from[place.partition as usize];
            if place.base_offset + u64::from(place.records) > wanted {
                let mut rest = self.records.slice(at..end);
                for offset in (place.base_offset..).take(place.records as usize) {
                    let record = decode_record(&mut rest)?;
                    if offset >= wanted {
                        into.extend([Fetched { partition: place.partition, offset, record }]);
                    }
                }
            }
            at = end;
        }
        Ok(())
    }
}

fn fitting(n: Result<u32, bytes::TryGetError>, each: usize, rest: &Bytes) -> Result<usize, Malformed> {
    let n = n.map_err(|_| Malformed::Short)? as usize;
    if n.saturating_mul(each) > rest.len() { Err(Malformed::Short) } else { Ok(n) }
}

/// Appends a record's encoding.
pub(super) fn encode_record(record: &Record, out: &mut Vec<u8>) {
    out.put_i64_le(record.timestamp_ms);
    put_slice(out, &record.key);
    put_slice(out, &record.value);
    put_length(out, record.headers.len());
    for (name, value) in &record.headers {
        put_slice(out, name.as_bytes());
        put_slice(out, value);
    }
}

/// Takes one record off the front.
pub(super) fn decode_record(from: &mut Bytes) -> Result<Record, Malformed> {
    let timestamp_ms = from.try_get_i64_le().map_err(|_| Malformed::Short)?;
    let key = take_slice(from)?;
    let value = take_slice(from)?;
    let headers = take_length(from)?;
    // A header takes two bytes at least: no more room is made than the bytes can fill.
    let mut record =
        Record { key, value, headers: Vec::with_capacity(headers.min(from.len() / 2)), timestamp_ms };
    for _ in 0..headers {
        let name = take_slice(from)?;
        let name = std::str::from_utf8(&name).map_err(|_| Malformed::HeaderName)?.to_owned();
        record.headers.push((name, take_slice(from)?));
    }
    Ok(record)
}

/// Bytes that a record takes up at most, for accounting.
pub(super) fn record_bytes(record: &Record) -> usize {
    let headers: usize = record.headers.iter().map(|(name, value)| name.len() + value.len() + 10).sum();
    record.key.len() + record.value.len() + headers + 24
}

fn put_slice(out: &mut Vec<u8>, slice: &[u8]) {
    put_length(out, slice.len());
    out.put_slice(slice);
}

fn put_length(out: &mut Vec<u8>, mut length: usize) {
    while length >= 0x80 {
        out.put_u8((length & 0x7f) as u8 | 0x80);
        length >>= 7;
    }
    out.put_u8(length as u8);
}

fn take_slice(from: &mut Bytes) -> Result<Bytes, Malformed> {
    let length = take_length(from)?;
    if length > from.len() { Err(Malformed::Short) } else { Ok(from.split_to(length)) }
}

fn take_length(from: &mut Bytes) -> Result<usize, Malformed> {
    let mut length = 0_usize;
    for shift in (0..63).step_by(7) {
        let byte = from.try_get_u8().map_err(|_| Malformed::Short)?;
        length |= usize::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(length);
        }
    }
    Err(Malformed::Short)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_record() -> impl Strategy<Value = Record> {
        let bytes = || prop::collection::vec(any::<u8>(), 0..300).prop_map(Bytes::from);
        let headers = prop::collection::vec(("[a-z_]{0,9}", bytes()), 0..4);
        (bytes(), bytes(), headers, any::<i64>()).prop_map(|(key, value, headers, timestamp_ms)| Record {
            key,
            value,
            headers,
            timestamp_ms,
        })
    }

    proptest! {
        #[test]
        fn a_block_gives_back_what_was_put_in(batches in prop::collection::vec((0..3_u32, prop::collection::vec(any_record(), 1..5)), 1..6)) {
            let mut ends = Ends { offsets: vec![7, 0, 1_000_000], timestamps_ms: vec![0; 3] };
            let before = ends.offsets.clone();
            let mut next = before.clone();
            let (mut sections, mut expected) = (Vec::new(), Vec::new());
            for (partition, records) in batches {
                let mut bytes = Vec::new();
                for record in &records {
                    encode_record(record, &mut bytes);
                    expected.push(Fetched { partition, offset: next[partition as usize], record: record.clone() });
                    next[partition as usize] += 1;
                }
                let max_timestamp_ms = records.iter().map(|record| record.timestamp_ms).max().unwrap();
                sections.push(Section { partition, records: records.len() as u32, max_timestamp_ms, bytes });
            }

            let block = Block::decode(encode(5, &sections, &mut ends)).unwrap();

            let mut records = Vec::new();
            block.records(&before, &mut records).unwrap();
            prop_assert_eq!(records, expected);
            prop_assert_eq!(&block.ends, &ends);
            prop_assert_eq!(block.ends.offsets.clone(), next);
            prop_assert_eq!(block.starts(), before);
        }

        #[test]
        fn bytes_that_are_no_block_are_refused(mut bytes in prop::collection::vec(any::<u8>(), 0..200), versioned in any::<bool>()) {
            if versioned && let Some(first) = bytes.first_mut() {
                *first = BLOCK_VERSION;
            }
            // Must neither panic nor ask for memory without bound; whether it is an error depends on the bytes.
            if let Ok(block) = Block::decode(bytes.into()) {
                let from = vec![0; block.ends.offsets.len()];
                let mut records = Vec::new();
                let outcome = block.records(&from, &mut records);
                prop_assert!(outcome.is_ok() || outcome == Err(Malformed::Short) || outcome == Err(Malformed::HeaderName));
            }
        }
    }
}
