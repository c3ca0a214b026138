//! The immutable directed road graph of a city, and what stands beside its roads.
//!
//! A [`Network`] is built once ([`NetworkBuilder`], fed by an importer), stored as one file whose content hash is its
//! version, and shared read-only by everything else. A [`Registry`] says which sensor sees which link.
//!
//! This crate knows no IO beyond the readers that it is handed, no traffic state, no clock and no protocol.
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
