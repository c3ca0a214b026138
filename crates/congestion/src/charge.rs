//! Who is to blame: the delay in a forest of queues, charged to its heads.
//!
//! What vehicles lose on a link is charged to the links behind it that hold it back, in proportion to `turn share x probability of a
//! jam` (a link whose traffic two queues hold back is charged to both), and by those to the links that hold them back, until it
//! comes to heads. It follows flow and not the one link that a link hangs on, so it can go round in rings; each link leads to
//! a head, so what is still on its way becomes less with each step. Nothing is lost: the charges add up to the delay.

use std::ops::{AddAssign, Mul};

use serde::{Deserialize, Serialize};

use crate::forest::Forest;
use crate::set::Set;

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

/// Returns what is charged to heads, by place.
///
/// `lost`: by place, what is lost on each link.
pub(crate) fn charged(forest: &Forest, mut lost: Vec<Delay>) -> Vec<Delay> {
    let mut charged = vec![Delay::default(); lost.len()];
    let mut after = charged.clone();
    // Where something is on its way: most of it arrives long before the last does.
    let (mut places, mut next) = (Set::all(lost.len()), Set::default());
    for _ in 0..STEPS {
        let mut arrived = true;
        places.take_each(|place| {
            let delay = std::mem::take(&mut lost[place]);
            let head = forest.heads[place] as usize;
            if place == head || delay.vehicles < LEAST {
                charged[head] += delay;
                return;
            }
            arrived = false;
            let ways = forest.ways(place);
            let sum: f64 = ways.iter().map(|way| way.weight).sum();
            for way in ways {
                after[way.place as usize] += delay * (way.weight / sum);
                next.add(way.place as usize);
            }
        });
        if arrived {
            break;
        }
        std::mem::swap(&mut lost, &mut after);
        std::mem::swap(&mut places, &mut next);
    }
    places.take_each(|place| charged[forest.heads[place] as usize] += lost[place]);
    charged
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use roadnet::Network;

    use super::*;
    use crate::forest::Ground;
    use crate::streets::streets;
    use crate::turns::Turns;

    fn charge(network: &Network, probability: &[f64], lost: &[f64]) -> Vec<(u32, f64)> {
        let links = network.links().len();
        let ground = Ground {
            turns: &Turns::new(network),
            member: &vec![true; links],
            probability,
            onset: &vec![1; links],
            y: &|_| 1.5,
            least_share: 0.15,
            tolerance_ms: 60_000,
        };
        let forest = ground.forest();
        let lost = lost.iter().map(|&lost| Delay { vehicles: lost, persons: 2.0 * lost }).collect();
        let charged = charged(&forest, lost);
        assert!(charged.iter().all(|delay| (delay.persons - 2.0 * delay.vehicles).abs() < 1e-9));
        forest.trees().map(|(head, _)| (forest.links[head], charged[head].vehicles)).collect()
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
