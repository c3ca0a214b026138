//! Traffic lights, and signs to stop or to give way: at a junction's node, or on an approach near it, where the stop line is.

use compact_str::format_compact;
use rustc_hash::{FxHashMap, FxHashSet};

use super::Side;
use super::access::Road;
use super::cut::Piece;
use super::direction::directions;
use super::map::{OsmMap, SignSide, Way};
use crate::Point;
use crate::import::report::Tallies;
use crate::point::length_m;

/// One farther before a junction belongs to a crossing of its own: the widest junctions of the test maps have their
/// stop lines about 40 m from the node.
const APPROACH_M: f64 = 60.0;

/// Where lights, or signs, stop traffic.
#[derive(Default)]
pub(super) struct Signs {
    /// Junctions with one, which all see who come there.
    nodes: FxHashSet<i64>,
    /// Pieces, by number, with one on the approach to their end in that direction.
    approaches: FxHashSet<(usize, char)>,
}

impl Signs {
    /// `what`: what they are, in the plural; `signs`: the nodes at which they stand.
    pub(super) fn find(
        what: &str,
        signs: &[(i64, SignSide)],
        map: &OsmMap,
        roads: &[(Way, Road)],
        pieces: &[Piece],
        tallies: &mut Tallies,
    ) -> Self {
        let signs: FxHashMap<i64, SignSide> = signs.iter().copied().collect();
        tallies.read.count(what, signs.len());
        let mut found = Self::default();
        for (number, piece) in pieces.iter().enumerate() {
            let (way, road) = &roads[piece.road];
            let nodes = &way.nodes[piece.nodes.clone()];
            for (at, node) in nodes.iter().enumerate() {
                let Some(&side) = signs.get(node) else { continue };
                if at == 0 || at + 1 == nodes.len() {
                    found.nodes.insert(*node);
                } else if !found.add_approach(map, (way, road), nodes, at, (number, side)) {
                    let far = format!("{what} far from any junction: not applied");
                    tallies.noted.add(&far, format_compact!("node {node}"));
                }
            }
        }
        found
    }

    /// Tells whether one stops those who reach the end of a piece.
    pub(super) fn at_end(&self, piece: usize, side: Side, end: i64) -> bool {
        self.nodes.contains(&end) || self.approaches.contains(&(piece, side.letter()))
    }

    pub(super) fn at_node(&self, node: i64) -> bool {
        self.nodes.contains(&node)
    }

    fn add_approach(
        &mut self,
        map: &OsmMap,
        (way, road): (&Way, &Road),
        nodes: &[i64],
        at: usize,
        (number, told): (usize, SignSide),
    ) -> bool {
        let line: Vec<Point> =
            nodes.iter().filter_map(|&node| map.places.get(node)).map(|place| place.point()).collect();
        let (to_start, to_end) = (length_m(&line[..=at]), length_m(&line[at..]));
        let open = directions(&way.tags, road.allowed);
        let forward = told != SignSide::Backward && !open.forward.is_empty() && to_end <= APPROACH_M;
        let backward = told != SignSide::Forward && !open.backward.is_empty() && to_start <= APPROACH_M;
        // Where the map does not tell, it stands before the nearer junction.
        let side = match (forward, backward) {
            (true, true) if to_start < to_end => Side::Backward,
            (true, _) => Side::Forward,
            (false, true) => Side::Backward,
            (false, false) => return false,
        };
        self.approaches.insert((number, side.letter()));
        true
    }
}
