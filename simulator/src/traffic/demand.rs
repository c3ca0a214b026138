//! Who goes where: trips between zones, scaled so that the network carries them as the scenario wants.

use model::VehicleClass;
use roadnet::{LinkIndex, Network, RoadClass};

use super::flow::SATURATION_PER_M;
use super::profile;
use super::routes::{Group, Tree, Way};
use super::vehicle::mcu;
use crate::city::{City, Zone, ZoneKind};
use crate::random::{Draw, Stream};

/// At demand 1 and in the peak, 5 % of the used road is loaded beyond this share of its capacity.
const PEAK_LOAD: f64 = 0.65;
const LOADED_SHARE: f64 = 0.95;
/// Destinations with trees of their own; trips to others would need memory and change little.
const MOST_DESTINATIONS: usize = 40;
const MANY_LINKS: usize = 20_000;
const DESTINATIONS_OF_MANY: usize = 12;
/// Zones at which trips are followed to learn the loads.
const MOST_SAMPLED: usize = 300;
/// Container trucks that leave a port in its busiest hour, and as many that arrive.
const TRAILERS_PER_PORT_H: f64 = 110.0;
/// Sets of trees: each next one avoids what the last ones loaded (successive averages).
const ALTERNATIVES: usize = 3;

/// Shares of the vehicles that people use; the rest of 1 is trailers' own business.
const MIX: [(VehicleClass, f64); 6] = [
    (VehicleClass::Motorcycle, 0.83),
    (VehicleClass::Car, 0.115),
    (VehicleClass::Bicycle, 0.015),
    (VehicleClass::Van, 0.015),
    (VehicleClass::Bus, 0.01),
    (VehicleClass::Truck, 0.015),
];

/// Trips between zones.
#[derive(Debug)]
pub(crate) struct Demand {
    seed: u64,
    origins: Vec<Origin>,
    destinations: Vec<Zone>,
    pub(crate) trees: Vec<Tree>,
    leaving: Vec<Vec<LinkIndex>>,
    /// Trips of people per second at the busiest time.
    people_per_s: f64,
    trailers_per_s: f64,
    mix: Vec<f64>,
    level: f64,
}

#[derive(Debug)]
struct Origin {
    zone: Zone,
    /// Per tree: the first link, absent where no way leads there.
    first: Vec<Option<LinkIndex>>,
}

/// A trip that begins.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Departure {
    pub(crate) zone: usize,
    pub(crate) class: VehicleClass,
    pub(crate) tree: u16,
    pub(crate) first: LinkIndex,
}

impl Demand {
    /// Lays trees and finds the number of trips that loads the network as told; returns also the load of each link
    /// (peak flow over capacity), by which signals share out their green.
    pub(crate) fn new(city: &City, seed: u64, level: f64) -> (Self, Vec<f64>) {
        let network = &city.network;
        let destinations = destinations(city, seed);
        let mut demand = Self {
            seed,
            origins: city.zones.iter().map(|&zone| Origin { zone, first: Vec::new() }).collect(),
            destinations,
            trees: Vec::new(),
            leaving: leaving(network),
            people_per_s: 1.0,
            trailers_per_s: 0.0,
            mix: running_sums(MIX.iter().map(|&(_, share)| share)),
            level,
        };
        let ports = city.zones.iter().filter(|z| z.kind == ZoneKind::Port).count();
        demand.trailers_per_s = ports as f64 * TRAILERS_PER_PORT_H / 3600.0;
        let mut seconds: Vec<f64> = network.indices().map(|l| free_seconds(network, l)).collect();
        let mut load = vec![0.0; seconds.len()];
        let sets = if network.links().len() > MANY_LINKS { 1 } else { ALTERNATIVES };
        for set in 0..sets {
            demand.grow_set(network, set, &seconds);
            load = demand.loads(network);
            demand.scale(network, &mut load);
            for link in network.indices() {
                seconds[link.index()] = loaded_seconds(network, link, load[link.index()], set);
            }
        }
        (demand, load)
    }

