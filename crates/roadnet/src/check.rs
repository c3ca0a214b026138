//! Looks for what is probably wrong with a network.

use petgraph::algo::kosaraju_scc;
use petgraph::graph::DiGraph;
use petgraph::unionfind::UnionFind;

use crate::point::{LocalFrame, length_m};
use crate::{BoundingBox, LinkIndex, Network, Point, RoadClass};

/// Something that looks wrong, and the links that it concerns, by index.
#[derive(Clone, PartialEq, Debug)]
pub struct Finding {
    /// What.
    pub fault: Fault,
    /// Where.
    pub links: Vec<LinkIndex>,
}

/// What can look wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// No class of vehicle may use it.
    NobodyAllowed,
    /// So short that it is hardly a road.
    NoLength,
    /// Much shorter or longer than it is drawn.
    LengthDisagrees,
    /// A limit that is hardly one.
    OddSpeed,
    /// More lanes, or wider or narrower ones, than roads have.
    OddLanes,
    /// No way on from its end, inside the map.
    NoExit,
    /// No way to its start, inside the map.
    NoEntry,
    /// Ends so near another road that it probably should join it.
    AlmostJoined,
    /// Not both reachable from the main part of the network and leading to it.
    Apart,
}

impl Fault {
    /// All, gravest first.
    pub const ALL: [Self; 9] = [
        Self::NobodyAllowed,
        Self::NoLength,
        Self::LengthDisagrees,
        Self::NoExit,
        Self::NoEntry,
        Self::AlmostJoined,
        Self::Apart,
        Self::OddSpeed,
        Self::OddLanes,
    ];

    /// Says what is wrong with such links.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::NobodyAllowed => "no vehicle is allowed on them",
            Self::NoLength => "shorter than 1 m",
            Self::LengthDisagrees => "length and drawing differ by more than a fifth and 20 m",
            Self::OddSpeed => "limit below 5 or above 130 km/h",
            Self::OddLanes => "more than 8 lanes, or lanes narrower than 1.5 m or wider than 8 m",
            Self::NoExit => "no way on from their end, and not at the map's edge",
            Self::NoEntry => "no way to their start, and not at the map's edge",
            Self::AlmostJoined => "a dead end within 3 m of another road that it does not join",
            Self::Apart => "not connected both ways with the main part of the network",
        }
    }
}

/// Within this share of the map's extent, and at most this far, from its border a road may well go on outside.
const EDGE_SHARE: f64 = 0.05;
/// See [`EDGE_SHARE`].
const EDGE_M: f64 = 200.0;
/// Mappers' slips are smaller than this; a street and the one beside it are farther apart.
const JOIN_M: f32 = 3.0;

/// Returns what looks wrong, gravest first.
pub fn check(network: &Network) -> Vec<Finding> {
    let by_fault = |fault: Fault| {
        let links = match fault {
            Fault::Apart => apart(network),
            Fault::NoExit => ends(network, |link| network.downstream(link).is_empty(), Place::End),
            Fault::NoEntry => ends(network, |link| network.upstream(link).is_empty(), Place::Start),
            Fault::AlmostJoined => network.indices().filter(|&link| almost_joined(network, link)).collect(),
            other => network.indices().filter(|&link| has(network, link, other)).collect(),
        };
        Finding { fault, links }
    };
    Fault::ALL.into_iter().map(by_fault).filter(|finding| !finding.links.is_empty()).collect()
}

/// Returns how many links each part of the network has that no link joins with another, largest first.
pub fn components(network: &Network) -> Vec<usize> {
    let mut parts = UnionFind::<u32>::new(network.nodes().len());
    for link in network.links() {
        parts.union(link.from.0, link.to.0);
    }
    let mut sizes = vec![0; network.nodes().len()];
    for link in network.links() {
        sizes[parts.find(link.from.0) as usize] += 1;
    }
    sizes.retain(|&size| size > 0);
    sizes.sort_unstable_by(|a, b| b.cmp(a));
    sizes
}

fn has(network: &Network, index: LinkIndex, fault: Fault) -> bool {
    let link = network.link(index);
    match fault {
        Fault::NobodyAllowed => link.allowed.is_empty(),
        Fault::NoLength => link.length_m < 1.0,
        Fault::LengthDisagrees => {
            let (said, drawn) = (f64::from(link.length_m), length_m(network.geometry(index)));
            (said - drawn).abs() > 20.0 && (said - drawn).abs() > 0.2 * drawn
        }
        Fault::OddSpeed => !(5.0..=130.0).contains(&link.speed_limit_kmh),
        Fault::OddLanes => link.lanes > 8.0 || !(1.5..=8.0).contains(&(link.width_m / link.lanes)),
        _ => false,
    }
}

#[derive(Clone, Copy)]
enum Place {
    Start,
    End,
}

fn ends(network: &Network, stuck: impl Fn(LinkIndex) -> bool, place: Place) -> Vec<LinkIndex> {
    let Some(bounds) = network.bounds() else { return Vec::new() };
    let inside = |&link: &LinkIndex| {
        let line = network.geometry(link);
        let vertex = match place {
            Place::Start => line.first(),
            Place::End => line.last(),
        };
        vertex.is_some_and(|&vertex| !at_edge(&bounds, vertex))
    };
    network.indices().filter(|&link| stuck(link)).filter(inside).collect()
}

