//! Makes a [`Network`] of a map in somebody else's format.
//!
//! [`read_any`] looks at the content, not at the name, to tell the format. What an importer leaves out or guesses is
//! counted by reason in the [`ImportReport`], each with one example.

mod defaults;
mod geojson;
mod osm;
mod report;
mod sniff;
mod sumo;
mod xml;

use std::io::{self, Read};

pub use report::{ImportReport, Remark};
pub use sniff::MapFormat;

use crate::Network;

/// A map that was read.
#[derive(Debug)]
pub struct Imported {
    /// The roads.
    pub network: Network,
    /// What was read, left out and guessed.
    pub report: ImportReport,
}

/// Why a file gave no network.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The reader failed.
    #[error("{name}: {source}")]
    Io {
        /// The file.
        name: String,
        /// What went wrong.
        source: io::Error,
    },
    /// There is nothing in it.
    #[error("{name} is empty")]
    Empty {
        /// The file.
        name: String,
    },
    /// It is no map that we know.
    #[error(
        "{name} is not a map that can be imported ({found}); wanted are OSM (.osm.pbf, .osm, .osm.xml), SUMO (.net.xml) or GeoJSON, each also gzipped"
    )]
    NotAMap {
        /// The file.
        name: String,
        /// What it looks like.
        found: String,
    },
    /// It ends too early.
    #[error("{name} is cut off ({detail}); get it again")]
    Truncated {
        /// The file.
        name: String,
        /// Where it ends.
        detail: String,
    },
    /// It is a map, but something in it can't be read.
    #[error("{name} can't be read as {format}: {detail}")]
    Malformed {
        /// The file.
        name: String,
        /// What it was taken for.
        format: MapFormat,
        /// Where and what.
        detail: String,
    },
    /// Its coordinates can't be turned into degrees.
    #[error(
        "{name} uses the projection {projection:?}, which is not known here; convert it, for example with `netconvert -s {name} --proj.utm -o out.net.xml`"
    )]
    Projection {
        /// The file.
        name: String,
        /// As the file gives it.
        projection: String,
    },
    /// It holds no road that vehicles may use.
    #[error("{name} holds no road for vehicles: {report}")]
    NoRoads {
        /// The file.
        name: String,
        /// What was left out, in one line.
        report: String,
    },
}

/// Reads a map of any known format, gzipped or not. The name is for messages only.
///
/// # Errors
/// When it can't be read, is not a map, is cut off or broken, or has no roads.
pub fn read_any(name: &str, from: impl Read + Send) -> Result<Imported, ImportError> {
    let (format, content) = sniff::open(from).map_err(|why| why.named(name))?;
    let read = match format {
        MapFormat::Sumo => sumo::read(content),
        MapFormat::OsmPbf => osm::read_pbf(content),
        MapFormat::OsmXml => osm::read_xml(content),
        MapFormat::GeoJson => geojson::read(content),
    };
    let imported = read.map_err(|why| why.of(format, name))?;
    if imported.network.links().is_empty() {
        return Err(ImportError::NoRoads { name: name.to_owned(), report: imported.report.one_line() });
    }
    Ok(imported)
}

/// Why a parser stopped, before the file's name is added.
#[derive(Debug)]
enum Failure {
    Io(io::Error),
    Empty,
    NotAMap(String),
    Truncated(String),
    Malformed(String),
    Projection(String),
}

impl Failure {
    /// Before the format is known.
    fn named(self, name: &str) -> ImportError {
        match self {
            // Only the unzipping can have failed so far.
            Self::Malformed(detail) => Self::NotAMap(format!("its gzip is broken: {detail}")),
            other => other,
        }
        .of(MapFormat::OsmXml, name)
    }

    fn of(self, format: MapFormat, name: &str) -> ImportError {
        let name = name.to_owned();
        match self {
            Self::Io(source) => ImportError::Io { name, source },
            Self::Empty => ImportError::Empty { name },
            Self::NotAMap(found) => ImportError::NotAMap { name, found },
            Self::Truncated(detail) => ImportError::Truncated { name, detail },
            Self::Malformed(detail) => ImportError::Malformed { name, format, detail },
            Self::Projection(projection) => ImportError::Projection { name, projection },
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::Truncated(error.to_string()),
            // flate2 says so of a broken stream.
            io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => Self::Malformed(error.to_string()),
            _ => Self::Io(error),
        }
    }
}
