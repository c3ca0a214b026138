//! Reads the sensor registry.

use std::path::Path;

use anyhow::Context as _;
use roadnet::{Network, Registry, Sensor, SensorKind};

pub(super) fn load(path: &Path, network: &Network) -> anyhow::Result<Registry> {
    let mut csv = csv::Reader::from_path(path)
        .with_context(|| format!("can't open the sensor registry {}", path.display()))?;
    let mut sensors = Vec::new();
    for row in csv.records() {
        let row = row?;
        let get = |i: usize| row.get(i).filter(|s| !s.is_empty());
        let num = |i: usize| get(i).and_then(|s| s.parse::<f32>().ok());
        let (Some(id), Some(kind)) = (get(0), get(1).and_then(SensorKind::from_name)) else { continue };
        sensors.push(Sensor {
            id: id.into(),
            kind,
            link: get(2).and_then(|id| network.find(id)),
            offset_m: num(3),
            lane: num(4).map(|l| l as u8),
            point: None,
            heading_deg: num(7),
            length_m: num(8).unwrap_or(0.0),
            period_s: num(9),
            format: "native".into(),
        });
    }
    Ok(Registry::new(sensors))
}
