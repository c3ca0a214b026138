//! Puts a [`Network`] together from what an importer found.

use compact_str::CompactString;
use model::{ClassSet, LinkId, VehicleClass};
use rustc_hash::{FxHashMap, FxHashSet};

use crate::network::Graph;
use crate::rows::Rows;
use crate::{Defaults, Link, LinkIndex, Network, Node, NodeIndex, Point, RoadClass};

/// Collects nodes, links and forbidden turns; [`NetworkBuilder::build`] makes them immutable.
#[derive(Default)]
pub struct NetworkBuilder {
    nodes: Vec<Node>,
    links: Vec<Link>,
    geometry: Rows<Point>,
    by_id: FxHashMap<LinkId, LinkIndex>,
    forbidden: FxHashSet<(LinkIndex, LinkIndex)>,
    only: FxHashMap<LinkIndex, Vec<LinkIndex>>,
}

/// One link as an importer hands it over.
#[derive(Clone, Debug)]
pub struct NewLink {
    /// Its name.
    pub id: LinkId,
    /// Where it starts.
    pub from: NodeIndex,
    /// Where it ends.
    pub to: NodeIndex,
    /// Vertices from start to end, at least two; kept to 10⁻⁷ degrees.
    pub geometry: Vec<Point>,
    /// Length where the map knows better than the geometry; else computed on the ellipsoid.
    pub length_m: Option<f32>,
    /// How important the road is.
    pub class: RoadClass,
    /// Lanes of this direction.
    pub lanes: f32,
    /// Width of this direction.
    pub width_m: f32,
    /// Posted limit.
    pub speed_limit_kmh: f32,
    /// Which of these the map did not say.
    pub defaults: Defaults,
    /// Which vehicles may use it.
    pub allowed: ClassSet,
    /// Street name.
    pub name: CompactString,
    /// A traffic light stands at its end.
    pub signal_at_end: bool,
    /// Whether those who come to its end give way, where the map says it.
    pub gives_way: Option<bool>,
    /// Part of a roundabout.
    pub roundabout: bool,
    /// On a bridge.
    pub bridge: bool,
    /// In a tunnel.
    pub tunnel: bool,
    /// Conditional tags.
    pub conditions: Vec<CompactString>,
}

impl NewLink {
    /// Returns a main street of two lanes, 50 km/h, open to all, as long as its geometry, with nothing else to say of it: for networks that
    /// are made up. An importer says what its map does not.
    pub fn street(id: LinkId, from: NodeIndex, to: NodeIndex, geometry: Vec<Point>) -> Self {
        Self {
            id,
            from,
            to,
            geometry,
            length_m: None,
            class: RoadClass::Primary,
            lanes: 2.0,
            width_m: 7.0,
            speed_limit_kmh: 50.0,
            defaults: Defaults::default(),
            allowed: ClassSet::of(&VehicleClass::ALL),
            name: CompactString::default(),
            signal_at_end: false,
            gives_way: None,
            roundabout: false,
            bridge: false,
            tunnel: false,
            conditions: Vec::new(),
        }
    }
}

/// Why a link could not be taken.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum BuildError {
    /// Two links have one name.
    #[error("link id {0} is used twice")]
    DuplicateLink(LinkId),
    /// A link needs a start and an end that differ or a path between.
    #[error("link {0} has fewer than two vertices")]
    NoGeometry(LinkId),
    /// A vertex is no place.
    #[error("link {0} has a vertex that is not within 180 degrees east or west and 90 north or south")]
    OffTheGlobe(LinkId),
    /// A number is not finite or out of its range.
    #[error("link {id}: {what} is {value}")]
    BadNumber {
        /// The link.
        id: LinkId,
        /// Which attribute.
        what: &'static str,
        /// Its value.
        value: f64,
    },
    /// More links than indices.
    #[error("more than 4 thousand million links")]
    TooMany,
}

impl NetworkBuilder {
    /// Adds a node.
    pub fn add_node(&mut self, id: impl Into<CompactString>, point: Point, signal: bool) -> NodeIndex {
        self.nodes.push(Node { id: id.into(), point: point.rounded(), signal });
        NodeIndex((self.nodes.len() - 1) as u32)
    }

