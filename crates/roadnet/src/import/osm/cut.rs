//! Cuts ways at junctions.

use std::ops::Range;

use compact_str::format_compact;
use rustc_hash::FxHashMap;

use super::access::Road;
use super::map::{Places, Way};
use crate::import::report::Tallies;

/// A stretch of a way between two nodes of the network.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Piece {
    /// Its way's place among the roads.
    pub(super) road: usize,
    /// Its place in the way, from 0.
    pub(super) number: u32,
    /// Its nodes' places in the way, both ends included; two at least, and the ends differ.
    pub(super) nodes: Range<usize>,
}

/// Cuts each road at its ends, at the nodes that it shares with other roads or passes twice, and where a clipped map lacks
/// its nodes.
pub(super) fn cut(roads: &[(Way, Road)], places: &Places, tallies: &mut Tallies) -> Vec<Piece> {
    let uses = uses(roads);
    let mut pieces = Vec::new();
    for (road, (way, _)) in roads.iter().enumerate() {
        let before = pieces.len();
        let runs = runs(&way.nodes, places);
        let present: usize = runs.iter().map(ExactSizeIterator::len).sum();
        if present < way.nodes.len() {
            tallies
                .noted
                .add("ways cut off at the map's edge (nodes missing)", format_compact!("way {}", way.id));
        }
        for run in runs {
            for nodes in between_junctions(&way.nodes, run, &uses)
                .into_iter()
                .flat_map(|nodes| open(&way.nodes, nodes))
            {
                pieces.push(Piece { road, number: (pieces.len() - before) as u32, nodes });
            }
        }
        if pieces.len() == before {
            tallies.dropped.add(
                "ways with fewer than two different nodes in the file",
                format_compact!("way {}", way.id),
            );
        }
    }
    pieces
}

/// Counts how often the roads pass each node.
fn uses(roads: &[(Way, Road)]) -> FxHashMap<i64, u8> {
    let mut uses = FxHashMap::<i64, u8>::default();
    for (way, _) in roads {
        let mut last = None;
        for &node in &way.nodes {
            // A node that is listed twice in a row is passed once.
            if last.replace(node) != Some(node) {
                let count = uses.entry(node).or_default();
                *count = count.saturating_add(1);
            }
        }
    }
    uses
}

/// Returns the longest stretches whose nodes are all in the file, of two nodes at least.
fn runs(nodes: &[i64], places: &Places) -> Vec<Range<usize>> {
    let mut runs = Vec::new();
    let mut start = 0;
    for (at, &node) in nodes.iter().enumerate() {
        if places.get(node).is_none() {
            runs.push(start..at);
            start = at + 1;
        }
    }
    runs.push(start..nodes.len());
    runs.retain(|run| run.len() >= 2);
    runs
}

fn between_junctions(nodes: &[i64], run: Range<usize>, uses: &FxHashMap<i64, u8>) -> Vec<Range<usize>> {
    let mut pieces = Vec::new();
    let mut start = run.start;
    for at in run.start + 1..run.end {
        let junction = at + 1 == run.end || uses.get(&nodes[at]).is_some_and(|&count| count > 1);
        if junction && nodes[start..=at].iter().any(|&node| node != nodes[start]) {
            pieces.push(start..at + 1);
            start = at;
        }
    }
    pieces
}

/// Cuts a loop in the middle: a link starts and ends at different nodes.
fn open(nodes: &[i64], piece: Range<usize>) -> Vec<Range<usize>> {
    let (first, last) = (piece.start, piece.end - 1);
    if nodes[first] != nodes[last] {
        return vec![piece];
    }
    let half = first + (last - first) / 2;
    // The nearest node to the middle that is not the junction itself.
    let other = (first + 1..last).filter(|&at| nodes[at] != nodes[first]).min_by_key(|&at| at.abs_diff(half));
    other.map_or_else(Vec::new, |middle| vec![first..middle + 1, middle..piece.end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loop_becomes_two_halves() {
        assert_eq!(open(&[7, 1, 2, 3, 7], 0..5), [0..3, 2..5]);
        assert_eq!(open(&[7, 1, 7], 0..3), [0..2, 1..3]);
        assert_eq!(open(&[7, 7], 0..2), []);
        assert_eq!(open(&[7, 1], 0..2), vec![0..2; 1]);
    }
}
