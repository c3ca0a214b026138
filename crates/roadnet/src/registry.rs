//! Reads a sensor registry from CSV or GeoJSON, puts each sensor on its link, and names each row that is wrong.

mod fault;
mod place;
mod row;

use std::io::{BufRead, BufReader, Read};

use compact_str::CompactString;
use rustc_hash::FxHashMap;

pub use fault::{Fault, RowFault, Severity};

use self::row::Row;
use crate::{Network, Registry, Sensor};

/// What reading a registry gave: the rows that are right, and what is wrong with the others.
#[derive(Debug, Default)]
pub struct RegistryReport {
    /// The sensors of all rows that were taken.
    pub registry: Registry,
    /// What is wrong, in order of rows.
    pub faults: Vec<RowFault>,
    /// How many sensors were put on a link by their position.
    pub snapped: usize,
}

impl RegistryReport {
    /// Returns how many faults cost a row.
    pub fn rejected(&self) -> usize {
        self.faults.iter().filter(|fault| fault.severity == Severity::Rejected).count()
    }
}

impl Registry {
    /// Reads CSV with a header that names the columns:
    /// `sensor_id,kind,link_id,offset_m,lane,lon,lat,heading_deg,length_m,period_s,format`; those that are missing count
    /// as empty. An empty `link_id` is found by `lon`, `lat` and `heading_deg`.
    pub fn from_csv(from: impl Read, network: &Network) -> RegistryReport {
        let mut intake = Intake::new(network);
        row::read_csv(from, &mut |row| intake.take(row));
        intake.report()
    }

    /// Reads a GeoJSON `FeatureCollection`, whose features have the CSV's columns as properties; a point's geometry
    /// stands for `lon` and `lat`.
    pub fn from_geojson(from: impl Read, network: &Network) -> RegistryReport {
        let mut intake = Intake::new(network);
        row::read_geojson(from, &mut |row| intake.take(row));
        intake.report()
    }

    /// Reads either, told by the first character.
    pub fn from_csv_or_geojson(from: impl Read, network: &Network) -> RegistryReport {
        let mut from = BufReader::new(from);
        // A reader that fails here fails again below, and is reported there.
        let json = from.fill_buf().is_ok_and(|start| start.trim_ascii_start().starts_with(b"{"));
        if json { Self::from_geojson(from, network) } else { Self::from_csv(from, network) }
    }
}

/// Collects the rows of one file.
struct Intake<'a> {
    network: &'a Network,
    sensors: Vec<Sensor>,
    /// Where each name was first used.
    lines: FxHashMap<CompactString, u64>,
    faults: Vec<RowFault>,
    snapped: usize,
}

impl<'a> Intake<'a> {
    fn new(network: &'a Network) -> Self {
        Self { network, sensors: Vec::new(), lines: FxHashMap::default(), faults: Vec::new(), snapped: 0 }
    }

    fn take(&mut self, row: Result<Row, Box<RowFault>>) {
        let row = match row {
            Ok(row) => row,
            Err(fault) => return self.faults.push(*fault),
        };
        let mut found = Findings { row: &row, faults: Vec::new() };
        let placed = place::sensor(&mut found, self.network);
        if let Some(&first) = self.lines.get(row.get("sensor_id")) {
            found.reject("sensor_id", Fault::Duplicate { first });
        }
        let rejected = found.faults.iter().any(|fault| fault.severity == Severity::Rejected);
        self.faults.append(&mut found.faults);
        if !row.get("sensor_id").is_empty() {
            self.lines.entry(row.get("sensor_id").into()).or_insert(row.line);
        }
        if let (false, Some((sensor, how))) = (rejected, placed) {
            self.snapped += usize::from(how == place::How::Snapped);
            self.sensors.push(sensor);
        }
    }

    fn report(self) -> RegistryReport {
        RegistryReport { registry: Registry::new(self.sensors), faults: self.faults, snapped: self.snapped }
    }
}

/// A row while it is looked at.
struct Findings<'a> {
    row: &'a Row,
    faults: Vec<RowFault>,
}

impl Findings<'_> {
    fn reject(&mut self, column: &'static str, fault: Fault) {
        self.faults.push(self.row.fault(column, Severity::Rejected, fault));
    }

    fn warn(&mut self, column: &'static str, fault: Fault) {
        self.faults.push(self.row.fault(column, Severity::Warning, fault));
    }

    /// Reads a number that must lie within bounds; empty is `None`, wrong is reported and `None`.
    fn number(&mut self, column: &'static str, least: f64, most: f64) -> Option<f64> {
        let text = self.row.get(column);
        if text.is_empty() {
            return None;
        }
        let number = text.parse::<f64>().ok().filter(|number| (least..=most).contains(number));
        if number.is_none() {
            self.reject(column, Fault::BadNumber { value: text.into(), least, most });
        }
        number
    }
}

#[cfg(test)]
mod tests;
