//! A chain of detectors along an expressway, and what they saw, from CSV files.
//!
//! The files are those of the "IEEE v4" sample of Interstate 5 north (asu-trans-ai-lab/cbi_plus, MIT, derived from Caltrans
//! PeMS): `I5N_detector_chain_fd.csv` and `I5N_detector_states_3days.csv.gz`. Their `Z` is local time.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use model::Timestamp;

pub(crate) struct Station {
    pub(crate) id: String,
    /// Along the road, downstream, km.
    pub(crate) x_km: f64,
    pub(crate) lanes: f64,
    pub(crate) free_kmh: f64,
}

/// One step of five minutes; by station, in the order of the road.
#[derive(Clone)]
pub(crate) struct Step {
    /// End of the step.
    pub(crate) at: Timestamp,
    pub(crate) seen: Vec<Seen>,
}

/// What one station saw; NaN = nothing.
#[derive(Clone, Copy)]
pub(crate) struct Seen {
    pub(crate) speed_kmh: f64,
    /// Over all lanes.
    pub(crate) flow_vph: f64,
    pub(crate) occupancy: f64,
}

pub(crate) struct Corridor {
    pub(crate) stations: Vec<Station>,
    pub(crate) steps: Vec<Step>,
}

/// A step, ms; the files stamp its beginning.
pub(crate) const STEP_MS: i64 = 300_000;

impl Corridor {
    pub(crate) fn read(folder: &Path) -> Result<Self> {
        let mut chain = Table::open(&folder.join("I5N_detector_chain_fd.csv"))?;
        let mut stations = Vec::new();
        while chain.next()? {
            let [x_km, lanes, free_kmh] = ["x_km", "lanes", "free_speed_kmh"].map(|name| chain.number(name));
            let id = chain.text("station_id")?.to_owned();
            stations.push(Station { id, x_km: x_km?, lanes: lanes?, free_kmh: free_kmh? });
        }
        stations.sort_by(|a, b| a.x_km.total_cmp(&b.x_km));
        let places: BTreeMap<String, usize> =
            stations.iter().enumerate().map(|(place, station)| (station.id.clone(), place)).collect();
        let nothing = Seen { speed_kmh: f64::NAN, flow_vph: f64::NAN, occupancy: f64::NAN };
        let mut steps: BTreeMap<Timestamp, Vec<Seen>> = BTreeMap::new();
        let mut states = Table::open(&folder.join("I5N_detector_states_3days.csv.gz"))?;
        while states.next()? {
            let at = Timestamp::parse(states.text("timestamp")?)?.plus_millis(STEP_MS);
            let Some(place) = places.get(states.text("station_id")?) else { continue };
            let [speed, flow, occupancy] = ["speed", "flow", "occupancy"].map(|name| states.number(name));
            steps.entry(at).or_insert_with(|| vec![nothing; places.len()])[*place] =
                Seen { speed_kmh: speed?, flow_vph: flow?, occupancy: occupancy? };
        }
        ensure!(stations.len() > 2 && !steps.is_empty(), "{} holds no corridor", folder.display());
        let steps = steps.into_iter().map(|(at, seen)| Step { at, seen }).collect();
        Ok(Self { stations, steps })
    }
}

/// A CSV file with a header, perhaps packed by gzip.
struct Table {
    reader: csv::Reader<Box<dyn std::io::Read>>,
    header: csv::StringRecord,
    row: csv::StringRecord,
    name: String,
}

impl Table {
    fn open(path: &Path) -> Result<Self> {
        let name = path.display().to_string();
        let file = File::open(path).with_context(|| format!("opening {name}"))?;
        let packed = path.extension().is_some_and(|extension| extension == "gz");
        let from: Box<dyn std::io::Read> =
            if packed { Box::new(flate2::read::GzDecoder::new(file)) } else { Box::new(file) };
        let mut reader = csv::Reader::from_reader(from);
        let header = reader.headers().with_context(|| format!("reading {name}"))?.clone();
        Ok(Self { reader, header, row: csv::StringRecord::new(), name })
    }

    fn next(&mut self) -> Result<bool> {
        self.reader.read_record(&mut self.row).with_context(|| format!("reading {}", self.name))
    }

    fn text(&self, column: &str) -> Result<&str> {
        let place = self.header.iter().position(|name| name == column);
        let cell = place.and_then(|place| self.row.get(place));
        cell.with_context(|| format!("{} has no column {column}", self.name))
    }

    fn number(&self, column: &str) -> Result<f64> {
        let text = self.text(column)?;
        text.parse().with_context(|| format!("{}: {column} is {text:?}", self.name))
    }
}
