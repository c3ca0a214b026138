//! What can be wrong with a row of a registry.

use std::fmt;

use compact_str::CompactString;

/// Something wrong with one row.
#[derive(Clone, PartialEq, Debug)]
pub struct RowFault {
    /// The line in a CSV file; the feature's number, from 1, in GeoJSON.
    pub line: u64,
    /// The row's sensor; empty where it has no name.
    pub sensor_id: CompactString,
    /// The column that is to be mended; empty when it is the whole row.
    pub column: &'static str,
    /// Whether the row was taken all the same.
    pub severity: Severity,
    /// What is wrong and what to do.
    pub fault: Fault,
}

/// Whether a row was taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Severity {
    /// The sensor is not in the registry.
    Rejected,
    /// The sensor is in the registry, but look at it.
    Warning,
}

impl fmt::Display for RowFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Rejected => "rejected",
            Severity::Warning => "warning",
        };
        write!(f, "line {}: {severity}: ", self.line)?;
        if !self.sensor_id.is_empty() {
            write!(f, "{}: ", self.sensor_id)?;
        }
        if !self.column.is_empty() {
            write!(f, "{}: ", self.column)?;
        }
        write!(f, "{}", self.fault)
    }
}

/// What is wrong with a row, and what to do about it.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
pub enum Fault {
    /// The file can't be read on from here.
    #[error("can't be read: {0}; mend it there")]
    Unreadable(String),
    /// A column that each row needs is not in the header.
    #[error("no such column in the header; the first line must name the columns")]
    NoColumn,
    /// A column that nobody reads.
    #[error("unknown column {0:?} is ignored; known are {known}", known = super::row::COLUMNS.join(","))]
    UnknownColumn(CompactString),
    /// A row has more or fewer fields than the header.
    #[error("has {found} fields where the header has {expected}; check commas and quotes")]
    WrongWidth {
        /// Fields of the row.
        found: usize,
        /// Fields of the header.
        expected: usize,
    },
    /// A field that must not be empty is.
    #[error("is empty; give a value")]
    Missing,
    /// A name was used before.
    #[error("is used on line {first} already; give each sensor its own name")]
    Duplicate {
        /// Where.
        first: u64,
    },
    /// No such kind.
    #[error(
        "unknown kind {0:?}; use one of loop, radar, camera, area_camera, bluetooth, probe_fleet, signal"
    )]
    UnknownKind(CompactString),
    /// A name that can't be written in one line.
    #[error("holds a control character; rename it")]
    BadName,
    /// Not a number, or not a possible one.
    #[error("{value:?} is not a number from {least} to {most}; mend it or leave it empty")]
    BadNumber {
        /// As the row gives it.
        value: CompactString,
        /// Least possible.
        least: f64,
        /// Most possible.
        most: f64,
    },
    /// No such link.
    #[error(
        "no link {0:?} in this network; was the registry made for another map or version? leave it empty to snap by lon, lat"
    )]
    UnknownLink(CompactString),
    /// Farther along than the link is long.
    #[error("{offset_m} m lies beyond the link's end at {length_m:.1} m; measure from the link's start")]
    BeyondLink {
        /// As the row gives it.
        offset_m: f32,
        /// The link's length.
        length_m: f32,
    },
    /// A lane that the link does not have.
    #[error("lane {lane} on a link of {lanes} lanes (1 = nearest the kerb); check the lane or the map")]
    NoSuchLane {
        /// As the row gives it.
        lane: u8,
        /// The link's.
        lanes: f32,
    },
    /// An area longer than the road before it.
    #[error(
        "sees {length_m} m up to {offset_m} m from the link's start: what lies before the link is not used; shorten it"
    )]
    AreaBeyondLink {
        /// As the row gives it.
        length_m: f32,
        /// Where it ends.
        offset_m: f32,
    },
    /// Neither link nor place.
    #[error("neither link_id nor lon and lat say where it is; give link_id and offset_m, or lon and lat")]
    NoPosition,
    /// A link without a place on it.
    #[error("is empty, and so are lon and lat; give the distance from the link's start")]
    NoOffset,
    /// No road near it.
    #[error(
        "no link within {radius_m} m of it{fitting}{nearest}; mend lon, lat, heading_deg, or give link_id and offset_m"
    )]
    NothingNear {
        /// How far was searched.
        radius_m: f32,
        /// ` that runs towards …` when there is a heading.
        fitting: String,
        /// What was found beyond, or against the heading.
        nearest: String,
    },
    /// Two roads fit alike.
    #[error("{first} ({first_m:.0} m away) and {second} ({second_m:.0} m) fit alike; give {remedy}")]
    Ambiguous {
        /// The nearest link.
        first: CompactString,
        /// Its distance.
        first_m: f32,
        /// Another.
        second: CompactString,
        /// Its distance.
        second_m: f32,
        /// What would decide.
        remedy: &'static str,
    },
    /// Link and place disagree.
    #[error("lon, lat lie {distance_m:.0} m away from that link; one of them is wrong")]
    FarFromLink {
        /// How far.
        distance_m: f32,
    },
}
