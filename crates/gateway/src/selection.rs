//! What a client wants to see of the picture: `StateFilter`, checked once and turned into bit masks.

use std::sync::Arc;

use model::{LevelOfService, Source};
use roadnet::{LinkIndex, Network};
use tonic::Status;
use wire::v1;

use crate::arguments;
use crate::picture::{Layout, Picture, Tile};
use crate::token::stable_hash;

/// A checked filter.
#[derive(Clone, Debug)]
pub(crate) struct Selection {
    /// Tiles with the links in them, in order; `None` = all links.
    areas: Option<Arc<[(usize, u64)]>>,
    worst_than: Option<LevelOfService>,
    observed_only: bool,
    hash: u64,
}

impl Selection {
    /// Checks a filter.
    pub(crate) fn new(
        filter: Option<&v1::StateFilter>,
        network: &Network,
        layout: &Layout,
    ) -> Result<Self, Status> {
        let nothing_asked = v1::StateFilter::default();
        let filter = filter.unwrap_or(&nothing_asked);
        Ok(Self {
            areas: links(filter, network)?.map(|links| areas(&links, layout)),
            worst_than: level(filter.worst_than)?,
            observed_only: filter.observed_only,
            hash: stable_hash(&wire::encode(filter)),
        })
    }

    /// Tells whether nothing is left out: then all watchers see the same.
    pub(crate) fn is_everything(&self) -> bool {
        self.areas.is_none() && !self.depends_on_state()
    }

    /// Tells whether links come and go as their states change.
    pub(crate) fn depends_on_state(&self) -> bool {
        self.worst_than.is_some() || self.observed_only
    }

    /// Returns what tells this filter from another.
    pub(crate) fn hash(&self) -> u64 {
        self.hash
    }

    /// Returns the number of tiles to look at.
    pub(crate) fn areas(&self, picture: &Picture) -> usize {
        self.areas.as_ref().map_or(picture.tiles().len(), |areas| areas.len())
    }

    /// Returns a tile to look at, and which of its links.
    pub(crate) fn area(&self, index: usize) -> (usize, u64) {
        self.areas.as_ref().map_or((index, u64::MAX), |areas| areas[index])
    }

    /// Returns the links of a tile whose state passes.
    pub(crate) fn passing(&self, tile: &Tile) -> u64 {
        let bad_enough = self.worst_than.map_or(u64::MAX, |level| tile.at_or_worse(level));
        let sure_enough = if self.observed_only { tile.observed() } else { u64::MAX };
        tile.known() & bad_enough & sure_enough
    }

    /// Tells whether a state at that level, resting on that, passes.
    pub(crate) fn takes(&self, level: LevelOfService, source: Source) -> bool {
        self.worst_than.is_none_or(|worst| level >= worst)
            && (!self.observed_only || source == Source::Observed)
    }
}

/// Returns the links that pass whatever their state; `None` = all.
fn links(filter: &v1::StateFilter, network: &Network) -> Result<Option<Vec<LinkIndex>>, Status> {
    let named = arguments::links("filter.link_ids", &filter.link_ids, network)?;
    let classes = arguments::road_classes("filter.road_classes", &filter.road_classes)?;
    let area = filter.bbox.as_ref().map(|bbox| arguments::bounding_box("filter.bbox", bbox)).transpose()?;
    let mut links = match (&area, named.is_empty()) {
        (None, true) if classes.is_empty() => return Ok(None),
        (None, true) => network.indices().collect(),
        (None, false) => named,
        (Some(area), true) => network.in_box(area),
        (Some(area), false) => {
            named.into_iter().filter(|&link| network.link_bounds(link).intersects(area)).collect()
        }
    };
    links.retain(|&link| classes.is_empty() || classes.contains(&network.link(link).class));
    Ok(Some(links))
}

fn areas(links: &[LinkIndex], layout: &Layout) -> Arc<[(usize, u64)]> {
    let mut slots: Vec<_> = links.iter().map(|&link| layout.slot(link)).collect();
    slots.sort_unstable();
    slots
        .chunk_by(|a, b| a.tile() == b.tile())
        .map(|of_tile| (of_tile[0].tile(), of_tile.iter().fold(0, |mask, slot| mask | 1 << slot.bit())))
        .collect()
}

fn level(number: i32) -> Result<Option<LevelOfService>, Status> {
    if number == 0 {
        return Ok(None);
    }
    LevelOfService::ALL
        .into_iter()
        .find(|&level| i32::from(wire::level_message(Some(level))) == number)
        .map(Some)
        .ok_or_else(|| arguments::invalid("filter.worst_than", format_args!("no level of service {number}")))
}
