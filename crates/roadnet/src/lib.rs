//! The immutable directed road graph of a city, and what stands beside its roads.
//!
//! A [`Network`] is built once ([`NetworkBuilder`], fed by an importer), stored as one file whose content hash is its
//! version, and shared read-only by everything else. A [`Registry`] says which sensor sees which link.
//!
//! This crate knows no IO beyond the readers that it is handed, no traffic state, no clock and no protocol.
//!
//! Start with [`import::read_any`], which makes a network of a map, and [`Network`], which answers questions about it:
//!
//! ```
//! let map = "<osm version='0.6'>
//!     <node id='1' lon='106.6800' lat='20.8600'/><node id='2' lon='106.6810' lat='20.8600'/>
//!     <way id='7'><nd ref='1'/><nd ref='2'/><tag k='highway' v='secondary'/><tag k='name' v='Trần Phú'/></way>
//! </osm>";
//! let network = roadnet::import::read_any("map.osm", map.as_bytes())?.network;
//! // A vehicle 11 m north of the street that heads west is on its westbound link, half way along.
//! let near = network.locate(roadnet::Point { lon: 106.6805, lat: 20.8601 }, 30.0, Some(270.0));
//! let link = network.link(near[0].link);
//! assert_eq!((link.id.as_str(), link.name.as_str()), ("w7.0b", "Trần Phú"));
//! assert_eq!((near[0].distance_m.round(), near[0].offset_m.round()), (11.0, 52.0));
//! # Ok::<(), roadnet::import::ImportError>(())
//! ```
//!
//! Words: a *node* is a junction or a dead end; a *link* is one direction of a road between two nodes; a *turn* leads
//! from a link to one that starts where it ends; *width* and *lanes* are those of the link's own direction.

#![warn(missing_docs)]

mod builder;
pub mod check;
pub mod export;
mod file;
pub mod import;
mod link;
mod locate;
mod network;
mod point;
mod registry;
mod rows;
mod sensor;
#[cfg(test)]
mod testing;

pub use builder::{BuildError, NetworkBuilder, NewLink};
pub use file::FileError;
pub use link::{Defaults, Link, LinkIndex, Node, NodeIndex, RoadClass};
pub use network::{Located, Network, NetworkVersion};
pub use point::{BoundingBox, Point};
pub use registry::{Fault, RegistryReport, RowFault, Severity};
pub use sensor::{Registry, Sensor, SensorIndex, SensorKind};
