//! A city on a drawing board: junctions and roads in metres, before it becomes a network.

use model::{ClassSet, LinkId, VehicleClass};
use roadnet::{BuildError, Defaults, Network, NetworkBuilder, NewLink, NodeIndex, Point, RoadClass};

use super::{METRES_PER_DEGREE, Zone, ZoneKind};

/// Junctions and roads in metres east and north of an origin.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) origin: Point,
    pub(crate) nodes: Vec<Site>,
    pub(crate) roads: Vec<Road>,
}

/// A junction, a bend with a name, or a dead end.
#[derive(Clone, Debug)]
pub(crate) struct Site {
    pub(crate) at: [f64; 2],
    pub(crate) signal: bool,
    pub(crate) zone: Option<ZoneKind>,
}

/// A road between two sites, one link or two.
#[derive(Clone, Debug)]
pub(crate) struct Road {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) from: usize,
    pub(crate) to: usize,
    pub(crate) via: Vec<[f64; 2]>,
    pub(crate) class: RoadClass,
    pub(crate) lanes: f32,
    pub(crate) one_way: bool,
    pub(crate) bridge: bool,
    pub(crate) freight: bool,
}

/// A city that can't be built.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// A line of the table of streets does not read.
    #[error("line {line} of the table of streets: {what}")]
    Table {
        /// Counted from 1.
        line: usize,
        /// What is wrong with it.
        what: String,
    },
    /// The network refused a link.
    #[error("the city's roads make no network")]
    Network(#[from] BuildError),
    /// A generated city needs a few blocks.
    #[error("a generated city has at least {least} links; {asked} asked")]
    TooSmall {
        /// The least that is possible.
        least: usize,
        /// What was asked for.
        asked: usize,
    },
}

impl Plan {
    /// Turns the drawing into a network and its zones.
    pub(crate) fn build(self) -> Result<(Network, Vec<Zone>), PlanError> {
        let mut builder = NetworkBuilder::default();
        let origin = self.origin;
        for (i, site) in self.nodes.iter().enumerate() {
            builder.add_node(format!("n{i}"), on_globe(origin, site.at), site.signal);
        }
        for road in &self.roads {
            builder.add_link(self.link(road, Way::Forward))?;
            if !road.one_way {
                builder.add_link(self.link(road, Way::Back))?;
            }
        }
        let zones = self
            .nodes
            .iter()
            .enumerate()
            .filter_map(|(i, site)| Some(Zone { node: NodeIndex(i as u32), kind: site.zone?, weight: 1.0 }))
            .collect();
        Ok((builder.build(), zones))
    }

    fn link(&self, road: &Road, way: Way) -> NewLink {
        let mut line: Vec<Point> = std::iter::once(self.nodes[road.from].at)
            .chain(road.via.iter().copied())
            .chain([self.nodes[road.to].at])
            .map(|at| on_globe(self.origin, at))
            .collect();
        let (mut from, mut to, suffix) = (road.from, road.to, way.suffix());
        if way == Way::Back {
            line.reverse();
            std::mem::swap(&mut from, &mut to);
        }
        NewLink {
            id: LinkId::from(format!("{}{suffix}", road.id).as_str()),
            from: NodeIndex(from as u32),
            to: NodeIndex(to as u32),
            geometry: line,
            length_m: None,
            class: road.class,
            lanes: road.lanes,
            width_m: road.lanes * lane_width_m(road.class),
            speed_limit_kmh: speed_limit_kmh(road.class),
            defaults: Defaults::default(),
            allowed: allowed(road),
            name: road.name.as_str().into(),
            signal_at_end: self.nodes[to].signal,
            gives_way: None,
            roundabout: false,
            bridge: road.bridge,
            tunnel: false,
            conditions: Vec::new(),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Forward,
    Back,
}

impl Way {
    const fn suffix(self) -> &'static str {
        match self {
            Self::Forward => "f",
            Self::Back => "b",
        }
    }
}

fn on_globe(origin: Point, [east, north]: [f64; 2]) -> Point {
    let lat = origin.lat + north / METRES_PER_DEGREE;
    let lon = origin.lon + east / (METRES_PER_DEGREE * origin.lat.to_radians().cos());
    // Seven digits are a centimetre: the same number on every machine, whatever its cosine's last bit.
    Point { lon: (lon * 1e7).round() / 1e7, lat: (lat * 1e7).round() / 1e7 }
}

/// Vietnamese design widths (TCVN 4054:2005, TCXDVN 104:2007): 3.75 m on fast roads, 3.5 m in town, less in old streets.
fn lane_width_m(class: RoadClass) -> f32 {
    match class {
        RoadClass::Motorway | RoadClass::Trunk => 3.75,
        RoadClass::Primary | RoadClass::Secondary => 3.5,
        RoadClass::Tertiary => 4.0,
        RoadClass::Alley => 1.5,
        _ => 3.0,
    }
}

/// Vietnamese limits: 50 km/h in towns, 60 on divided streets, 80 and more outside (Circular 31/2019/TT-BGTVT).
fn speed_limit_kmh(class: RoadClass) -> f32 {
    match class {
        RoadClass::Motorway => 100.0,
        RoadClass::Trunk => 70.0,
        RoadClass::Primary => 60.0,
        RoadClass::Secondary => 50.0,
        RoadClass::Alley => 25.0,
        _ => 40.0,
    }
}

fn allowed(road: &Road) -> ClassSet {
    use VehicleClass::{Bicycle, Bus, Car, Motorcycle, Trailer, Truck, TwoWheeler, Van};
    let light = [Car, Van, Bus, Truck];
    let two_wheels = [Motorcycle, Bicycle, TwoWheeler];
    let set = |classes: &[VehicleClass]| ClassSet::of(classes);
    match road.class {
        RoadClass::Alley => set(&two_wheels),
        RoadClass::Motorway => set(&light).with(Trailer),
        _ => {
            let all = light.into_iter().chain(two_wheels).fold(ClassSet::NONE, ClassSet::with);
            if road.freight { all.with(Trailer) } else { all }
        }
    }
}
