//! What a traffic engineer expects of the model: see each test's name.

mod city_wide;
mod crossing;
mod one_link;

use std::num::NonZeroUsize;

use model::VehicleClass;
use roadnet::{LinkIndex, Point, RoadClass};

use super::*;
use crate::city::{Plan, Road, Site, ZoneKind};

/// A car that has just set out.
fn car(id: u64) -> Vehicle {
    Vehicle { id, ..motorcycle_like(VehicleClass::Car) }
}

fn motorcycle(id: u64) -> Vehicle {
    Vehicle { id, ..motorcycle_like(VehicleClass::Motorcycle) }
}

fn motorcycle_like(class: VehicleClass) -> Vehicle {
    Vehicle { id: 0, class, at_m: 0.0, was_m: 0.0, speed_mps: 0.0, tree: 0, arriving: None, blocked_s: 0 }
}

fn road(id: &str, from: usize, to: usize, class: RoadClass, lanes: f32) -> Road {
    Road {
        id: id.to_owned(),
        name: id.to_owned(),
        from,
        to,
        via: Vec::new(),
        class,
        lanes,
        one_way: true,
        bridge: false,
        freight: false,
    }
}

fn site(at: [f64; 2], zone: Option<ZoneKind>) -> Site {
    Site { at, signal: false, zone }
}

fn city(nodes: Vec<Site>, roads: Vec<Road>) -> City {
    let (network, zones) = Plan { origin: Point { lon: 108.0, lat: 20.0 }, nodes, roads }.build().unwrap();
    City { title: "a test".to_owned(), network, registry: roadnet::Registry::default(), zones }
}

/// Traffic without departures of its own.
fn quiet(city: &City) -> Traffic<'_> {
    Traffic::new(city, 1, 0.0, 7.0, NonZeroUsize::MIN)
}

/// Lets a vehicle wait to enter the link on its way to the last zone.
fn set_out(traffic: &mut Traffic<'_>, first: LinkIndex, vehicle: Vehicle) {
    let way = |tree: usize| traffic.demand.trees[tree].at(&traffic.city.network, first);
    let group = routes::Group::of(vehicle.class) as usize;
    let tree = (0..traffic.demand.trees.len())
        .find(|&tree| tree % 3 == group && way(tree) != routes::Way::None)
        .expect("some zone is reached from the link");
    traffic.began += 1;
    traffic.waiting[0].push_back((Vehicle { tree: tree as u16, ..vehicle }, first));
}
