//! The live picture: the newest state of every link, immutable, replaced by one writer.
//!
//! Words: a *slot* is a link's place in the picture, a *tile* 64 neighbouring slots, a *commit* one step from a picture
//! to the next; commits are counted, and the count is the picture's *version*.

mod layout;
mod tile;
mod writer;

use std::sync::{Arc, Mutex};

use model::Timestamp;
use rustc_hash::FxHashMap;

pub(crate) use layout::{Layout, Slot, TILE};
pub(crate) use tile::{Change, EncodedState, Place, Tile, bits};
pub(crate) use writer::{Offered, PictureWriter, REPETITION_MS};

use crate::frames::StepKey;
use crate::walk::Step;

/// What is known of all links at one moment.
#[derive(Debug)]
pub(crate) struct Picture {
    version: u64,
    tiles: Vec<Arc<Tile>>,
    /// The commit that changed each tile last.
    tile_versions: Vec<u64>,
    /// Next offset of each partition of the link states' topic.
    positions: Arc<[u64]>,
    as_of: Option<Timestamp>,
    known: usize,
    /// Frames for watchers of everything, built by the first that needs one.
    shared: Mutex<FxHashMap<StepKey, Step>>,
}

/// Frames that one picture keeps for reuse: some snapshots' worth, so that memory stays bounded.
const SHARED_FRAMES: usize = 256;

impl Picture {
    pub(crate) fn empty(layout: &Layout, partitions: usize) -> Self {
        let tile = Arc::new(Tile::empty());
        Self {
            version: 0,
            tiles: vec![tile; layout.tiles()],
            tile_versions: vec![0; layout.tiles()],
            positions: vec![0; partitions].into(),
            as_of: None,
            known: 0,
            shared: Mutex::default(),
        }
    }

    /// Returns the picture after these changes, ordered by slot.
    pub(crate) fn committed(
        &self,
        changes: &[(Slot, Change)],
        positions: Arc<[u64]>,
        as_of: Option<Timestamp>,
    ) -> Self {
        let version = self.version + 1;
        let (mut tiles, mut tile_versions) = (self.tiles.clone(), self.tile_versions.clone());
        let mut known = self.known;
        for dirty in changes.chunk_by(|(a, _), (b, _)| a.tile() == b.tile()) {
            let index = dirty[0].0.tile();
            let by_bit: Vec<_> = dirty.iter().map(|(slot, change)| (slot.bit(), change.clone())).collect();
            let tile = tiles[index].changed(&by_bit, version);
            known = known - tiles[index].known().count_ones() as usize + tile.known().count_ones() as usize;
            (tiles[index], tile_versions[index]) = (Arc::new(tile), version);
        }
        Self { version, tiles, tile_versions, positions, as_of, known, shared: Mutex::default() }
    }

    pub(crate) fn version(&self) -> u64 {
        self.version
    }

    pub(crate) fn tiles(&self) -> &[Arc<Tile>] {
        &self.tiles
    }

    /// Tells whether any link of the tile changed after commit `version`.
    pub(crate) fn tile_changed_since(&self, tile: usize, version: u64) -> bool {
        self.tile_versions[tile] > version
    }

    /// Returns where the log goes on after what this picture holds.
    pub(crate) fn positions(&self) -> &Arc<[u64]> {
        &self.positions
    }

    /// Returns the newest instant that any state speaks of.
    pub(crate) fn as_of(&self) -> Option<Timestamp> {
        self.as_of
    }

    /// Returns the number of links of which a state is known.
    pub(crate) fn known(&self) -> usize {
        self.known
    }

    /// Returns a step that all watchers of everything share, built by `build` if none of them needed it yet.
    pub(crate) fn shared_step(&self, key: StepKey, build: impl FnOnce() -> Step) -> Step {
        let mut shared = self.shared.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(frame) = shared.get(&key) {
            return frame.clone();
        }
        let frame = build();
        if shared.len() < SHARED_FRAMES {
            shared.insert(key, frame.clone());
        }
        frame
    }
}
