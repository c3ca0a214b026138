//! Ways through the city: for each destination and group of vehicles, trees that say at each link which one to take
//! next. Drivers follow a tree; where trees of one destination differ, turning shares come from how many follow which.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use model::VehicleClass;
use roadnet::{Link, LinkIndex, Network, NodeIndex, RoadClass};

/// Vehicles that may and like to use the same roads.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Group {
    /// Motorcycles and bicycles: alleys too.
    TwoWheels,
    /// Cars, vans and buses.
    Cars,
    /// Trucks and trailers: large roads wherever there is one.
    Heavy,
}

impl Group {
    pub(crate) const ALL: [Self; 3] = [Self::TwoWheels, Self::Cars, Self::Heavy];

    pub(crate) const fn of(class: VehicleClass) -> Self {
        match class {
            VehicleClass::Motorcycle
            | VehicleClass::Bicycle
            | VehicleClass::TwoWheeler
            | VehicleClass::Pedestrian => Self::TwoWheels,
            VehicleClass::Truck | VehicleClass::Trailer => Self::Heavy,
            _ => Self::Cars,
        }
    }

    fn allowed_on(self, link: &Link) -> bool {
        link.allowed.contains(match self {
            Self::TwoWheels => VehicleClass::Motorcycle,
            Self::Cars => VehicleClass::Car,
            Self::Heavy => VehicleClass::Trailer,
        })
    }

    /// How much longer a minute feels here: heavy vehicles avoid small streets, all avoid alleys a little.
    fn reluctance(self, class: RoadClass) -> f64 {
        match (self, class) {
            (_, RoadClass::Alley) => 1.6,
            (Self::Heavy, RoadClass::Motorway | RoadClass::Trunk) | (_, RoadClass::Primary) => 1.0,
            (Self::Heavy, _) => 2.5,
            (_, RoadClass::Residential | RoadClass::Tertiary) => 1.25,
            _ => 1.1,
        }
    }
}

/// The way from everywhere to one destination.
#[derive(Clone, Debug)]
pub(crate) struct Tree {
    /// Per link: which of its downstream links comes next; [`Tree::END`] at the destination, [`Tree::NO_WAY`] where
    /// none leads there.
    next: Vec<u8>,
}

impl Tree {
    const END: u8 = 254;
    const NO_WAY: u8 = 255;

    /// Returns the tree of least time, with its cost per link in seconds (infinite where there is no way).
    pub(crate) fn grow(
        network: &Network,
        destination: NodeIndex,
        group: Group,
        seconds: &[f64],
    ) -> (Self, Vec<f32>) {
        let mut cost = vec![f32::INFINITY; seconds.len()];
        let mut next = vec![Self::NO_WAY; seconds.len()];
        let mut open = BinaryHeap::new();
        let own = |link: LinkIndex| {
            let road = network.link(link);
            let allowed = group.allowed_on(road);
            allowed.then(|| (seconds[link.index()] * group.reluctance(road.class)) as f32)
        };
        for link in network.indices().filter(|&link| network.link(link).to == destination) {
            if let Some(own) = own(link) {
                cost[link.index()] = own;
                next[link.index()] = Self::END;
                open.push(Reverse((Seconds(own), link)));
            }
        }
        while let Some(Reverse((Seconds(so_far), link))) = open.pop() {
            if so_far > cost[link.index()] {
                continue;
            }
            for &before in network.upstream(link) {
                let Some(own) = own(before) else { continue };
                if so_far + own < cost[before.index()] {
                    cost[before.index()] = so_far + own;
                    next[before.index()] = turn(network, before, link);
                    open.push(Reverse((Seconds(so_far + own), before)));
                }
            }
        }
        (Self { next }, cost)
    }

    /// Returns what a driver at the end of the link does.
    pub(crate) fn at(&self, network: &Network, link: LinkIndex) -> Way {
        match self.next[link.index()] {
            Self::END => Way::Arrived,
            Self::NO_WAY => Way::None,
            turn => Way::On(network.downstream(link)[usize::from(turn)]),
        }
    }
}

/// What a driver does at the end of a link.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Way {
    On(LinkIndex),
    Arrived,
    None,
}

fn turn(network: &Network, from: LinkIndex, into: LinkIndex) -> u8 {
    let place = network.downstream(from).iter().position(|&l| l == into).unwrap_or(usize::MAX);
    u8::try_from(place).ok().filter(|&n| n < Tree::END).unwrap_or(Tree::NO_WAY)
}

/// A total order for the heap.
#[derive(Clone, Copy, PartialEq)]
struct Seconds(f32);

impl Eq for Seconds {}

impl PartialOrd for Seconds {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Seconds {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.total_cmp(&other.0)
    }
}
