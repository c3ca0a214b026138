//! The forest of queues: which congested link hangs on which.
//!
//! A queue stands on a link because those who leave it cannot: it hangs on the congested link behind it that takes the largest
//! part of its traffic and is the likeliest to hold it back, `turn share x probability of a jam`. What began long after cannot
//! be the cause. Followed to the end, each link leads to a head: the link that hangs on none; or a ring, where each waits
//! for the next (gridlock) and the slowest link stands for all. As each link hangs on one other at most, the rings are the
//! strongly connected components, and one walk finds them. O(links + turns).

use roadnet::{LinkIndex, Network};

use crate::turns::Turns;

/// What the forest is grown from.
pub(crate) struct Ground<'a> {
    pub(crate) network: &'a Network,
    pub(crate) turns: &'a Turns,
    /// Per link: whether it is congested.
    pub(crate) member: &'a [bool],
    /// Per link: probability of that.
    pub(crate) probability: &'a [f64],
    /// Per link: since when, ms.
    pub(crate) onset: &'a [i64],
    /// Per link: log travel-time index.
    pub(crate) y: &'a [f64],
    /// A smaller part of a link's traffic cannot hold back the link.
    pub(crate) least_share: f64,
    /// What is told of the one link may be that much later than of the other, ms.
    pub(crate) tolerance_ms: i64,
}

/// A queue: its head and all links that lead to it, sorted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Tree {
    pub(crate) head: u32,
    pub(crate) links: Vec<u32>,
}

const NO_LINK: u32 = u32::MAX;

/// Stands for the head of a link that is on the way that is being followed.
const ON_THE_WAY: u32 = u32::MAX - 1;

impl Ground<'_> {
    /// Returns the trees, in the order of their heads.
    pub(crate) fn trees(&self) -> Vec<Tree> {
        let members: Vec<u32> =
            (0..self.member.len() as u32).filter(|&link| self.member[link as usize]).collect();
        let head = self.heads(&members);
        let mut by_head: Vec<(u32, u32)> = members.iter().map(|&link| (head[link as usize], link)).collect();
        by_head.sort_unstable();
        let tree = |group: &[(u32, u32)]| Tree {
            head: group[0].0,
            links: group.iter().map(|&(_, link)| link).collect(),
        };
        by_head.chunk_by(|a, b| a.0 == b.0).map(tree).collect()
    }

    /// Returns the link that a member hangs on.
    pub(crate) fn parent(&self, link: u32) -> Option<u32> {
        let most = self.held_by(link).max_by(|a, b| a.1.total_cmp(&b.1).then(b.0.cmp(&a.0)));
        most.map(|(next, _)| next)
    }

    /// Returns the links behind a member that can hold it back, each with its weight: `turn share x probability of a jam`.
    pub(crate) fn held_by(&self, link: u32) -> impl Iterator<Item = (u32, f64)> {
        let place = link as usize;
        let after = self.network.downstream(LinkIndex(link)).iter().zip(self.turns.of(LinkIndex(link)));
        after.filter_map(move |(next, &share)| {
            let (into, share) = (next.index(), f64::from(share));
            let holds = self.member[into]
                && into != place
                && share >= self.least_share
                && self.onset[into] <= self.onset[place] + self.tolerance_ms;
            holds.then(|| (next.0, share * self.probability[into]))
        })
    }

    fn heads(&self, members: &[u32]) -> Vec<u32> {
        let mut head = vec![NO_LINK; self.member.len()];
        let mut path: Vec<u32> = Vec::new();
        for &start in members {
            path.clear();
            let mut link = Some(start);
            let end = loop {
                match link {
                    None => break path.last().copied().unwrap_or(start),
                    Some(l) => match std::mem::replace(&mut head[l as usize], ON_THE_WAY) {
                        NO_LINK => {
                            path.push(l);
                            link = self.parent(l);
                        }
                        ON_THE_WAY => {
                            let ring = path.iter().position(|&p| p == l).unwrap_or(0);
                            break self.slowest(&path[ring..]);
                        }
                        known => {
                            head[l as usize] = known;
                            break known;
                        }
                    },
                }
            };
            path.iter().for_each(|&l| head[l as usize] = end);
        }
        head
    }

    fn slowest(&self, ring: &[u32]) -> u32 {
        let slower =
            |a: &&u32, b: &&u32| self.y[**a as usize].total_cmp(&self.y[**b as usize]).then(b.cmp(a));
        *ring.iter().max_by(slower).expect("a ring has links")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::streets::streets;

    struct Fixture {
        network: Network,
        turns: Turns,
        member: Vec<bool>,
        probability: Vec<f64>,
        onset: Vec<i64>,
        y: Vec<f64>,
    }

    impl Fixture {
        fn all_congested(network: Network) -> Self {
            let links = network.links().len();
            Self {
                turns: Turns::new(&network),
                network,
                member: vec![true; links],
                probability: vec![0.9; links],
                onset: vec![1; links],
                y: vec![1.5; links],
            }
        }

        fn trees(&self) -> Vec<(u32, Vec<u32>)> {
            let ground = Ground {
                network: &self.network,
                turns: &self.turns,
                member: &self.member,
                probability: &self.probability,
                onset: &self.onset,
                y: &self.y,
                least_share: 0.15,
                tolerance_ms: 60_000,
            };
            ground.trees().into_iter().map(|tree| (tree.head, tree.links)).collect()
        }
    }

    /// A street from the west that goes on to the east (1) and to the north (2); 3 leads on from 1.
    fn junction() -> Fixture {
        Fixture::all_congested(streets(&[
            ((0, 0), (3, 0)),
            ((3, 0), (6, 0)),
            ((3, 0), (3, 3)),
            ((6, 0), (9, 0)),
        ]))
    }

    #[test]
    fn a_link_hangs_on_the_jam_that_takes_most_of_its_traffic() {
        assert_eq!(junction().trees(), [(2, vec![2]), (3, vec![0, 1, 3])]);
    }

    #[test]
    fn a_way_that_few_take_holds_nobody_back() {
        let mut junction = junction();
        junction.member = vec![true, false, true, false];
        // Straight on 5 of 6, to the side 1 of 6: less than that share, once ten went straight.
        junction.turns.see(&junction.network, &[(0, 1); 10]);
        junction.turns.fit(&junction.network, &[f64::NAN; 4], |_| false);
        assert_eq!(junction.trees(), [(0, vec![0]), (2, vec![2])]);
    }

    #[test]
    fn what_began_long_after_is_not_the_cause() {
        let mut junction = junction();
        junction.onset = vec![1, 1, 1, 600_000];
        assert_eq!(junction.trees(), [(1, vec![0, 1]), (2, vec![2]), (3, vec![3])]);
    }

    #[test]
    fn in_a_ring_the_slowest_link_stands_for_all_and_what_leads_into_it_belongs_to_it() {
        let mut ring = Fixture::all_congested(streets(&[
            ((0, 0), (3, 0)),
            ((3, 0), (3, 3)),
            ((3, 3), (0, 3)),
            ((0, 3), (0, 0)),
            ((0, 9), (0, 3)),
        ]));
        ring.y[2] = 3.0;
        assert_eq!(ring.trees(), [(2, vec![0, 1, 2, 3, 4])]);
    }
}
