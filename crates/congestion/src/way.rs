//! The shortest way between two links by free-flow time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use roadnet::{LinkIndex, Network};
use rustc_hash::FxHashMap;

use crate::site::Site;

/// A way that takes longer at free flow is no way that a pair of devices measures, ms.
const LONGEST_MS: u64 = 3_600_000;

/// Links that are looked at before the search is given up.
const MOST_LINKS: usize = 20_000;

/// Returns the links from one to another, both included; `None` where no way leads there within the bounds.
///
/// Dijkstra over links; of two ways that take as long, the one by the links with the smaller numbers.
pub(crate) fn shortest(network: &Network, sites: &[Site], from: u32, to: u32) -> Option<Vec<u32>> {
    let mut before: FxHashMap<u32, (u64, u32)> = FxHashMap::default();
    let mut next = BinaryHeap::from([Reverse((0, from, from))]);
    while let Some(Reverse((time_ms, link, came_from))) = next.pop() {
        if before.len() >= MOST_LINKS || time_ms > LONGEST_MS {
            return None;
        }
        if before.contains_key(&link) {
            continue;
        }
        before.insert(link, (time_ms, came_from));
        if link == to {
            return Some(back(&before, from, to));
        }
        for &LinkIndex(after) in network.downstream(LinkIndex(link)) {
            if !before.contains_key(&after) {
                let ms = (sites[link as usize].free_s() * 1000.0) as u64;
                next.push(Reverse((time_ms + ms, after, link)));
            }
        }
    }
    None
}

fn back(before: &FxHashMap<u32, (u64, u32)>, from: u32, to: u32) -> Vec<u32> {
    let mut way = vec![to];
    while let Some(&last) = way.last().filter(|last| **last != from) {
        way.push(before[&last].1);
    }
    way.reverse();
    way
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::streets::streets;

    #[test]
    fn the_way_with_fewer_links_of_one_length_is_taken_and_none_where_none_leads() {
        // A square whose corner has a short cut.
        let network = streets(&[
            ((0, 0), (3, 0)),
            ((3, 0), (6, 0)),
            ((6, 0), (6, 3)),
            ((3, 0), (6, 3)),
            ((6, 3), (9, 3)),
        ]);
        let sites = vec![Site::with_lanes(2.0); 5];
        assert_eq!(shortest(&network, &sites, 0, 4), Some(vec![0, 3, 4]));
        assert_eq!(shortest(&network, &sites, 0, 0), Some(vec![0]));
        assert_eq!(shortest(&network, &sites, 4, 0), None);
    }
}
