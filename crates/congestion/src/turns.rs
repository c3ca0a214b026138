//! Turn shares: which part of those who leave a link goes on to which other.
//!
//! Three things say something of it. The map: most drive straight on, and wide roads take more than narrow ones. Vehicles
//! that were seen on one link and then on the next. And the counts: what flows into a link must have come from the links
//! before it, so where more is counted than those bring, more turn into it. The last is iterative proportional fitting
//! (Deming and Stephan 1940) of the links' pull, one small step a minute, so that no single minute's counts decide.

use roadnet::{LinkIndex, Network, Point};
use serde::{Deserialize, Serialize};

/// The map's guess weighs as much as this many vehicles that were seen to turn.
const MAP_WEIGHT: f32 = 5.0;

/// Half of what was seen is forgotten in two hours: turns change with the time of day. Per minute.
const KEPT: f32 = 0.994;

/// The share of a minute's misfit that a link's pull takes up.
const STEP: f64 = 0.05;

/// No counts make a link more or less attractive than this factor: beyond it the counts are wrong.
const MOST_PULL: f32 = 5.0;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Turns {
    /// Per turn, links in order and then as in [`Network::downstream`]: vehicles that were seen to take it.
    seen: Vec<f32>,
    /// Per turn, in that order.
    share: Vec<f32>,
    /// Per link: by how much more drive into it than the map makes one expect.
    pull: Vec<f32>,
    #[serde(skip)]
    map: Map,
    /// What the shares come to for each link and those around it, side by side: made anew with the shares.
    #[serde(skip)]
    around: Vec<Next>,
}

/// A link that another one's vehicles go on to or come from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Next {
    pub(crate) link: LinkIndex,
    /// The share of the other one's vehicles that go on to it, or come from it.
    pub(crate) share: f32,
    /// The share of its own vehicles that come from the other one, or go on to it.
    pub(crate) mine: f32,
}

impl Next {
    pub(crate) fn share(&self) -> f64 {
        f64::from(self.share)
    }

    pub(crate) fn mine(&self) -> f64 {
        f64::from(self.mine)
    }
}

/// What the map says; no part of a checkpoint.
#[derive(Clone, Debug, Default)]
struct Map {
    /// Per link, the place of its first turn; and at the end, the number of all.
    first: Vec<u32>,
    /// Per turn, its guessed share.
    share: Vec<f32>,
    /// Per link, the place of the first link around it: those behind it, as in [`Network::downstream`], then those before it, as in
    /// [`Network::upstream`]; and at the end, the number of all.
    row: Vec<u32>,
    /// Per turn, the place in the row of the link that it leads into.
    into: Vec<u32>,
}

impl Turns {
    pub(crate) fn new(network: &Network) -> Self {
        let map = Map::of(network);
        let (seen, pull) = (vec![0.0; map.share.len()], vec![1.0; network.links().len()]);
        let mut turns = Self { seen, share: map.share.clone(), pull, map, around: Vec::new() };
        turns.bring(network);
        turns
    }

    /// Makes anew what a checkpoint does not hold; to be called before anything else.
    pub(crate) fn prepare(&mut self, network: &Network) {
        if self.map.first.is_empty() {
            self.map = Map::of(network);
            self.bring(network);
        }
    }

    /// Returns the links that a link's vehicles go on to, in the order of [`Network::downstream`]; their shares add up to 1.
    pub(crate) fn after(&self, link: LinkIndex) -> &[Next] {
        &self.around[self.map.after(link)]
    }

    /// Returns the links that a link's vehicles come from, in the order of [`Network::upstream`].
    pub(crate) fn before(&self, link: LinkIndex) -> &[Next] {
        &self.around[self.map.before(link)]
    }

    /// Returns both, those behind it first.
    pub(crate) fn around(&self, link: LinkIndex) -> &[Next] {
        &self.around[self.map.after(link).start..self.map.before(link).end]
    }

    /// Returns the share of those who leave a link that turns into that other one.
    #[cfg(test)]
    pub(crate) fn share(&self, from: LinkIndex, into: LinkIndex) -> f64 {
        self.after(from).iter().find(|next| next.link == into).map_or(0.0, Next::share)
    }

