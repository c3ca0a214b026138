//! SUMO networks (`.net.xml`): an edge becomes a link of the same name, a connection becomes a turn.
//!
//! SUMO's edges inside junctions, pavements, crossings and rails are left out. A link is as long as its longest lane
//! (lanes end at the stop line), as fast as its fastest lane, and drawn as its middle lane is.

mod classes;
mod net;
mod projection;
mod road_class;

use std::io::BufRead;

use compact_str::CompactString;
use model::LinkId;
use rustc_hash::FxHashMap;

use self::net::{Edge, Lane, Net};
use self::projection::Projection;
use super::report::Tallies;
use super::{Failure, Imported};
use crate::{Defaults, NetworkBuilder, NewLink, NodeIndex, Point};

/// SUMO's lane width where the net gives none (its `SUMO_const_laneWidth`).
const DEFAULT_LANE_WIDTH_M: f32 = 3.2;

pub(super) fn read(from: impl BufRead) -> Result<Imported, Failure> {
    let net = net::parse(from)?;
    let projection =
        Projection::parse(&net.projection).ok_or_else(|| Failure::Projection(net.projection.clone()))?;
    let mut tallies = Tallies::default();
    if matches!(projection, Projection::Nowhere(_)) {
        tallies.noted.add("net without a projection: placed in metres from 0° N, 0° E", "");
    }
    let mut import = Import { net, projection, builder: NetworkBuilder::default(), tallies };
    let nodes = import.add_nodes();
    import.add_links(&nodes);
    import.add_turns();
    Ok(Imported { network: import.builder.build(), report: import.tallies.report() })
}

struct Import {
    net: Net,
    projection: Projection,
    builder: NetworkBuilder,
    tallies: Tallies,
}

type Nodes = FxHashMap<CompactString, NodeIndex>;

impl Import {
    /// Adds the junctions at which a kept edge starts or ends.
    fn add_nodes(&mut self) -> Nodes {
        let mut nodes = Nodes::default();
        let junctions = &self.net.junctions;
        self.tallies.read.count("junctions", junctions.len());
        let edges = self.net.edges.iter().filter(|edge| edge.dropped_because().is_none());
        for name in edges.flat_map(|edge| [&edge.from, &edge.to]) {
            if let (false, Some(junction)) = (nodes.contains_key(name), junctions.get(name)) {
                let point = self.projection.point(junction.position);
                nodes.insert(name.clone(), self.builder.add_node(name.clone(), point, junction.signal));
            }
        }
        nodes
    }

    fn add_links(&mut self, nodes: &Nodes) {
        let edges = std::mem::take(&mut self.net.edges);
        self.tallies.read.count("edges", edges.len());
        for edge in edges {
            if let Some(why) = edge.dropped_because() {
                self.tallies.dropped.add(why, &edge.id);
                continue;
            }
            let (Some(&from), Some(&to)) = (nodes.get(&edge.from), nodes.get(&edge.to)) else {
                self.tallies.dropped.add("edges whose junction is not in the file", &edge.id);
                continue;
            };
            if let Err(error) = self.add_link(&edge, from, to) {
                self.tallies.dropped.add("edges with impossible values", error);
            }
        }
    }

    fn add_link(&mut self, edge: &Edge, from: NodeIndex, to: NodeIndex) -> Result<(), crate::BuildError> {
        let lanes = edge.road_lanes();
        let highest = |value: fn(&Lane) -> f32| lanes.iter().map(|lane| value(lane)).fold(0.0, f32::max);
        let speed_limit_kmh = highest(|lane| lane.speed_mps) * 3.6;
        let (class, guessed) = road_class::of(&edge.kind, speed_limit_kmh, lanes.len());
        if guessed {
            self.tallies.noted.add("edges without a road type: class guessed from speed and lanes", &edge.id);
        }
        let width = lanes.iter().map(|lane| lane.width_m.unwrap_or(DEFAULT_LANE_WIDTH_M)).sum();
        let width_known = lanes.iter().all(|lane| lane.width_m.is_some());
        let new = NewLink {
            id: LinkId(edge.id.clone()),
            from,
            to,
            geometry: self.geometry(edge, lanes[lanes.len() / 2]),
            length_m: Some(highest(|lane| lane.length_m)),
            class,
            lanes: lanes.len() as f32,
            width_m: width,
            speed_limit_kmh,
            defaults: Defaults { width: !width_known, ..Defaults::default() },
            allowed: edge.allowed(),
            name: edge.name.clone(),
            signal_at_end: self.net.signalled.contains(&edge.id),
            gives_way: self.net.gives_way(&edge.id),
            roundabout: self.net.roundabouts.contains(&edge.id),
            bridge: false,
            tunnel: false,
            conditions: Vec::new(),
        };
        self.builder.add_link(new).map(drop)
    }

    fn geometry(&self, edge: &Edge, lane: &Lane) -> Vec<Point> {
        let shape = if lane.shape.len() >= 2 { &lane.shape } else { &edge.shape };
        shape.iter().map(|&position| self.projection.point(position)).collect()
    }

    /// SUMO lists each turn, so what it does not list is forbidden.
    fn add_turns(&mut self) {
        for (id, index) in self.builder.link_ids().collect::<Vec<_>>() {
            self.builder.only_listed_turns(index);
            for into in self.net.connections.get(id.as_str()).into_iter().flatten() {
                if let Some(into) = self.builder.find(into) {
                    self.builder.only_turn(index, into);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
