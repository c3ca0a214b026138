//! The forest of queues: which congested link hangs on which.
//!
//! A queue stands on a link because those who leave it cannot: it hangs on the congested link behind it that takes the largest
//! part of its traffic and is the likeliest to hold it back, `turn share x probability of a jam`. What began long after cannot
//! be the cause. Followed to the end, each link leads to a head: the link that hangs on none; or a ring, where each waits
//! for the next (gridlock) and the slowest link stands for all. As each link hangs on one other at most, the rings are the
//! strongly connected components, and one walk finds them. O(links + turns).

use roadnet::LinkIndex;

use crate::turns::Turns;

/// What the forest is grown from.
pub(crate) struct Ground<'a> {
    pub(crate) turns: &'a Turns,
    /// Per link: whether it is congested.
    pub(crate) member: &'a [bool],
    /// Per link: probability of that.
    pub(crate) probability: &'a [f64],
    /// Per link: since when, ms.
    pub(crate) onset: &'a [i64],
    /// Log travel-time index of a member.
    pub(crate) y: &'a dyn Fn(u32) -> f64,
    /// A smaller part of a link's traffic cannot hold back the link.
    pub(crate) least_share: f64,
    /// What is told of the one link may be that much later than of the other, ms.
    pub(crate) tolerance_ms: i64,
}

/// The links of all queues, and what holds each of them back. A link's *place* is its number among them.
pub(crate) struct Forest {
    /// Sorted.
    pub(crate) links: Vec<u32>,
    /// By place: the place of the head of its tree.
    pub(crate) heads: Vec<u32>,
    /// By place: the end of its ways in `ways`; they begin where those of the place before end.
    ends: Vec<u32>,
    ways: Vec<Way>,
    /// All links, tree by tree in the order of their heads, those of a tree sorted.
    by_tree: Vec<u32>,
    /// By link: its place.
    places: Vec<u32>,
}

/// A link that can hold back another one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Way {
    pub(crate) place: u32,
    /// `turn share x probability of a jam`.
    pub(crate) weight: f64,
}

const NO_PLACE: u32 = u32::MAX;

/// Stands for the head of a link that is on the way that is being followed.
const ON_THE_WAY: u32 = u32::MAX - 1;

impl Ground<'_> {
    pub(crate) fn forest(&self) -> Forest {
        let links: Vec<u32> =
            (0..self.member.len() as u32).filter(|&link| self.member[link as usize]).collect();
        let mut places = vec![NO_PLACE; self.member.len()];
        links.iter().zip(0..).for_each(|(&link, place)| places[link as usize] = place);
        let (mut ends, mut ways) = (Vec::with_capacity(links.len()), Vec::with_capacity(2 * links.len()));
        for &link in &links {
            let held_by = self.held_by(link);
            ways.extend(held_by.map(|(next, weight)| Way { place: places[next as usize], weight }));
            ends.push(ways.len() as u32);
        }
        let mut forest = Forest { links, heads: Vec::new(), ends, ways, by_tree: Vec::new(), places };
        forest.find_heads(self.y);
        forest.sort_by_tree();
        forest
    }

    /// Returns the links behind a member that can hold it back, each with its weight.
    fn held_by(&self, link: u32) -> impl Iterator<Item = (u32, f64)> {
        let place = link as usize;
        self.turns.after(LinkIndex(link)).iter().filter_map(move |next| {
            let (into, share) = (next.link.index(), next.share());
            let holds = self.member[into]
                && into != place
                && share >= self.least_share
                && self.onset[into] <= self.onset[place] + self.tolerance_ms;
            holds.then(|| (next.link.0, share * self.probability[into]))
        })
    }
}

impl Forest {
    /// Returns the links that hold one back.
    pub(crate) fn ways(&self, place: usize) -> &[Way] {
        let start = if place == 0 { 0 } else { self.ends[place - 1] };
        &self.ways[start as usize..self.ends[place] as usize]
    }

    /// Returns the place of a link of a queue.
    pub(crate) fn place(&self, link: u32) -> usize {
        self.places[link as usize] as usize
    }

    /// Yields the place of each head and the links of its tree, sorted; in the order of heads.
    pub(crate) fn trees(&self) -> impl Iterator<Item = (usize, &[u32])> {
        let mut left = &self.by_tree[..];
        self.sizes().into_iter().enumerate().filter(|(_, size)| *size > 0).map(move |(head, size)| {
            let (tree, after) = left.split_at(size);
            left = after;
            (head, tree)
        })
    }

    /// Returns the place that a link hangs on.
    fn parent(&self, place: u32) -> Option<u32> {
        let ways = self.ways(place as usize).iter();
        ways.max_by(|a, b| a.weight.total_cmp(&b.weight).then(b.place.cmp(&a.place))).map(|way| way.place)
    }

    /// Follows each link to its head.
    fn find_heads(&mut self, y: &dyn Fn(u32) -> f64) {
        let mut heads = vec![NO_PLACE; self.links.len()];
        let mut path: Vec<u32> = Vec::new();
        for start in 0..self.links.len() as u32 {
            path.clear();
            let mut next = Some(start);
            let end = loop {
                match next {
                    None => break path.last().copied().unwrap_or(start),
                    Some(place) => match std::mem::replace(&mut heads[place as usize], ON_THE_WAY) {
                        NO_PLACE => {
                            path.push(place);
                            next = self.parent(place);
                        }
                        ON_THE_WAY => {
                            let ring = path.iter().position(|&p| p == place).unwrap_or(0);
                            break self.slowest(&path[ring..], y);
                        }
                        known => {
                            heads[place as usize] = known;
                            break known;
                        }
                    },
                }
            };
            path.iter().for_each(|&place| heads[place as usize] = end);
        }
        self.heads = heads;
    }

    fn slowest(&self, ring: &[u32], y: &dyn Fn(u32) -> f64) -> u32 {
        let y = |place: u32| y(self.links[place as usize]);
        let slower = |a: &&u32, b: &&u32| y(**a).total_cmp(&y(**b)).then(b.cmp(a));
        *ring.iter().max_by(slower).expect("a ring has links")
    }

    /// Returns how many links the tree of each head has, by place.
    fn sizes(&self) -> Vec<usize> {
        let mut sizes = vec![0; self.links.len()];
        self.heads.iter().for_each(|&head| sizes[head as usize] += 1);
        sizes
    }

    fn sort_by_tree(&mut self) {
        let mut next: Vec<usize> = self
            .sizes()
            .into_iter()
            .scan(0, |start, size| Some(std::mem::replace(start, *start + size)))
            .collect();
        self.by_tree = vec![0; self.links.len()];
        for (&link, &head) in self.links.iter().zip(&self.heads) {
            let next = &mut next[head as usize];
            self.by_tree[*next] = link;
            *next += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use roadnet::Network;

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
                turns: &self.turns,
                member: &self.member,
                probability: &self.probability,
                onset: &self.onset,
                y: &|link| self.y[link as usize],
                least_share: 0.15,
                tolerance_ms: 60_000,
            };
            let forest = ground.forest();
            forest.trees().map(|(head, links)| (forest.links[head], links.to_vec())).collect()
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
        junction.turns.fit(&junction.network, |_| f64::NAN, |_| false);
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