    /// Takes vehicles that were seen to turn from a link into another.
    pub(crate) fn see(&mut self, network: &Network, turned: &[(u32, u32)]) {
        for &(from, into) in turned {
            let from = LinkIndex(from);
            if let Some(place) = network.downstream(from).iter().position(|next| next.0 == into) {
                self.seen[self.map.turns(from).start + place] += 1.0;
            }
        }
    }

    /// Fits the shares to what was seen and counted; to be called once a minute.
    ///
    /// `flow_vph`: flow of each link, NaN where nothing is known of it; `counted`: whether it was counted there.
    pub(crate) fn fit(
        &mut self,
        network: &Network,
        flow_vph: impl Fn(usize) -> f64,
        counted: impl Fn(usize) -> bool,
    ) {
        self.seen.iter_mut().for_each(|seen| *seen *= KEPT);
        for link in network.indices() {
            let pull = f64::from(self.pull[link.index()]);
            let misfit = self.brought_vph(link, &flow_vph).filter(|_| counted(link.index()));
            // Few vehicles say little: a flow of a vehicle a minute is added to both sides.
            let wanted =
                misfit.map_or(1.0, |brought| pull * (flow_vph(link.index()) + 60.0) / (brought + 60.0));
            let moved = pull * (wanted / pull).powf(STEP);
            self.pull[link.index()] = (moved as f32).clamp(MOST_PULL.recip(), MOST_PULL);
        }
        for link in network.indices() {
            self.share_out(network, link);
        }
        self.bring(network);
    }

    /// Turns the shares of those who leave around into shares of those who come: a wider link brings more.
    fn bring(&mut self, network: &Network) {
        let links = |link| network.downstream(link).iter().chain(network.upstream(link));
        if self.around.is_empty() {
            let next = |link: &LinkIndex| Next { link: *link, share: 0.0, mine: 0.0 };
            self.around = network.indices().flat_map(|link| links(link).map(next)).collect();
        }
        for (turn, &into) in self.map.into.iter().enumerate() {
            self.around[into as usize].mine = self.share[turn];
        }
        for link in network.indices() {
            let before = &mut self.around[self.map.before(link)];
            before
                .iter_mut()
                .for_each(|from| from.share = from.mine * network.link(from.link).lanes.max(0.5));
            let sum: f32 = before.iter().map(|from| from.share).sum();
            before.iter_mut().for_each(|from| from.share /= sum.max(f32::MIN_POSITIVE));
        }
        for link in network.indices() {
            for (turn, place) in self.map.turns(link).zip(self.map.after(link)) {
                let brought = self.around[self.map.into[turn] as usize].share;
                (self.around[place].share, self.around[place].mine) = (self.share[turn], brought);
            }
        }
    }

    /// Returns what the links before it bring into a link, veh/h; `None` where the flow of one of them is not known.
    fn brought_vph(&self, link: LinkIndex, flow_vph: impl Fn(usize) -> f64) -> Option<f64> {
        let before = self.before(link);
        let brought: f64 = before.iter().map(|from| flow_vph(from.link.index()) * from.mine()).sum();
        (!before.is_empty() && brought.is_finite()).then_some(brought)
    }

    fn share_out(&mut self, network: &Network, link: LinkIndex) {
        let turns = self.map.turns(link);
        let weights = turns.clone().zip(network.downstream(link)).map(|(turn, into)| {
            (MAP_WEIGHT * self.map.share[turn] + self.seen[turn]) * self.pull[into.index()]
        });
        let weights: Vec<f32> = weights.collect();
        let sum: f32 = weights.iter().sum();
        for (turn, weight) in turns.zip(weights) {
            self.share[turn] = weight / sum;
        }
    }
}

