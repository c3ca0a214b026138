//! Which link stands where in the picture: neighbours on the map share a tile, so that a watcher of one quarter
//! looks at few tiles.

use roadnet::{LinkIndex, Network, Point};

/// Links of a tile: one bit each in a machine word.
pub(crate) const TILE: usize = 64;

/// A link's place in the picture.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct Slot(pub(crate) u32);

impl Slot {
    pub(crate) fn tile(self) -> usize {
        self.0 as usize / TILE
    }

    pub(crate) fn bit(self) -> usize {
        self.0 as usize % TILE
    }

    pub(crate) fn of(tile: usize, bit: usize) -> Self {
        Self((tile * TILE + bit) as u32)
    }
}

/// Every link's slot and every slot's link; immutable.
#[derive(Debug)]
pub(crate) struct Layout {
    slot_of: Vec<Slot>,
    link_at: Vec<LinkIndex>,
}

impl Layout {
    pub(crate) fn new(network: &Network) -> Self {
        let mut link_at: Vec<LinkIndex> = network.indices().collect();
        if let Some(all) = network.bounds() {
            let (width, height) = (all.max.lon - all.min.lon, all.max.lat - all.min.lat);
            link_at.sort_by_cached_key(|&link| {
                let start = network.geometry(link)[0];
                let Point { lon, lat } = start;
                (interleaved(share(lon - all.min.lon, width), share(lat - all.min.lat, height)), link)
            });
        }
        let mut slot_of = vec![Slot(0); link_at.len()];
        for (i, link) in link_at.iter().enumerate() {
            slot_of[link.index()] = Slot(i as u32);
        }
        Self { slot_of, link_at }
    }

    pub(crate) fn slot(&self, link: LinkIndex) -> Slot {
        self.slot_of[link.index()]
    }

    pub(crate) fn link(&self, slot: Slot) -> LinkIndex {
        self.link_at[slot.0 as usize]
    }

    pub(crate) fn tiles(&self) -> usize {
        self.link_at.len().div_ceil(TILE)
    }
}

/// Returns a place along one axis as 16 bits.
fn share(part: f64, whole: f64) -> u16 {
    if whole > 0.0 { (part / whole * f64::from(u16::MAX)) as u16 } else { 0 }
}

/// Returns the place on Morton's curve: the bits of both axes in turn.
fn interleaved(x: u16, y: u16) -> u32 {
    (0..16).fold(0, |code, bit| {
        code | (u32::from(x) >> bit & 1) << (2 * bit) | (u32::from(y) >> bit & 1) << (2 * bit + 1)
    })
}
