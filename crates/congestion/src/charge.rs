//! Who is to blame: the delay in a forest of queues, charged to its heads.
//!
//! What vehicles lose on a link is charged to the links behind it that hold it back, in proportion to `turn share x probability of a
//! jam` (a link whose traffic two queues hold back is charged to both), and by those to the links that hold them back, until it
//! comes to heads. It follows flow and not the one link that a link hangs on, so it can go round in rings; each link leads to
//! a head, so what is still on its way becomes less with each step. Nothing is lost: the charges add up to the delay.

use std::ops::{AddAssign, Mul};

use serde::{Deserialize, Serialize};

use crate::forest::{Ground, Tree};

/// Delay: of vehicles and of those in them; h, or h per h.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Delay {
    pub(crate) vehicles: f64,
    pub(crate) persons: f64,
}

impl AddAssign for Delay {
    fn add_assign(&mut self, more: Self) {
        self.vehicles += more.vehicles;
        self.persons += more.persons;
    }
}

impl Mul<f64> for Delay {
    type Output = Self;

    fn mul(self, part: f64) -> Self {
        Self { vehicles: self.vehicles * part, persons: self.persons * part }
    }
}

/// Steps from link to link. What has not come to a head by then is charged to the one that its link hangs on: of a queue, no head
/// is further away, unless it is longer than all that are known.
const STEPS: usize = 100;

/// So little on its way is charged at once, h per h: what goes round in a ring becomes less for ever.
const LEAST: f64 = 1e-6;

/// Returns what is charged to the head of each tree.
///
/// `lost`: what is lost on a link.
pub(crate) fn charged(ground: &Ground<'_>, trees: &[Tree], lost: impl Fn(u32) -> Delay) -> Vec<Delay> {
    let links = by_link(trees);
    let mut on_its_way: Vec<Delay> = links.iter().map(|&(link, _)| lost(link)).collect();
    let mut charged = vec![Delay::default(); trees.len()];
    let ways: Vec<Vec<(usize, f64)>> =
        links.iter().map(|&(link, tree)| ways(ground, &links, link, trees[tree].head)).collect();
    for _ in 0..STEPS {
        let before = std::mem::replace(&mut on_its_way, vec![Delay::default(); links.len()]);
        for (place, delay) in before.into_iter().enumerate() {
            if ways[place].is_empty() || delay.vehicles < LEAST {
                charged[links[place].1] += delay;
                continue;
            }
            for &(to, part) in &ways[place] {
                on_its_way[to] += delay * part;
            }
        }
        if on_its_way.iter().all(|delay| delay.vehicles == 0.0) {
            break;
        }
    }
    for (&(_, tree), delay) in links.iter().zip(on_its_way) {
        charged[tree] += delay;
    }
    charged
}

/// Returns all links of the trees with the number of their tree, by link.
fn by_link(trees: &[Tree]) -> Vec<(u32, usize)> {
    let of_tree =
        |(tree, all): (usize, &Tree)| all.links.iter().map(move |&link| (link, tree)).collect::<Vec<_>>();
    let mut links: Vec<(u32, usize)> = trees.iter().enumerate().flat_map(of_tree).collect();
    links.sort_unstable();
    links
}

/// Returns the places of the links that hold a link back, each with its part; none of a head.
fn ways(ground: &Ground<'_>, links: &[(u32, usize)], link: u32, head: u32) -> Vec<(usize, f64)> {
    if link == head {
        return Vec::new();
    }
    let place = |next: u32| links.binary_search_by_key(&next, |&(link, _)| link).ok();
    let held_by = || ground.held_by(link).filter_map(|(next, weight)| Some((place(next)?, weight)));
    let sum: f64 = held_by().map(|(_, weight)| weight).sum();
    held_by().map(|(next, weight)| (next, weight / sum)).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use roadnet::Network;

    use super::*;
    use crate::streets::streets;
    use crate::turns::Turns;

    fn charge(network: &Network, probability: &[f64], lost: &[f64]) -> Vec<(u32, f64)> {
        let links = network.links().len();
        let ground = Ground {
            network,
            turns: &Turns::new(network),
            member: &vec![true; links],
            probability,
            onset: &vec![1; links],
            y: &vec![1.5; links],
            least_share: 0.15,
            tolerance_ms: 60_000,
        };
        let trees = ground.trees();
        let lost = |link: u32| Delay { vehicles: lost[link as usize], persons: 2.0 * lost[link as usize] };
        let charged = charged(&ground, &trees, lost);
        assert!(charged.iter().all(|delay| (delay.persons - 2.0 * delay.vehicles).abs() < 1e-9));
        trees.iter().zip(charged).map(|(tree, delay)| (tree.head, delay.vehicles)).collect()
    }

    /// A street from the west that goes on to the east (1) and to the north (2).
    fn junction() -> Network {
        streets(&[((0, 0), (3, 0)), ((3, 0), (6, 0)), ((3, 0), (3, 3))])
    }

    #[test]
    fn whom_two_queues_hold_back_is_charged_to_both_by_turn_share_and_probability() {
        let charged = charge(&junction(), &[0.9, 0.5, 0.9], &[7.0, 1.0, 2.0]);
        // Straight on 5 of 6 turn, to the side 1 of 6: weights 2.5 and 0.9 of 6.
        let straight = 2.5 / 3.4;
        assert_eq!(charged.len(), 2);
        assert!((charged[0].1 - (1.0 + 7.0 * straight)).abs() < 1e-6, "{charged:?}");
        assert!((charged[1].1 - (2.0 + 7.0 * (1.0 - straight))).abs() < 1e-6, "{charged:?}");
    }

    #[test]
    fn a_ring_is_charged_to_the_one_that_stands_for_it() {
        let ring = streets(&[((0, 0), (3, 0)), ((3, 0), (3, 3)), ((3, 3), (0, 3)), ((0, 3), (0, 0))]);
        let charged = charge(&ring, &[0.9; 4], &[1.0, 2.0, 3.0, 4.0]);
        assert_eq!(charged.len(), 1);
        assert!((charged[0].1 - 10.0).abs() < 1e-9);
    }

    proptest! {
        #[test]
        fn what_is_charged_to_all_heads_is_what_all_links_lose(
            lost in proptest::collection::vec(0.0f64..50.0, 12),
            probability in proptest::collection::vec(0.01f64..1.0, 12),
            ends in proptest::collection::vec(((0u8..4, 0u8..4), (0u8..4, 0u8..4)), 12),
        ) {
            let ends: Vec<_> = ends.into_iter().map(|(a, b)| if a == b { (a, (b.0 + 5, b.1)) } else { (a, b) }).collect();
            let charged: f64 = charge(&streets(&ends), &probability, &lost).iter().map(|(_, delay)| delay).sum();
            prop_assert!((charged - lost.iter().sum::<f64>()).abs() < 1e-6);
        }
    }
}
