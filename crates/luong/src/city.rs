//! Loads the road network and the sensor registry that the roles share.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use roadnet::{Network, Registry};
use tracing::{info, warn};

use crate::config::Settings;
use crate::demo;

/// Wrong rows of a registry that are logged one by one; `luong sensors check` shows all.
const ROWS_SHOWN: usize = 5;

/// A city's roads and devices.
pub(crate) struct City {
    pub(crate) title: String,
    pub(crate) network: Arc<Network>,
    pub(crate) sensors: Arc<Registry>,
}

/// Loads what the configuration names, or the demo city.
pub(crate) fn load(settings: &Settings) -> anyhow::Result<City> {
    match (settings.network_file(), settings.sensor_file()) {
        (Some(network), Some(sensors)) => from_files(network, sensors),
        _ => {
            let city = demo::city(settings)?;
            Ok(City { title: city.title, network: Arc::new(city.network), sensors: Arc::new(city.registry) })
        }
    }
}

fn from_files(network_file: &Path, sensor_file: &Path) -> anyhow::Result<City> {
    let network = network(network_file)?;
    let sensors = registry(sensor_file, &network)?;
    let title = network_file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    Ok(City { title, network: Arc::new(network), sensors: Arc::new(sensors) })
}

/// Reads a network file.
pub(crate) fn network(path: &Path) -> anyhow::Result<Network> {
    let file = open(path, "network.file")?;
    let network = Network::read(BufReader::new(file)).with_context(|| {
        format!("{}: make a network file with `luong network import MAP --out CITY.roadnet`", path.display())
    })?;
    info!(file = %path.display(), links = network.links().len(), version = %network.version(), "network loaded");
    Ok(network)
}

/// Reads a registry; wrong rows are told and left out.
pub(crate) fn registry(path: &Path, network: &Network) -> anyhow::Result<Registry> {
    let report = Registry::from_csv_or_geojson(BufReader::new(open(path, "sensors.file")?), network);
    for fault in report.faults.iter().take(ROWS_SHOWN) {
        warn!(file = %path.display(), "{fault}");
    }
    let rejected = report.rejected();
    if report.registry.sensors().is_empty() {
        bail!("{}: no usable sensor; `luong sensors check` says why", path.display());
    }
    if rejected > 0 {
        warn!(
            rejected,
            usable = report.registry.sensors().len(),
            "sensors left out; `luong sensors check` shows all"
        );
    }
    Ok(report.registry)
}

fn open(path: &Path, key: &str) -> anyhow::Result<File> {
    File::open(path).with_context(|| format!("{key}: cannot open {}", path.display()))
}