fn at_edge(bounds: &BoundingBox, point: Point) -> bool {
    let frame = LocalFrame::at(point);
    let ([west, south], [east, north]) = (frame.to_metres(bounds.min), frame.to_metres(bounds.max));
    let near = |low: f64, high: f64| (-low).min(high) <= EDGE_M.min(EDGE_SHARE * (high - low));
    near(west, east) || near(south, north)
}

/// Tells whether a link ends where nothing but itself goes on, just beside a road.
fn almost_joined(network: &Network, index: LinkIndex) -> bool {
    let link = network.link(index);
    let back = |next: &LinkIndex| network.link(*next).to == link.from;
    // An alley may well end at a wall behind which a street runs.
    if link.class == RoadClass::Alley || !network.downstream(index).iter().all(back) {
        return false;
    }
    let Some(&end) = network.geometry(index).last() else { return false };
    // Bridges and tunnels pass over and under roads that they do not meet.
    let level = |other: LinkIndex| (network.link(other).bridge, network.link(other).tunnel);
    network.locate(end, JOIN_M, None).into_iter().any(|other| {
        let road = network.link(other.link);
        let touches = [road.from, road.to].iter().any(|node| [link.from, link.to].contains(node));
        !touches && level(other.link) == level(index)
    })
}

/// Returns the links outside the largest set of nodes in which each can be reached from each.
///
/// Turns are left aside: without U-turns the two directions of a ring road never meet, and nothing is wrong with that.
fn apart(network: &Network) -> Vec<LinkIndex> {
    let mut graph = DiGraph::<(), (), u32>::with_capacity(network.nodes().len(), network.links().len());
    let nodes: Vec<_> = network.nodes().iter().map(|_| graph.add_node(())).collect();
    for link in network.links() {
        graph.add_edge(nodes[link.from.index()], nodes[link.to.index()], ());
    }
    let parts = kosaraju_scc(&graph);
    let Some(main) = parts.iter().max_by_key(|part| part.len()) else { return Vec::new() };
    let mut inside = vec![false; nodes.len()];
    for node in main {
        inside[node.index()] = true;
    }
    let outside = |link: &LinkIndex| {
        let link = network.link(*link);
        !(inside[link.from.index()] && inside[link.to.index()])
    };
    network.indices().filter(outside).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{line, link};
    use crate::{NetworkBuilder, NodeIndex};

    /// A ring of four two-way streets, 1 km each, and what `add` puts inside it.
    fn ring(add: impl FnOnce(&mut NetworkBuilder, &[NodeIndex])) -> Network {
        let mut builder = NetworkBuilder::default();
        let corners = [(106.0, 20.0), (106.01, 20.0), (106.01, 20.01), (106.0, 20.01)];
        let nodes = corners.map(|(lon, lat)| builder.add_node("", Point { lon, lat }, false));
        for i in 0..4 {
            let j = (i + 1) % 4;
            let way = line(&[corners[i], corners[j]]);
            builder.add_link(link(&format!("{i}f"), nodes[i], nodes[j], way.clone())).unwrap();
            let back = way.into_iter().rev().collect();
            builder.add_link(link(&format!("{i}b"), nodes[j], nodes[i], back)).unwrap();
        }
        add(&mut builder, &nodes);
        builder.build()
    }

    fn found(network: &Network) -> Vec<(Fault, Vec<&str>)> {
        let id = |&index: &LinkIndex| network.link(index).id.as_str();
        check(network).iter().map(|f| (f.fault, f.links.iter().map(id).collect())).collect()
    }

    #[test]
    fn a_sound_network_has_no_findings() {
        let network = ring(|_, _| {});
        assert_eq!(found(&network), []);
        assert_eq!(components(&network), [8]);
    }

    #[test]
    fn a_street_that_leads_nowhere_is_found() {
        let network = ring(|builder, nodes| {
            let middle = Point { lon: 106.005, lat: 20.005 };
            let node = builder.add_node("", middle, false);
            let way = line(&[(106.0, 20.0), (middle.lon, middle.lat)]);
            builder.add_link(link("trap", nodes[0], node, way)).unwrap();
        });
        assert_eq!(found(&network), [(Fault::NoExit, vec!["trap"]), (Fault::Apart, vec!["trap"])]);
    }

    #[test]
    fn a_street_that_stops_just_before_another_is_found() {
        let network = ring(|builder, nodes| {
            // Two metres south of the northern street.
            let end = Point { lon: 106.005, lat: 20.01 - 0.00002 };
            let node = builder.add_node("", end, false);
            let way = line(&[(106.0, 20.0), (end.lon, end.lat)]);
            builder.add_link(link("in", nodes[0], node, way.clone())).unwrap();
            builder.add_link(link("out", node, nodes[0], way.into_iter().rev().collect())).unwrap();
        });
        assert_eq!(found(&network), [(Fault::AlmostJoined, vec!["in"])]);
    }

    #[test]
    fn odd_values_are_found() {
        let network = ring(|builder, nodes| {
            let mut odd = link("odd", nodes[0], nodes[1], line(&[(106.0, 20.0), (106.01, 20.0)]));
            (odd.speed_limit_kmh, odd.lanes, odd.length_m) = (250.0, 12.0, Some(300.0));
            odd.allowed = model::ClassSet::NONE;
            builder.add_link(odd).unwrap();
        });
        let faults: Vec<_> = found(&network).into_iter().map(|(fault, _)| fault).collect();
        assert_eq!(faults, [Fault::NobodyAllowed, Fault::LengthDisagrees, Fault::OddSpeed, Fault::OddLanes]);
    }
}
