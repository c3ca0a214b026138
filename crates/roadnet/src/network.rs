//! The network itself: look-ups by name, by turn and by place.

use std::fmt;

use model::LinkId;
use rustc_hash::FxHashMap;

use crate::locate::{LinkTree, link_tree};
use crate::rows::Rows;
use crate::{BoundingBox, Link, LinkIndex, Node, NodeIndex, Point};

/// The roads, before anything is indexed.
#[derive(Clone, Debug)]
pub(crate) struct Graph {
    pub(crate) nodes: Vec<Node>,
    pub(crate) links: Vec<Link>,
    pub(crate) geometry: Rows<Point>,
    /// Per link, the links that may follow it.
    pub(crate) turns: Rows<LinkIndex>,
}

/// Content hash of a network.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct NetworkVersion(pub [u8; 16]);

impl fmt::Display for NetworkVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// The road graph of a city; immutable.
#[derive(Debug)]
pub struct Network {
    graph: Graph,
    bounds: Vec<BoundingBox>,
    tree: LinkTree,
    upstream: Rows<LinkIndex>,
    by_id: FxHashMap<LinkId, LinkIndex>,
    version: NetworkVersion,
}

/// A link near a point.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Located {
    /// The link.
    pub link: LinkIndex,
    /// From the point to the nearest place on the link.
    pub distance_m: f32,
    /// From the link's start to that place.
    pub offset_m: f32,
}

impl Network {
    pub(crate) fn assemble(graph: Graph, version: NetworkVersion) -> Self {
        let mut upstream = vec![Vec::new(); graph.links.len()];
        for (i, turns) in graph.turns.iter().enumerate() {
            for into in turns {
                upstream[into.index()].push(LinkIndex(i as u32));
            }
        }
        let by_id =
            graph.links.iter().enumerate().map(|(i, link)| (link.id.clone(), LinkIndex(i as u32))).collect();
        let around = |line: &[Point]| BoundingBox::around(line.iter().copied());
        let bounds: Vec<_> =
            graph.geometry.iter().map(|line| around(line).expect("each link has two vertices")).collect();
        let tree = link_tree(&bounds);
        Self { bounds, tree, upstream: upstream.into_iter().collect(), by_id, version, graph }
    }

    pub(crate) fn graph(&self) -> &Graph {
        &self.graph
    }

    /// Returns the content hash.
    pub fn version(&self) -> NetworkVersion {
        self.version
    }

    /// Returns all links; a [`LinkIndex`] is a place in this slice.
    pub fn links(&self) -> &[Link] {
        &self.graph.links
    }

    /// Yields the indices of all links.
    pub fn indices(&self) -> impl ExactSizeIterator<Item = LinkIndex> + use<> {
        (0..self.graph.links.len() as u32).map(LinkIndex)
    }

    /// Returns all nodes; a [`NodeIndex`] is a place in this slice.
    pub fn nodes(&self) -> &[Node] {
        &self.graph.nodes
    }

    /// Returns a link.
    ///
    /// # Panics
    /// When the index is of another network.
    #[inline]
    pub fn link(&self, link: LinkIndex) -> &Link {
        &self.graph.links[link.index()]
    }

    /// Returns a node.
    ///
    /// # Panics
    /// When the index is of another network.
    pub fn node(&self, node: NodeIndex) -> &Node {
        &self.graph.nodes[node.index()]
    }

    /// Returns a link's vertices from start to end, at least two.
    #[inline]
    pub fn geometry(&self, link: LinkIndex) -> &[Point] {
        self.graph.geometry.row(link.index())
    }

    /// Returns the link of that name.
    pub fn find(&self, id: &str) -> Option<LinkIndex> {
        self.by_id.get(id).copied()
    }

    /// Returns the links that may follow this one.
    #[inline]
    pub fn downstream(&self, link: LinkIndex) -> &[LinkIndex] {
        self.graph.turns.row(link.index())
    }

    /// Returns the links that this one may follow.
    #[inline]
    pub fn upstream(&self, link: LinkIndex) -> &[LinkIndex] {
        self.upstream.row(link.index())
    }

    /// Returns a box around all of it; `None` when it has no link.
    pub fn bounds(&self) -> Option<BoundingBox> {
        BoundingBox::around(self.bounds.iter().flat_map(|b| [b.min, b.max]))
    }

    /// Returns the box around a link.
    pub fn link_bounds(&self, link: LinkIndex) -> &BoundingBox {
        &self.bounds[link.index()]
    }

    pub(crate) fn tree(&self) -> &LinkTree {
        &self.tree
    }

    /// Returns the log partition of a link: a function of where the link starts alone, so that neighbours share one
    /// and a new version of the map moves no link that stays where it is.
    pub fn partition(&self, link: LinkIndex, partitions: u32) -> u32 {
        /// About 2.2 km: small enough to spread a city over the partitions, large enough to keep most turns inside.
        const CELL_DEG: f64 = 0.02;
        let start = self.geometry(link)[0];
        let (column, row) = ((start.lon / CELL_DEG).floor() as i64, (start.lat / CELL_DEG).floor() as i64);
        let mixed = (column as u64)
            .wrapping_mul(0x9E37_79B9_7F4A_7C15)
            .rotate_left(29)
            .wrapping_add(row as u64)
            .wrapping_mul(0xBF58_476D_1CE4_E5B9);
        ((mixed >> 32) % u64::from(partitions.max(1))) as u32
    }
}
