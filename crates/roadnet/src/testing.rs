//! The smallest networks that show something, for unit tests.

use model::{ClassSet, VehicleClass};

use crate::{Defaults, Network, NetworkBuilder, NewLink, NodeIndex, Point, RoadClass};

pub(crate) fn line(vertices: &[(f64, f64)]) -> Vec<Point> {
    vertices.iter().map(|&(lon, lat)| Point { lon, lat }).collect()
}

pub(crate) fn link(id: &str, from: NodeIndex, to: NodeIndex, geometry: Vec<Point>) -> NewLink {
    NewLink {
        id: id.into(),
        from,
        to,
        geometry,
        length_m: None,
        class: RoadClass::Residential,
        lanes: 1.0,
        width_m: 3.0,
        speed_limit_kmh: 30.0,
        defaults: Defaults::default(),
        allowed: ClassSet::of(&[VehicleClass::Motorcycle, VehicleClass::Car]),
        name: "".into(),
        signal_at_end: false,
        gives_way: None,
        roundabout: false,
        bridge: false,
        tunnel: false,
        conditions: Vec::new(),
    }
}

/// 104 m along a parallel, links `east` and `west`.
pub(crate) fn two_way_street() -> Network {
    let mut builder = NetworkBuilder::default();
    let vertices = [(106.68, 20.86), (106.681, 20.86)];
    let [a, b] = vertices.map(|(lon, lat)| builder.add_node(format!("{lon}"), Point { lon, lat }, false));
    builder.add_link(link("east", a, b, line(&vertices))).unwrap();
    builder.add_link(link("west", b, a, line(&[vertices[1], vertices[0]]))).unwrap();
    builder.build()
}

/// One link per line; coordinates are steps of 0.0001° from 106° E, 20° N.
pub(crate) fn network_of(lines: &[Vec<(u8, u8)>]) -> Network {
    let mut builder = NetworkBuilder::default();
    for (i, steps) in lines.iter().enumerate() {
        let place =
            |&(x, y): &(u8, u8)| Point { lon: 106.0 + f64::from(x) * 1e-4, lat: 20.0 + f64::from(y) * 1e-4 };
        let geometry: Vec<_> = steps.iter().map(place).collect();
        let from = builder.add_node(format!("{i}a"), geometry[0], false);
        let to = builder.add_node(format!("{i}b"), geometry[geometry.len() - 1], false);
        let mut new = link(&format!("l{i}"), from, to, geometry);
        new.length_m = Some(100.0);
        builder.add_link(new).unwrap();
    }
    builder.build()
}