impl Map {
    fn of(network: &Network) -> Self {
        let mut map = Self { first: vec![0], row: vec![0], ..Self::default() };
        let mut around = 0;
        for link in network.indices() {
            let weight =
                |into: &LinkIndex| straightness(network, link, *into) * network.link(*into).lanes.max(0.5);
            let weights: Vec<f32> = network.downstream(link).iter().map(weight).collect();
            let sum: f32 = weights.iter().sum();
            map.share.extend(weights.iter().map(|weight| weight / sum));
            map.first.push(map.share.len() as u32);
            around += (weights.len() + network.upstream(link).len()) as u32;
            map.row.push(around);
        }
        let place = |all: &[LinkIndex], link| {
            let place = all.iter().position(|other| *other == link);
            place.expect("each turn leads from a link into one behind it")
        };
        let by = |from, into: LinkIndex| map.before(into).start + place(network.upstream(into), from);
        let turns = |link| network.downstream(link).iter().map(move |into| by(link, *into) as u32);
        map.into = network.indices().flat_map(turns).collect();
        map
    }

    fn turns(&self, link: LinkIndex) -> std::ops::Range<usize> {
        self.first[link.index()] as usize..self.first[link.index() + 1] as usize
    }

    fn after(&self, link: LinkIndex) -> std::ops::Range<usize> {
        let start = self.row[link.index()] as usize;
        start..start + self.turns(link).len()
    }

    fn before(&self, link: LinkIndex) -> std::ops::Range<usize> {
        self.after(link).end..self.row[link.index() + 1] as usize
    }
}

/// Returns how likely a turn is for its angle alone, straight on being 1. Where nobody counted, a tenth turns to each side (the
/// default of HCM 6 for signalised junctions), an eighth of those who go straight; more where the ways are alike. Few turn back.
fn straightness(network: &Network, from: LinkIndex, into: LinkIndex) -> f32 {
    const STRAIGHT_DEG: f64 = 45.0;
    const BACK_DEG: f64 = 150.0;
    let before = bearing_deg(network.geometry(from).last_chunk().expect("each link has two vertices"));
    let after = bearing_deg(network.geometry(into).first_chunk().expect("each link has two vertices"));
    let opposite = ((after - before).rem_euclid(360.0) - 180.0).abs();
    match 180.0 - opposite {
        turn if turn < STRAIGHT_DEG => 1.0,
        turn if turn < BACK_DEG => 0.2,
        _ => 0.02,
    }
}

/// Returns the direction of a short line, counted from east against the clock.
fn bearing_deg([a, b]: &[Point; 2]) -> f64 {
    let east = (b.lon - a.lon) * a.lat.to_radians().cos();
    (b.lat - a.lat).atan2(east).to_degrees()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::streets::{link, streets};

    /// A street from the west that goes on to the east, and to the north.
    fn junction() -> Network {
        streets(&[((0, 0), (3, 0)), ((3, 0), (6, 0)), ((3, 0), (3, 3))])
    }

    #[test]
    fn before_anything_is_seen_most_go_straight_on() {
        let network = junction();
        let turns = Turns::new(&network);
        assert!(turns.share(link(0), link(1)) > 0.8);
        assert_eq!(turns.share(link(1), link(2)), 0.0, "there is no such turn");
    }

    #[test]
    fn who_is_seen_to_turn_off_moves_the_shares() {
        let network = junction();
        let mut turns = Turns::new(&network);
        turns.see(&network, &[(0, 2); 40]);
        turns.fit(&network, |_| f64::NAN, |_| false);
        assert!(turns.share(link(0), link(2)) > 0.7);
    }

    #[test]
    fn counts_that_do_not_fit_the_map_win_within_an_hour() {
        let network = junction();
        let mut turns = Turns::new(&network);
        (0..60).for_each(|_| turns.fit(&network, |link| [1000.0, 300.0, 700.0][link], |_| true));
        let off = turns.share(link(0), link(2));
        assert!((off - 0.7).abs() < 0.1, "{off}");
    }

    proptest! {
        #[test]
        fn shares_add_up_to_one_whatever_was_seen_and_counted(
            seen in proptest::collection::vec((0u32..3, 0u32..3), 0..50),
            flow in proptest::collection::vec(prop_oneof![Just(f64::NAN), 0.0f64..5000.0], 3),
        ) {
            let network = junction();
            let mut turns = Turns::new(&network);
            turns.see(&network, &seen);
            (0..5).for_each(|_| turns.fit(&network, |link| flow[link], |link| !flow[link].is_nan()));
            let sum: f32 = turns.after(link(0)).iter().map(|next| next.share).sum();
            prop_assert!((sum - 1.0).abs() < 1e-5);
        }
    }
}