    /// Grows the trees of one set, for each destination and group, by these travel times.
    pub(crate) fn grow_set(&mut self, network: &Network, set: usize, seconds: &[f64]) {
        let per_set = self.destinations.len() * Group::ALL.len();
        let kinds = self.destinations.iter().flat_map(|d| Group::ALL.map(|group| (*d, group)));
        for (i, (destination, group)) in kinds.collect::<Vec<_>>().into_iter().enumerate() {
            let (tree, cost) = Tree::grow(network, destination.node, group, seconds);
            let place = set * per_set + i;
            for origin in &mut self.origins {
                let leaving = self.leaving[origin.zone.node.index()].iter().copied();
                let best = leaving
                    .filter(|l| cost[l.index()].is_finite() && origin.zone.node != destination.node)
                    .min_by(|a, b| cost[a.index()].total_cmp(&cost[b.index()]));
                put(&mut origin.first, place, best);
            }
            put(&mut self.trees, place, tree);
        }
    }

    /// Returns how many sets of trees there are.
    pub(crate) fn sets(&self) -> usize {
        self.trees.len() / (self.destinations.len() * Group::ALL.len()).max(1)
    }

    /// Returns MCU per second on each link when one person a second sets out, averaged over both peaks.
    fn loads(&self, network: &Network) -> Vec<f64> {
        let mut load = vec![0.0; network.links().len()];
        let per_group = [Group::TwoWheels, Group::Cars, Group::Heavy].map(|group| {
            MIX.iter().filter(|(class, _)| Group::of(*class) == group).map(|&(c, s)| s * mcu(c)).sum::<f64>()
        });
        let sets = self.sets();
        let stride = self.origins.len().div_ceil(MOST_SAMPLED).max(1);
        for hour in [7.25, 17.5] {
            let (from, to) = (self.origin_weights(hour), self.destination_weights(hour));
            let sampled: f64 = from.iter().step_by(stride).sum();
            let to_sum: f64 = to.iter().sum();
            for (o, weight) in from.iter().enumerate().step_by(stride) {
                for (tree, first) in self.origins[o].first.iter().enumerate() {
                    let (d, group) = ((tree / 3) % self.destinations.len(), tree % 3);
                    let share = weight / sampled * to[d] / to_sum * per_group[group] / sets as f64 / 2.0;
                    self.follow(network, tree, *first, |link| load[link.index()] += share);
                }
            }
        }
        load
    }

    fn follow(&self, network: &Network, tree: usize, first: Option<LinkIndex>, mut f: impl FnMut(LinkIndex)) {
        let mut at = first;
        while let Some(link) = at {
            f(link);
            at = match self.trees[tree].at(network, link) {
                Way::On(next) => Some(next),
                Way::Arrived | Way::None => None,
            };
        }
    }

    /// Sets the number of trips so that the busiest links are loaded as wanted, and makes the loads shares of capacity.
    fn scale(&mut self, network: &Network, load: &mut [f64]) {
        for link in network.indices() {
            load[link.index()] /= capacity(network, link);
        }
        let mut used: Vec<f64> = load.iter().copied().filter(|&x| x > 0.0).collect();
        used.sort_by(f64::total_cmp);
        let busy = used.get((used.len() as f64 * LOADED_SHARE) as usize).copied().unwrap_or(1.0);
        self.people_per_s = PEAK_LOAD / busy;
        load.iter_mut().for_each(|x| *x *= self.people_per_s);
    }

    fn origin_weights(&self, hour: f64) -> Vec<f64> {
        self.origins.iter().map(|o| pull(&o.zone, 1.0 - profile::inward(hour))).collect()
    }

    fn destination_weights(&self, hour: f64) -> Vec<f64> {
        self.destinations.iter().map(|z| pull(z, profile::inward(hour))).collect()
    }

    /// Yields the trips that begin in this second.
    pub(crate) fn departures(&self, second: u64, hour: f64) -> Vec<Departure> {
        let mut draw = Draw::new(self.seed, Stream::Departures, 0, second);
        let people = draw.poisson(self.people_per_s * self.level * profile::people(hour));
        let trailers = draw.poisson(2.0 * self.trailers_per_s * self.level * profile::freight(hour));
        if people + trailers == 0 || self.destinations.is_empty() {
            return Vec::new();
        }
        let from = running_sums(self.origin_weights(hour));
        let to = running_sums(self.destination_weights(hour));
        let mut all: Vec<Departure> = (0..people)
            .filter_map(|_| {
                let class = MIX[draw.weighted(&self.mix)].0;
                let (zone, destination) = (draw.weighted(&from), draw.weighted(&to));
                self.departure(zone, destination, class, &mut draw)
            })
            .collect();
        all.extend((0..trailers).filter_map(|_| self.trailer(&mut draw)));
        all
    }

