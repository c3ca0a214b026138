//! Where vehicles that tell their place turned: seen on one link, and then on another.

use model::Timestamp;
use roadnet::{LinkIndex, Network};
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

/// A vehicle that was out of sight for longer may have been anywhere, ms.
const OUT_OF_SIGHT_MS: i64 = 60_000;

/// Turns between two readings: at a reading each 10 s and 50 km/h a vehicle passes a few short links unseen.
const MOST_TURNS: usize = 4;

/// The last place of each vehicle, and the turns since they were last taken.
#[derive(Debug, Default)]
pub(crate) struct Journeys {
    last: FxHashMap<u32, (u32, i64)>,
    turned: Vec<(u32, u32)>,
}

/// What a checkpoint holds of it: the map as a sorted list.
#[derive(Serialize, Deserialize)]
pub(crate) struct Saved {
    last: Vec<(u32, u32, i64)>,
    turned: Vec<(u32, u32)>,
}

impl Journeys {
    /// Takes a vehicle's place at an instant of event time. Readings that come late are passed over: the way between those
    /// that came before them was taken already.
    pub(crate) fn take(&mut self, vehicle: u32, link: u32, at: i64, network: &Network) {
        let Some((before, seen_at)) = self.last.insert(vehicle, (link, at)) else { return };
        if at < seen_at {
            self.last.insert(vehicle, (before, seen_at));
        } else if link != before && at - seen_at <= OUT_OF_SIGHT_MS {
            self.turned.extend(only_way(network, LinkIndex(before), LinkIndex(link)).windows(2).map(pair));
        }
    }

    /// Returns the turns since the last call, and forgets vehicles that are long gone.
    pub(crate) fn turned(&mut self, at: Timestamp) -> Vec<(u32, u32)> {
        self.last.retain(|_, (_, seen_at)| at.as_millis() - *seen_at <= OUT_OF_SIGHT_MS);
        std::mem::take(&mut self.turned)
    }

    pub(crate) fn save(&self) -> Saved {
        let mut last: Vec<_> = self.last.iter().map(|(vehicle, (link, at))| (*vehicle, *link, *at)).collect();
        last.sort_unstable();
        Saved { last, turned: self.turned.clone() }
    }

    pub(crate) fn load(saved: Saved) -> Self {
        let last = saved.last.into_iter().map(|(vehicle, link, at)| (vehicle, (link, at))).collect();
        Self { last, turned: saved.turned }
    }
}

fn pair(turn: &[LinkIndex]) -> (u32, u32) {
    (turn[0].0, turn[1].0)
}

/// Returns the links from one to another where a single way of the fewest turns leads there; nothing where there are several.
fn only_way(network: &Network, from: LinkIndex, to: LinkIndex) -> Vec<LinkIndex> {
    let mut ways = vec![vec![from]];
    for _ in 0..MOST_TURNS {
        let longer = ways.iter().flat_map(|way| {
            let next = network.downstream(*way.last().expect("a way has a start")).iter();
            next.filter(|next| !way.contains(next)).map(|next| [way.as_slice(), &[*next]].concat())
        });
        ways = longer.collect();
        let mut there = ways.iter().filter(|way| way.last() == Some(&to));
        match (there.next(), there.next()) {
            (Some(way), None) => return way.clone(),
            (Some(_), Some(_)) => return Vec::new(),
            (None, _) => {}
        }
    }
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::streets::streets;

    /// A square whose south-west corner has two ways to the north-east one, and a link that goes on from there.
    fn square() -> Network {
        streets(&[
            ((0, 0), (3, 0)),
            ((3, 0), (6, 0)),
            ((3, 0), (3, 3)),
            ((6, 0), (6, 3)),
            ((3, 3), (6, 3)),
            ((6, 3), (9, 3)),
        ])
    }

    fn turned(places: &[(u32, i64)]) -> Vec<(u32, u32)> {
        let (network, mut journeys) = (square(), Journeys::default());
        places.iter().for_each(|(link, s)| journeys.take(7, *link, s * 1000, &network));
        journeys.turned(Timestamp::from_millis(0))
    }

    #[test]
    fn links_passed_between_two_readings_count_where_there_is_one_way() {
        assert_eq!(turned(&[(0, 0), (0, 10), (3, 20), (5, 30)]), [(0, 1), (1, 3), (3, 5)]);
    }

    #[test]
    fn of_two_ways_none_is_taken_to_be_the_one() {
        assert_eq!(turned(&[(0, 0), (5, 20)]), []);
    }

    #[test]
    fn who_was_out_of_sight_or_is_told_of_late_has_not_turned() {
        assert_eq!(turned(&[(0, 0), (1, 300)]), []);
        assert_eq!(turned(&[(0, 10), (1, 5), (2, 20)]), [(0, 2)]);
    }
}
