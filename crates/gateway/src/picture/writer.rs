//! The one writer of the picture: takes records of the log, and makes a commit of what changed.

use std::sync::Arc;

use bytes::Bytes;
use eventlog::Fetched;
use model::{LinkState, Timestamp};
use roadnet::Network;
use rustc_hash::FxHashMap;

use super::{Change, EncodedState, Layout, Picture, Place, Slot};

/// 10 minutes: an analyser that came back repeats what it said since its checkpoint, and such repetitions don't turn the
/// picture back. A state that is older than that belongs to a clock that was set anew, and is believed.
pub(crate) const REPETITION_MS: i64 = 600_000;

/// What became of a record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Offered {
    /// In the next commit.
    Taken,
    /// It says nothing new.
    Repeated,
    /// It speaks of a link that this network does not have.
    UnknownLink,
    /// It is no link state.
    Broken,
}

/// Gathers changes between two commits.
pub(crate) struct PictureWriter {
    network: Arc<Network>,
    layout: Arc<Layout>,
    picture: Arc<Picture>,
    pending: FxHashMap<Slot, Change>,
    positions: Vec<u64>,
}

impl PictureWriter {
    pub(crate) fn new(network: Arc<Network>, layout: Arc<Layout>, partitions: usize) -> Self {
        let picture = Arc::new(Picture::empty(&layout, partitions));
        Self { network, layout, picture, pending: FxHashMap::default(), positions: vec![0; partitions] }
    }

    /// Takes one record.
    pub(crate) fn offer(&mut self, fetched: Fetched) -> Offered {
        let at = Place { partition: fetched.partition, offset: fetched.offset };
        let partition = at.partition as usize;
        if self.positions.len() <= partition {
            self.positions.resize(partition + 1, 0);
        }
        self.positions[partition] = self.positions[partition].max(at.offset + 1);
        let (key, value) = (fetched.record.key, fetched.record.value);
        if value.is_empty() {
            return self.take_away(&key, at);
        }
        match wire::decode_link_state(&value) {
            Ok(state) => self.put(&state, value, at),
            Err(_) => Offered::Broken,
        }
    }

    /// Says where the log goes on, beyond the records that were offered.
    pub(crate) fn set_positions(&mut self, positions: Vec<u64>) {
        self.positions = positions;
    }

    /// Returns the picture with all that was offered; the same one when nothing changed.
    pub(crate) fn commit(&mut self) -> Arc<Picture> {
        let moved = self.positions[..] != self.picture.positions()[..];
        if self.pending.is_empty() && !moved {
            return Arc::clone(&self.picture);
        }
        let mut changes: Vec<_> = self.pending.drain().collect();
        changes.sort_unstable_by_key(|&(slot, _)| slot);
        let as_of = newest(self.picture.as_of(), &changes);
        self.picture = Arc::new(self.picture.committed(&changes, self.positions.clone().into(), as_of));
        Arc::clone(&self.picture)
    }

    fn put(&mut self, state: &LinkState, bytes: Bytes, at: Place) -> Offered {
        let Some(link) = self.network.find(state.link.as_str()) else {
            return Offered::UnknownLink;
        };
        let slot = self.layout.slot(link);
        if self.says_nothing_new(slot, state.valid_at, &bytes) {
            return Offered::Repeated;
        }
        let (valid_at, level, source) = (state.valid_at, state.level_of_service, state.source);
        let state = EncodedState { bytes, valid_at, level, source };
        self.pending.insert(slot, Change { at, state: Some(state) });
        Offered::Taken
    }

    fn take_away(&mut self, key: &[u8], at: Place) -> Offered {
        let Some(link) = str::from_utf8(key).ok().and_then(|id| self.network.find(id)) else {
            return Offered::UnknownLink;
        };
        self.pending.insert(self.layout.slot(link), Change { at, state: None });
        Offered::Taken
    }

    fn says_nothing_new(&self, slot: Slot, valid_at: Timestamp, bytes: &[u8]) -> bool {
        let tile = &self.picture.tiles()[slot.tile()];
        let (known_at, known_bytes) = match self.pending.get(&slot) {
            Some(change) => match &change.state {
                Some(state) => (state.valid_at, Some(&state.bytes[..])),
                None => return false,
            },
            None => match tile.valid_at(slot.bit()) {
                Some(known_at) => (known_at, tile.state(slot.bit())),
                None => return false,
            },
        };
        let behind = known_at - valid_at;
        (1..=REPETITION_MS).contains(&behind) || behind == 0 && known_bytes == Some(bytes)
    }
}

/// Returns the newest instant of the picture; it goes back only when the clock was set anew.
fn newest(before: Option<Timestamp>, changes: &[(Slot, Change)]) -> Option<Timestamp> {
    let of_changes = changes.iter().filter_map(|(_, change)| change.state.as_ref()).map(|s| s.valid_at).max();
    match (before, of_changes) {
        (Some(before), Some(now)) if before - now <= REPETITION_MS => Some(before.max(now)),
        (before, now) => now.or(before),
    }
}
