//! Files with what really happened.
//!
//! `links.csv.gz`: per minute and link with traffic; `incidents.csv`; `sensor_faults.csv`; `roads.csv`: the links with
//! their class, free speed and whether a loop or camera watches them; `run.json`: scenario, seed, beginning.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use model::Timestamp;
use roadnet::SensorKind;
use serde_json::json;

use crate::city::{City, sensors_csv};
use crate::sensing::Fault;
use crate::traffic::{Incident, Tally, Traffic};

/// The truth can't be written.
#[derive(Debug, thiserror::Error)]
#[error("the truth can't be written to {path}; free the disk or give another folder")]
pub struct TruthError {
    path: PathBuf,
    source: io::Error,
}

/// The files, open.
pub(crate) struct Truth {
    folder: PathBuf,
    links: GzEncoder<BufWriter<File>>,
    incidents: File,
    seen: u32,
}

const LINKS: &str = "t_s,link_id,speed_kmh,flow_vph,density_vpkm,travel_time_s,occupancy,queue_m,queue_mean_m,sampled_s,entered,left,departed,arrived\n";
const INCIDENTS: &str = "incident,link_id,start_s,end_s,lanes_blocked,lanes_total,offset_m\n";
const FAULTS: &str = "sensor_id,link_id,fault,from_s,clock_offset_s\n";
const ROADS: &str = "link_id,class,length_m,free_flow_kmh,observed\n";

impl Truth {
    /// Makes the folder and begins the files.
    pub(crate) fn create(
        folder: &Path,
        city: &City,
        scenario: &str,
        seed: u64,
        starts: Timestamp,
    ) -> Result<Self, TruthError> {
        let failed = |source| TruthError { path: folder.to_owned(), source };
        let make = || -> io::Result<Self> {
            fs::create_dir_all(folder)?;
            let about = json!({ "scenario": scenario, "seed": seed, "starts": starts.to_string(),
                "city": city.title, "network": city.network.version().to_string() });
            fs::write(folder.join("run.json"), format!("{about}\n"))?;
            fs::write(folder.join("roads.csv"), roads(city))?;
            fs::write(folder.join("sensors.csv"), sensors_csv(&city.network, &city.registry))?;
            let file = BufWriter::new(File::create(folder.join("links.csv.gz"))?);
            let mut links = GzEncoder::new(file, Compression::fast());
            links.write_all(LINKS.as_bytes())?;
            let mut incidents = File::create(folder.join("incidents.csv"))?;
            incidents.write_all(INCIDENTS.as_bytes())?;
            Ok(Self { folder: folder.to_owned(), links, incidents, seen: 0 })
        };
        make().map_err(failed)
    }

    fn failed(&self, source: io::Error) -> TruthError {
        TruthError { path: self.folder.clone(), source }
    }

    /// Writes which devices break.
    pub(crate) fn faults<'f>(
        &self,
        city: &City,
        faults: impl Iterator<Item = (u32, &'f Fault)>,
    ) -> Result<(), TruthError> {
        let mut text = FAULTS.to_owned();
        for (sensor, fault) in faults {
            let device = &city.registry.sensors()[sensor as usize];
            let link = device.link.map_or("", |link| city.network.link(link).id.as_str());
            let offset_s = fault.clock_ms / 1000;
            text += &format!("{},{link},{},{},{offset_s}\n", device.id, fault.kind.name(), fault.from_s);
        }
        fs::write(self.folder.join("sensor_faults.csv"), text).map_err(|e| self.failed(e))
    }

    /// Writes an incident that begins now.
    pub(crate) fn incident(
        &mut self,
        city: &City,
        incident: &Incident,
        now_s: u64,
    ) -> Result<(), TruthError> {
        let road = city.network.link(incident.link);
        let end = now_s + incident.end_s - incident.start_s;
        let (n, id, lanes) = (self.seen, &road.id, incident.lanes);
        let text = format!("inc{n},{id},{now_s},{end},{lanes},{:.0},{:.1}\n", road.lanes, incident.at_m);
        self.seen += 1;
        self.incidents.write_all(text.as_bytes()).map_err(|e| self.failed(e))
    }

    /// Writes the minute that ends now, and begins the next.
    pub(crate) fn minute(
        &mut self,
        city: &City,
        traffic: &mut Traffic<'_>,
        now_s: u64,
    ) -> Result<(), TruthError> {
        let mut text = String::new();
        for link in city.network.indices() {
            let tally = traffic.take_tally(link);
            if tally.sampled_s > 0.0 || tally.entered > 0 {
                let road = city.network.link(link);
                text += &row(now_s, road, &tally);
            }
        }
        self.links.write_all(text.as_bytes()).map_err(|e| self.failed(e))
    }

    pub(crate) fn close(self) -> Result<(), TruthError> {
        let Self { folder, links, .. } = self;
        let closed = links.finish().and_then(|mut file| file.flush());
        closed.map_err(|source| TruthError { path: folder, source })
    }
}

fn row(now_s: u64, road: &roadnet::Link, tally: &Tally) -> String {
    /// A standing link takes for ever; the kit says an hour.
    const LONGEST_S: f64 = 3600.0;
    let length = f64::from(road.length_m);
    let speed_mps = tally.distance_m / tally.sampled_s.max(1e-9);
    let density = tally.sampled_s / 60.0 / length * 1000.0;
    let flow = density * speed_mps * 3.6;
    let travel_time = (length / speed_mps.max(1e-9)).min(LONGEST_S);
    let occupancy = tally.covered_ms / 60.0 / length / f64::from(road.lanes.max(1.0));
    format!(
        "{now_s},{},{:.2},{flow:.1},{density:.2},{travel_time:.1},{occupancy:.4},{:.1},{:.1},{:.1},{},{},{},{}\n",
        road.id,
        speed_mps * 3.6,
        tally.queue_m,
        tally.queue_mean_m(),
        tally.sampled_s,
        tally.entered,
        tally.left,
        tally.departed,
        tally.arrived
    )
}

fn roads(city: &City) -> String {
    let mut observed = vec![0; city.network.links().len()];
    for sensor in city.registry.sensors() {
        if matches!(sensor.kind, SensorKind::Loop | SensorKind::AreaCamera | SensorKind::Radar)
            && let Some(link) = sensor.link
        {
            observed[link.index()] = 1;
        }
    }
    let mut text = ROADS.to_owned();
    for (road, observed) in city.network.links().iter().zip(observed) {
        let (id, class) = (&road.id, road.class.name());
        text += &format!("{id},{class},{:.1},{:.0},{observed}\n", road.length_m, road.speed_limit_kmh);
    }
    text
}
