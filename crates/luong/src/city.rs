//! Loads the road network and the sensor registry that the roles share.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use roadnet::{Network, Registry};
use tracing::{info, warn};

use crate::config::Settings;
use crate::{demo, network, sensors};

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
    let network = open_network(network_file)?;
    let sensors = open_registry(sensor_file, &network)?;
    let title = network_file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    Ok(City { title, network: Arc::new(network), sensors: Arc::new(sensors) })
}

fn open_network(path: &Path) -> anyhow::Result<Network> {
    let network = network::load(path)
        .context("network.file: make a network file with `luong network import MAP --out CITY.roadnet`")?;
    info!(file = %path.display(), links = network.links().len(), version = %network.version(), "network loaded");
    Ok(network)
}

/// Wrong rows are told and left out.
fn open_registry(path: &Path, network: &Network) -> anyhow::Result<Registry> {
    let report = sensors::load(path, network).context("sensors.file")?;
    for fault in report.faults.iter().take(ROWS_SHOWN) {
        warn!(file = %path.display(), "{fault}");
    }
    let (rejected, usable) = (report.rejected(), report.registry.sensors().len());
    if usable == 0 {
        bail!("{}: no usable sensor; `luong sensors check` says why", path.display());
    }
    if rejected > 0 {
        warn!(rejected, usable, "sensors left out; `luong sensors check` shows all");
    }
    Ok(report.registry)
}