    fn departure(&self, zone: usize, to: usize, class: VehicleClass, draw: &mut Draw) -> Option<Departure> {
        let per_set = self.destinations.len() * Group::ALL.len();
        let set = draw.below(self.sets());
        let tree = set * per_set + to * Group::ALL.len() + Group::of(class) as usize;
        let first = self.origins[zone].first[tree]?;
        Some(Departure { zone, class, tree: tree as u16, first })
    }

    /// From a port to a gate or back.
    fn trailer(&self, draw: &mut Draw) -> Option<Departure> {
        let is_port = |zone: &Zone| zone.kind == ZoneKind::Port;
        let outbound = draw.chance(0.5);
        let wanted = |zone: &Zone, port: bool| if port { is_port(zone) } else { zone.kind == ZoneKind::Gate };
        let from: Vec<usize> =
            (0..self.origins.len()).filter(|&i| wanted(&self.origins[i].zone, outbound)).collect();
        let to: Vec<usize> =
            (0..self.destinations.len()).filter(|&i| wanted(&self.destinations[i], !outbound)).collect();
        let (from, to) = (from.get(draw.below(from.len()))?, to.get(draw.below(to.len()))?);
        self.departure(*from, *to, VehicleClass::Trailer, draw)
    }
}

/// Puts the value at that place, which is in the list or next to its end.
fn put<T>(list: &mut Vec<T>, place: usize, value: T) {
    match list.get_mut(place) {
        Some(old) => *old = value,
        None => list.push(value),
    }
}

/// Returns the links that start at each node.
fn leaving(network: &Network) -> Vec<Vec<LinkIndex>> {
    let mut leaving = vec![Vec::new(); network.nodes().len()];
    for link in network.indices() {
        leaving[network.link(link).from.index()].push(link);
    }
    leaving
}

/// How many trips a zone makes or draws, given the share of trips into the centre seen from this end.
fn pull(zone: &Zone, inward: f64) -> f64 {
    zone.weight
        * match zone.kind {
            ZoneKind::Centre => 2.2 * inward,
            ZoneKind::Quarter => 1.2 * (1.0 - inward),
            ZoneKind::Gate => 2.5 * (1.0 - inward),
            ZoneKind::Port => 0.8,
        }
}

/// All gates and ports, and a sample of the rest.
fn destinations(city: &City, seed: u64) -> Vec<Zone> {
    let many = city.network.links().len() > MANY_LINKS;
    let most = if many { DESTINATIONS_OF_MANY } else { MOST_DESTINATIONS };
    let mut ranked: Vec<(u8, u64, Zone)> = city
        .zones
        .iter()
        .map(|&zone| {
            let rank = match zone.kind {
                ZoneKind::Port => 0,
                ZoneKind::Gate if !many => 0,
                _ => 1,
            };
            (rank, Draw::new(seed, Stream::City, u64::from(zone.node.0), 3).bits(), zone)
        })
        .collect();
    ranked.sort_by_key(|&(rank, random, _)| (rank, random));
    ranked.into_iter().take(most).map(|(_, _, zone)| zone).collect()
}

fn running_sums(weights: impl IntoIterator<Item = f64>) -> Vec<f64> {
    let add = |sum: &mut f64, weight: f64| {
        *sum += weight;
        Some(*sum)
    };
    weights.into_iter().scan(0.0, add).collect()
}

/// MCU per second that the link passes on: at a signal somewhat less than half of what it could.
fn capacity(network: &Network, link: LinkIndex) -> f64 {
    let road = network.link(link);
    let green = if road.signal_at_end { 0.42 } else { 0.8 };
    SATURATION_PER_M * f64::from(road.width_m) * green
}

pub(crate) fn free_seconds(network: &Network, link: LinkIndex) -> f64 {
    let road = network.link(link);
    let wait = match road.signal_at_end {
        true => 18.0,
        false if road.class == RoadClass::Motorway => 0.0,
        false => 3.0,
    };
    road.free_flow_time_s() + wait
}

/// The curve of the US Bureau of Public Roads, steeper for each further set of trees.
fn loaded_seconds(network: &Network, link: LinkIndex, load: f64, set: usize) -> f64 {
    free_seconds(network, link) * (1.0 + 0.6 * (set + 1) as f64 * load.min(3.0).powi(4))
}
