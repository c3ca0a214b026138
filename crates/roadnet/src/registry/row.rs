//! Rows of a registry as text, from CSV or GeoJSON.

use std::io::Read;

use compact_str::{CompactString, ToCompactString};
use serde_json::{Map, Value};

use super::{Fault, RowFault, Severity};

/// The columns of a registry.
pub(super) const COLUMNS: [&str; 11] = [
    "sensor_id",
    "kind",
    "link_id",
    "offset_m",
    "lane",
    "lon",
    "lat",
    "heading_deg",
    "length_m",
    "period_s",
    "format",
];

/// One row; a value that is not there is empty.
#[derive(Default)]
pub(super) struct Row {
    pub(super) line: u64,
    values: [CompactString; COLUMNS.len()],
}

impl Row {
    pub(super) fn get(&self, column: &str) -> &str {
        COLUMNS.iter().position(|known| *known == column).map_or("", |place| &self.values[place])
    }

    pub(super) fn fault(&self, column: &'static str, severity: Severity, fault: Fault) -> RowFault {
        RowFault { line: self.line, sensor_id: self.get("sensor_id").into(), column, severity, fault }
    }

    fn set(&mut self, column: &str, value: CompactString) {
        if let Some(place) = COLUMNS.iter().position(|known| *known == column) {
            self.values[place] = value;
        }
    }
}

fn of_file(line: u64, column: &'static str, severity: Severity, fault: Fault) -> Box<RowFault> {
    Box::new(RowFault { line, sensor_id: CompactString::default(), column, severity, fault })
}

fn unreadable(line: u64, error: &dyn std::error::Error) -> Box<RowFault> {
    of_file(line, "", Severity::Rejected, Fault::Unreadable(error.to_string()))
}

type Take<'a> = dyn FnMut(Result<Row, Box<RowFault>>) + 'a;

pub(super) fn read_csv(from: impl Read, take: &mut Take<'_>) {
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).flexible(true).from_reader(from);
    let header = match reader.headers() {
        Ok(header) => header.clone(),
        Err(error) => return take(Err(unreadable(1, &error))),
    };
    let header: Vec<&str> = header.iter().map(|name| name.trim_start_matches('\u{feff}')).collect();
    for required in ["sensor_id", "kind"] {
        if !header.contains(&required) {
            return take(Err(of_file(1, required, Severity::Rejected, Fault::NoColumn)));
        }
    }
    for &strange in header.iter().filter(|name| !COLUMNS.contains(name)) {
        take(Err(of_file(1, "", Severity::Warning, Fault::UnknownColumn(strange.into()))));
    }
    let mut record = csv::StringRecord::new();
    loop {
        let line = reader.position().line();
        match reader.read_record(&mut record) {
            Ok(false) => return,
            Ok(true) => take(csv_row(&header, &record)),
            // Text that is not UTF-8 costs its row; after any other error the reader does not know where it is.
            Err(error) if matches!(error.kind(), csv::ErrorKind::Utf8 { .. }) => {
                take(Err(unreadable(line, &error)))
            }
            Err(error) => return take(Err(unreadable(line, &error))),
        }
    }
}

fn csv_row(header: &[&str], record: &csv::StringRecord) -> Result<Row, Box<RowFault>> {
    let mut row = Row { line: record.position().map_or(0, csv::Position::line), ..Row::default() };
    for (column, value) in header.iter().zip(record) {
        row.set(column, value.into());
    }
    if record.len() == header.len() {
        return Ok(row);
    }
    let fault = Fault::WrongWidth { found: record.len(), expected: header.len() };
    Err(Box::new(row.fault("", Severity::Rejected, fault)))
}

pub(super) fn read_geojson(from: impl Read, take: &mut Take<'_>) {
    let file: Value = match serde_json::from_reader(from) {
        Ok(file) => file,
        Err(error) => return take(Err(unreadable(error.line() as u64, &error))),
    };
    let Some(features) = file.get("features").and_then(Value::as_array) else {
        let fault = Fault::Unreadable("it is JSON without a list of features".to_owned());
        return take(Err(of_file(1, "", Severity::Rejected, fault)));
    };
    for (line, feature) in (1..).zip(features) {
        take(geojson_row(line, feature));
    }
}

fn geojson_row(line: u64, feature: &Value) -> Result<Row, Box<RowFault>> {
    let mut row = Row { line, ..Row::default() };
    let none = Map::new();
    let properties = feature.get("properties").and_then(Value::as_object).unwrap_or(&none);
    for (key, value) in properties {
        row.set(key, text(value));
    }
    let geometry = feature.get("geometry").filter(|geometry| !geometry.is_null());
    if let Some(geometry) = geometry {
        let place =
            geometry.get("coordinates").and_then(Value::as_array).filter(|_| geometry["type"] == "Point");
        let Some([lon, lat, ..]) = place.map(Vec::as_slice) else {
            let fault =
                Fault::Unreadable("its geometry is not a point with longitude and latitude".to_owned());
            return Err(Box::new(row.fault("", Severity::Rejected, fault)));
        };
        if row.get("lon").is_empty() && row.get("lat").is_empty() {
            row.set("lon", text(lon));
            row.set("lat", text(lat));
        }
    }
    Ok(row)
}

fn text(value: &Value) -> CompactString {
    match value {
        Value::Null => CompactString::default(),
        Value::String(text) => text.trim().into(),
        other => other.to_compact_string(),
    }
}
