//! Links and nodes.

use compact_str::CompactString;
use model::{ClassSet, LinkId};
use serde::{Deserialize, Serialize};

/// A link's place in its network version: dense, `0..network.links().len()`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct LinkIndex(pub u32);

/// A node's place in its network version: dense, `0..network.nodes().len()`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct NodeIndex(pub u32);

impl LinkIndex {
    /// Returns the place as a vector's index.
    #[inline]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

impl NodeIndex {
    /// Returns the place as a vector's index.
    #[inline]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// One direction of a road between two nodes.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Link {
    /// Its name across network versions.
    pub id: LinkId,
    /// Where it starts.
    pub from: NodeIndex,
    /// Where it ends.
    pub to: NodeIndex,
    /// Along its geometry, on the ellipsoid.
    pub length_m: f32,
    /// How important the road is.
    pub class: RoadClass,
    /// Lanes of this direction; 0.5 where one lane serves both.
    pub lanes: f32,
    /// Carriageway width of this direction.
    pub width_m: f32,
    /// Posted limit.
    pub speed_limit_kmh: f32,
    /// Which of these the map did not say.
    pub defaults: Defaults,
    /// Which vehicles may use it.
    pub allowed: ClassSet,
    /// The street's name; empty when it has none.
    pub name: CompactString,
    /// A traffic light stands at its end.
    pub signal_at_end: bool,
    /// Whether those who come to its end give way to others there, at a sign or by the rank of the roads; `None` where the map does not say.
    pub gives_way: Option<bool>,
    /// Part of a roundabout.
    pub roundabout: bool,
    /// On a bridge.
    pub bridge: bool,
    /// In a tunnel.
    pub tunnel: bool,
    /// Tags that hold only at times or for some (`maxspeed:conditional=…`), as the map gives them: noted, not applied.
    pub conditions: Vec<CompactString>,
}

impl Link {
    /// Returns the time that a lone driver takes at the posted limit, in seconds.
    pub fn free_flow_time_s(&self) -> f64 {
        f64::from(self.length_m) / (f64::from(self.speed_limit_kmh) / 3.6)
    }
}

/// A junction or a dead end.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Node {
    /// Its name in the map.
    pub id: CompactString,
    /// Where it is.
    pub point: crate::Point,
    /// A traffic light stands here.
    pub signal: bool,
}

/// How important a road is: OSM's classes, and `Alley` for what is too narrow for cars.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[repr(u8)]
pub enum RoadClass {
    /// Access-controlled.
    Motorway,
    /// National road.
    Trunk,
    /// Main artery.
    Primary,
    /// Artery.
    Secondary,
    /// Collector.
    Tertiary,
    /// Minor road.
    Unclassified,
    /// Street to live in.
    Residential,
    /// Access to premises.
    Service,
    /// Too narrow for cars: a Vietnamese *ngõ* or *hẻm*.
    Alley,
}

impl RoadClass {
    /// All classes, most important first.
    pub const ALL: [Self; 9] = [
        Self::Motorway,
        Self::Trunk,
        Self::Primary,
        Self::Secondary,
        Self::Tertiary,
        Self::Unclassified,
        Self::Residential,
        Self::Service,
        Self::Alley,
    ];

    /// Returns the name that files use.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Motorway => "motorway",
            Self::Trunk => "trunk",
            Self::Primary => "primary",
            Self::Secondary => "secondary",
            Self::Tertiary => "tertiary",
            Self::Unclassified => "unclassified",
            Self::Residential => "residential",
            Self::Service => "service",
            Self::Alley => "alley",
        }
    }

    /// Returns the class of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.name() == name)
    }
}

/// Which of a link's attributes come from the table by road class because the map is silent.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Defaults {
    /// `lanes`.
    pub lanes: bool,
    /// `width_m`.
    pub width: bool,
    /// `speed_limit_kmh`.
    pub speed_limit: bool,
}
