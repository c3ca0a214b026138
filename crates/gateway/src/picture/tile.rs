//! 64 neighbouring links, their states encoded in one piece of memory.

use bytes::{BufMut as _, Bytes, BytesMut};
use model::{LevelOfService, Source, Timestamp};

use super::layout::TILE;

/// A record of the log that changes one link.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Change {
    /// Where it stands in the log.
    pub(crate) at: Place,
    /// The link's new state; `None` takes it away.
    pub(crate) state: Option<EncodedState>,
}

/// A place in the log.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Place {
    pub(crate) partition: u32,
    pub(crate) offset: u64,
}

/// A link's state as it travels, and what filters ask of it.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct EncodedState {
    /// A `luong.v1.LinkState`.
    pub(crate) bytes: Bytes,
    pub(crate) valid_at: Timestamp,
    pub(crate) level: Option<LevelOfService>,
    pub(crate) source: Source,
}

/// What is known of one link, beside its bytes.
#[derive(Clone, Copy, Debug, Default)]
struct Row {
    /// Where its entry ends in the tile's bytes; it starts where the one before ends.
    end: u32,
    /// The commit that changed it last; 0 = none.
    version: u64,
    /// The record under it.
    at: Place,
    valid_at: Timestamp,
}

/// 64 neighbouring links; immutable.
#[derive(Clone, Debug)]
pub(crate) struct Tile {
    rows: [Row; TILE],
    /// The known links' entries, in the order of their bits.
    entries: Bytes,
    /// Links of which a state is known.
    known: u64,
    /// Links whose state rests on their own sensors.
    observed: u64,
    /// For each level, the links that are at it or worse.
    at_or_worse: [u64; LevelOfService::ALL.len()],
}

/// Field 6 of `StateUpdate`, length-delimited.
const UPDATE_TAG: u8 = 6 << 3 | 2;
/// Field 3 of `StateChunk`, length-delimited.
const CHUNK_TAG: u8 = 3 << 3 | 2;

impl Tile {
    pub(crate) fn empty() -> Self {
        Self {
            rows: [Row::default(); TILE],
            entries: Bytes::new(),
            known: 0,
            observed: 0,
            at_or_worse: [0; LevelOfService::ALL.len()],
        }
    }

    /// Returns the tile after these changes (bit, change), ordered by bit.
    pub(crate) fn changed(&self, changes: &[(usize, Change)], version: u64) -> Self {
        let mut new = Self { entries: Bytes::new(), ..self.clone() };
        let added: usize =
            changes.iter().map(|(_, c)| c.state.as_ref().map_or(0, |s| s.bytes.len() + 11)).sum();
        let mut entries = BytesMut::with_capacity(self.entries.len() + added);
        let mut changes = changes.iter().peekable();
        for bit in 0..TILE {
            match changes.next_if(|(changed, _)| *changed == bit) {
                Some((_, change)) => {
                    new.set_row(bit, change, version);
                    if let Some(state) = &change.state {
                        put_entry(&mut entries, &state.bytes);
                    }
                }
                None => entries.put_slice(self.entry(bit)),
            }
            new.rows[bit].end = entries.len() as u32;
        }
        new.entries = entries.freeze();
        new
    }

    fn set_row(&mut self, bit: usize, change: &Change, version: u64) {
        let row = &mut self.rows[bit];
        (row.version, row.at) = (version, change.at);
        let state = change.state.as_ref();
        row.valid_at = state.map_or(row.valid_at, |state| state.valid_at);
        set(&mut self.known, bit, state.is_some());
        set(&mut self.observed, bit, state.is_some_and(|state| state.source == Source::Observed));
        for (mask, level) in self.at_or_worse.iter_mut().zip(LevelOfService::ALL) {
            set(mask, bit, state.and_then(|state| state.level).is_some_and(|its| its >= level));
        }
    }

    /// Returns the link's entry of field `StateUpdate.states`; empty when nothing is known of it.
    pub(crate) fn entry(&self, bit: usize) -> &[u8] {
        let start = if bit == 0 { 0 } else { self.rows[bit - 1].end as usize };
        &self.entries[start..self.rows[bit].end as usize]
    }

    /// Returns the link's state, a `luong.v1.LinkState`.
    pub(crate) fn state(&self, bit: usize) -> Option<&[u8]> {
        let entry = self.entry(bit).get(1..)?;
        let length_bytes = entry.iter().take_while(|&&byte| byte >= 0x80).count() + 1;
        entry.get(length_bytes..)
    }

