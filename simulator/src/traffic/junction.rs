//! How vehicles get over a junction: who is first in line goes on when the light, the capacity of both links and the
//! room beyond allow it. Who finds the way blocked lets some others pass beside, and looks for another way after a
//! while; without that, a city of first-in-first-out links locks itself up as no real one does.

use model::SignalState;
use roadnet::{LinkIndex, Network, NodeIndex, RoadClass};

use super::routes::Way;
use super::stream::STEP_S;
use super::vehicle::Arriving;
use super::{Traffic, vehicle};
use crate::random;

/// After so many seconds at the head of a blocked line drivers take another way.
const PATIENCE_S: u16 = 45;
/// MCU per metre of width that can stand aside at a stop line and let others pass.
const BESIDE_PER_M: f64 = 1.2;
/// A junction without signals carries this times its largest approach.
const CONFLICT_SHARE: f64 = 1.25;

/// Links that meet.
#[derive(Clone, Debug)]
pub(crate) struct Junction {
    pub(crate) node: NodeIndex,
    pub(crate) arriving: Vec<LinkIndex>,
    /// MCU per second that all approaches together get over; infinite where they don't conflict.
    capacity_per_s: f64,
    credit: f64,
}

impl Junction {
    /// Returns all junctions at which a link ends.
    pub(crate) fn all(network: &Network) -> Vec<Self> {
        let mut arriving = vec![Vec::new(); network.nodes().len()];
        for link in network.indices() {
            arriving[network.link(link).to.index()].push(link);
        }
        let nodes = arriving.into_iter().enumerate().filter(|(_, arriving)| !arriving.is_empty());
        nodes.map(|(i, arriving)| Self::new(network, NodeIndex(i as u32), arriving)).collect()
    }

    fn new(network: &Network, node: NodeIndex, arriving: Vec<LinkIndex>) -> Self {
        let widest = arriving.iter().map(|&l| f64::from(network.link(l).width_m)).fold(0.0, f64::max);
        let free = arriving.len() < 3
            || network.node(node).signal
            || arriving.iter().any(|&l| network.link(l).class == RoadClass::Motorway);
        let capacity_per_s =
            if free { f64::INFINITY } else { CONFLICT_SHARE * widest * super::flow::SATURATION_PER_M };
        Self { node, arriving, capacity_per_s, credit: 0.0 }
    }
}

impl Traffic<'_> {
    /// Lets vehicles over one junction.
    pub(super) fn cross(&mut self, junction: usize) {
        let refill = self.junctions[junction].capacity_per_s * STEP_S;
        let credit = self.junctions[junction].credit;
        self.junctions[junction].credit =
            if refill.is_finite() { (credit + refill).min(refill) } else { refill };
        for link in self.in_order(junction) {
            if self.junctions[junction].credit <= 0.0 {
                return;
            }
            if self.is_green(link) {
                self.discharge(junction, link);
            } else {
                self.streams[link.index()].exit_credit = 0.0;
            }
        }
    }

    /// Returns the approaches with somebody at the end, in an order drawn anew each second, so that streams that merge
    /// share the road by their capacities.
    fn in_order(&self, junction: usize) -> Vec<LinkIndex> {
        let junction = &self.junctions[junction];
        let ready = |link: &&LinkIndex| {
            let stream = &self.streams[link.index()];
            stream.vehicles.front().is_some_and(|v| v.at_m + stream.free_now() * STEP_S >= stream.length_m)
        };
        let mut ready: Vec<LinkIndex> = junction.arriving.iter().filter(ready).copied().collect();
        if ready.len() > 1 {
            let mut draw =
                random::Draw::new(self.seed, random::Stream::Node, u64::from(junction.node.0), self.second);
            let mut keyed: Vec<(f64, LinkIndex)> = ready
                .iter()
                .map(|&l| (-(1.0 - draw.unit()).ln() / self.streams[l.index()].diagram.capacity_per_s, l))
                .collect();
            keyed.sort_by(|a, b| a.0.total_cmp(&b.0));
            ready = keyed.into_iter().map(|(_, link)| link).collect();
        }
        ready
    }

    fn is_green(&self, link: LinkIndex) -> bool {
        self.signal(link).is_none_or(|(state, _)| state == SignalState::Green)
    }

    /// Lets vehicles off one approach until its capacity for this second is used or the way is blocked.
    fn discharge(&mut self, junction: usize, link: LinkIndex) {
        let beside = BESIDE_PER_M * f64::from(self.city.network.link(link).width_m);
        let free = self.streams[link.index()].free_now();
        let (mut place, mut blocked) = (0, 0.0);
        while self.streams[link.index()].exit_credit > 0.0 && self.junctions[junction].credit > 0.0 {
            let stream = &self.streams[link.index()];
            let Some(&vehicle) = stream.vehicles.get(place) else { return };
            let beyond = vehicle.at_m + free * STEP_S - stream.length_m;
            if beyond < 0.0 || blocked > beside {
                return;
            }
            match self.way_on(link, &vehicle) {
                Way::Arrived => self.arrive(link, place, beyond / free),
                Way::On(next) => self.pass(link, place, next, beyond / free),
                Way::None => {
                    blocked += vehicle.mcu();
                    self.streams[link.index()].vehicles[place].blocked_s += 1;
                    place += 1;
                    continue;
                }
            }
            self.junctions[junction].credit -= vehicle.mcu();
        }
    }

    /// Returns where the vehicle can go now: its own way, or any other when its patience is over.
    fn way_on(&mut self, link: LinkIndex, vehicle: &vehicle::Vehicle) -> Way {
        let network = &self.city.network;
        let tree = &self.demand.trees[usize::from(vehicle.tree)];
        let way = tree.at(network, link);
        let Way::On(next) = way else { return way };
        if self.streams[next.index()].admits() {
            return way;
        }
        if self.streams[next.index()].at_capacity() && self.phases[link.index()].is_none() {
            self.streams[next.index()].breakdown.denied = true;
        }
        if vehicle.blocked_s < PATIENCE_S {
            return Way::None;
        }
        let open = network.downstream(link).iter().copied().find(|&other| {
            network.link(other).allowed.contains(vehicle.class)
                && self.streams[other.index()].admits()
                && tree.at(network, other) != Way::None
        });
        open.map_or(Way::None, Way::On)
    }

    fn pass(&mut self, from: LinkIndex, place: usize, next: LinkIndex, beyond_s: f64) {
        let Some(vehicle) = self.streams[from.index()].leave(place) else { return };
        let metres_before = self.streams[from.index()].length_m - vehicle.at_m;
        let vehicle_m = vehicle::length_m(vehicle.class);
        self.streams[from.index()].tally.travelled(STEP_S - beyond_s, metres_before, vehicle_m);
        let stream = &mut self.streams[next.index()];
        let reach = beyond_s * stream.free_now();
        stream.enter(vehicle, reach, Arriving { seconds: beyond_s, metres_before });
    }

    fn arrive(&mut self, link: LinkIndex, place: usize, beyond_s: f64) {
        let stream = &mut self.streams[link.index()];
        if let Some(vehicle) = stream.leave(place) {
            let length = vehicle::length_m(vehicle.class);
            stream.tally.travelled(STEP_S - beyond_s, stream.length_m - vehicle.at_m, length);
            stream.tally.arrived += 1;
            self.ended += 1;
        }
    }
}
