//! Cities to simulate: the demo city and generated ones.

mod demo;
mod export;
mod names;
mod plan;
mod sensors;
mod sketch;
mod synthetic;

use roadnet::{Network, NodeIndex, Point, Registry};

pub use demo::demo;
pub use export::{export, sensors_csv};
pub use plan::PlanError;
pub use sensors::{Instruments, equip};
pub use synthetic::synthetic;

pub(crate) use plan::{Plan, Road, Site};
pub(crate) use sensors::FLEETS;

/// A road network with what a simulation needs beside it.
#[derive(Debug)]
pub struct City {
    /// What it is called where it is shown; says when it is a schematic or made up.
    pub title: String,
    /// Its roads.
    pub network: Network,
    /// Its devices.
    pub registry: Registry,
    /// Where trips begin and end.
    pub zones: Vec<Zone>,
}

/// Where trips begin and end.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Zone {
    /// Its junction.
    pub node: NodeIndex,
    /// What is there.
    pub kind: ZoneKind,
    /// How many trips, relative to the other zones of its kind.
    pub weight: f64,
}

/// What is at the ends of trips.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum ZoneKind {
    /// Houses and shops along a street.
    Quarter,
    /// Offices, schools and markets: trips end there in the morning.
    Centre,
    /// A road leaves the map.
    Gate,
    /// A container terminal.
    Port,
}

/// Returns the point that many metres from the line's start, and the direction there in degrees clockwise from north.
pub(crate) fn along(line: &[Point], offset_m: f64) -> (Point, f64) {
    let mut left = offset_m.max(0.0);
    let mut end = (line[0], 0.0);
    for pair in line.windows(2) {
        let (east, north) = metres(pair[0], pair[1]);
        let length = east.hypot(north);
        let heading = east.atan2(north).to_degrees().rem_euclid(360.0);
        if left <= length && length > 0.0 {
            let share = left / length;
            let lon = pair[0].lon + (pair[1].lon - pair[0].lon) * share;
            let lat = pair[0].lat + (pair[1].lat - pair[0].lat) * share;
            return (Point { lon, lat }, heading);
        }
        left -= length;
        end = (pair[1], heading);
    }
    end
}

/// Returns how far east and north the second point lies, in metres on a plane that touches the globe there.
pub(crate) fn metres(from: Point, to: Point) -> (f64, f64) {
    let north = (to.lat - from.lat) * METRES_PER_DEGREE;
    let east = (to.lon - from.lon) * METRES_PER_DEGREE * ((from.lat + to.lat) / 2.0).to_radians().cos();
    (east, north)
}

/// The mean length of a degree of latitude; a city is too small for the ellipsoid to matter.
pub(crate) const METRES_PER_DEGREE: f64 = 111_195.0;

#[cfg(test)]
mod tests;