    /// Appends the entries of `mask` as field `StateUpdate.states`.
    pub(crate) fn put_update_entries(&self, mask: u64, into: &mut BytesMut) {
        if mask & self.known == self.known {
            return into.put_slice(&self.entries);
        }
        for bit in bits(mask & self.known) {
            into.put_slice(self.entry(bit));
        }
    }

    /// Appends the entries of `mask` as field `StateChunk.states`.
    pub(crate) fn put_chunk_entries(&self, mask: u64, into: &mut BytesMut) {
        for bit in bits(mask & self.known) {
            into.put_u8(CHUNK_TAG);
            into.put_slice(&self.entry(bit)[1..]);
        }
    }

    /// Returns the links that changed after commit `version`.
    pub(crate) fn changed_since(&self, version: u64) -> u64 {
        self.mask_of(|row| row.version > version)
    }

    /// Returns the links whose record stands at or after these log positions.
    pub(crate) fn recorded_from(&self, positions: &[u64]) -> u64 {
        self.mask_of(|row| {
            row.version > 0
                && positions.get(row.at.partition as usize).is_none_or(|&from| row.at.offset >= from)
        })
    }

    /// Returns the links whose state is newer than `at`.
    pub(crate) fn newer_than(&self, at: Timestamp) -> u64 {
        self.known & self.mask_of(|row| row.valid_at > at)
    }

    pub(crate) fn known(&self) -> u64 {
        self.known
    }

    pub(crate) fn observed(&self) -> u64 {
        self.observed
    }

    pub(crate) fn at_or_worse(&self, level: LevelOfService) -> u64 {
        self.at_or_worse[level as usize]
    }

    pub(crate) fn valid_at(&self, bit: usize) -> Option<Timestamp> {
        (self.known >> bit & 1 == 1).then(|| self.rows[bit].valid_at)
    }

    fn mask_of(&self, holds: impl Fn(&Row) -> bool) -> u64 {
        self.rows.iter().enumerate().fold(0, |mask, (bit, row)| mask | u64::from(holds(row)) << bit)
    }
}

/// Yields the places of the bits that are set, lowest first.
pub(crate) fn bits(mut mask: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let bit = (mask != 0).then(|| mask.trailing_zeros() as usize)?;
        mask &= mask - 1;
        Some(bit)
    })
}

fn set(mask: &mut u64, bit: usize, on: impl Into<u64>) {
    *mask = *mask & !(1 << bit) | on.into() << bit;
}

fn put_entry(into: &mut BytesMut, state: &[u8]) {
    into.put_u8(UPDATE_TAG);
    let mut length = state.len();
    while length >= 0x80 {
        into.put_u8(length as u8 | 0x80);
        length >>= 7;
    }
    into.put_u8(length as u8);
    into.put_slice(state);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn change(bytes: Option<Vec<u8>>, offset: u64) -> Change {
        let state = bytes.map(|bytes| EncodedState {
            bytes: bytes.into(),
            valid_at: Timestamp::from_millis(offset as i64),
            level: None,
            source: Source::Observed,
        });
        Change { at: Place { partition: 0, offset }, state }
    }

    proptest! {
        /// A tile is the fold of its changes, whatever the states' lengths (1 to 3 bytes of length prefix).
        #[test]
        fn a_tile_holds_the_last_state_of_each_link(
            commits in proptest::collection::vec(
                proptest::collection::btree_map(
                    0..TILE,
                    proptest::option::of(proptest::sample::select(vec![0usize, 1, 127, 128, 300, 16_383, 16_384])),
                    1..20,
                ),
                1..8,
            ),
        ) {
            let mut tile = Tile::empty();
            let mut last = vec![(None, 0u64); TILE];
            for (version, commit) in (1u64..).zip(&commits) {
                let changes: Vec<_> = commit
                    .iter()
                    .map(|(&bit, length)| (bit, change(length.map(|length| vec![version as u8; length]), version)))
                    .collect();
                tile = tile.changed(&changes, version);
                for (&bit, length) in commit {
                    last[bit] = (length.map(|length| vec![version as u8; length]), version);
                }
            }
            for (bit, (state, version)) in last.iter().enumerate() {
                prop_assert_eq!(tile.state(bit), state.as_deref());
                prop_assert_eq!(tile.changed_since(commits.len() as u64 - 1) >> bit & 1 == 1, *version == commits.len() as u64);
                prop_assert_eq!(tile.recorded_from(&[1]) >> bit & 1 == 1, *version > 0);
                prop_assert_eq!(tile.observed() >> bit & 1 == 1, state.is_some());
            }
        }
    }
}