    /// Adds a link between nodes that were added before.
    ///
    /// # Errors
    /// When its name is taken, its geometry is no line on the globe, or a number is not physical; nothing is added then.
    pub fn add_link(&mut self, new: NewLink) -> Result<LinkIndex, BuildError> {
        if self.by_id.contains_key(&new.id) {
            return Err(BuildError::DuplicateLink(new.id));
        }
        if new.geometry.len() < 2 {
            return Err(BuildError::NoGeometry(new.id));
        }
        if !new.geometry.iter().all(|vertex| vertex.is_on_globe()) {
            return Err(BuildError::OffTheGlobe(new.id));
        }
        let length_m = new.length_m.unwrap_or_else(|| crate::point::length_m(&new.geometry) as f32);
        for (what, value) in [
            ("length_m", length_m),
            ("lanes", new.lanes),
            ("width_m", new.width_m),
            ("speed_limit_kmh", new.speed_limit_kmh),
        ] {
            if !(value.is_finite() && value > 0.0) {
                return Err(BuildError::BadNumber { id: new.id, what, value: f64::from(value) });
            }
        }
        let index = LinkIndex(u32::try_from(self.links.len()).map_err(|_| BuildError::TooMany)?);
        self.by_id.insert(new.id.clone(), index);
        self.geometry.push(new.geometry.into_iter().map(Point::rounded));
        self.links.push(Link {
            id: new.id,
            from: new.from,
            to: new.to,
            length_m,
            class: new.class,
            lanes: new.lanes,
            width_m: new.width_m,
            speed_limit_kmh: new.speed_limit_kmh,
            defaults: new.defaults,
            allowed: new.allowed,
            name: new.name,
            signal_at_end: new.signal_at_end,
            gives_way: new.gives_way,
            roundabout: new.roundabout,
            bridge: new.bridge,
            tunnel: new.tunnel,
            conditions: new.conditions,
        });
        Ok(index)
    }

    /// Returns the link of that name.
    pub fn find(&self, id: &str) -> Option<LinkIndex> {
        self.by_id.get(&LinkId::from(id)).copied()
    }

    /// Yields the links that were added so far, in that order.
    pub fn link_ids(&self) -> impl Iterator<Item = (LinkId, LinkIndex)> {
        self.links.iter().enumerate().map(|(i, link)| (link.id.clone(), LinkIndex(i as u32)))
    }

    /// Forbids the turn from one link into another.
    pub fn forbid_turn(&mut self, from: LinkIndex, into: LinkIndex) {
        self.forbidden.insert((from, into));
    }

    /// Allows from `from` only the turns that are given so (several calls add up).
    pub fn only_turn(&mut self, from: LinkIndex, into: LinkIndex) {
        self.only.entry(from).or_default().push(into);
    }

    /// Allows from `from` only the turns that [`NetworkBuilder::only_turn`] names, none if it names none: for maps that
    /// list each turn.
    pub fn only_listed_turns(&mut self, from: LinkIndex) {
        self.only.entry(from).or_default();
    }

    /// Makes the network. A turn back into the opposite direction of the same road is allowed only where there is no
    /// other way on, or where `only_turn` names it.
    pub fn build(self) -> Network {
        let mut leaving: Vec<Vec<LinkIndex>> = vec![Vec::new(); self.nodes.len()];
        for (i, link) in self.links.iter().enumerate() {
            leaving[link.from.index()].push(LinkIndex(i as u32));
        }
        let turns = (0..self.links.len())
            .map(|i| {
                let from = LinkIndex(i as u32);
                let all = &leaving[self.links[i].to.index()];
                let legal: Vec<_> = all.iter().copied().filter(|&into| self.allows(from, into)).collect();
                let onward: Vec<_> =
                    legal.iter().copied().filter(|&into| !self.is_u_turn(from, into)).collect();
                let named = self.only.contains_key(&from);
                if onward.is_empty() || named { legal } else { onward }
            })
            .collect();
        let graph = Graph { nodes: self.nodes, links: self.links, geometry: self.geometry, turns };
        let version = crate::file::version_of_graph(&graph);
        Network::assemble(graph, version)
    }

    fn allows(&self, from: LinkIndex, into: LinkIndex) -> bool {
        !self.forbidden.contains(&(from, into))
            && self.only.get(&from).is_none_or(|only| only.contains(&into))
    }

    fn is_u_turn(&self, from: LinkIndex, into: LinkIndex) -> bool {
        let (a, b) = (self.geometry.row(from.index()), self.geometry.row(into.index()));
        self.links[from.index()].from == self.links[into.index()].to && a.iter().eq(b.iter().rev())
    }
}
