//! Writes a city as the files that `luong network import` and `luong sensors check` read.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::Path;

use roadnet::{LinkIndex, Network, Registry};
use serde_json::json;

use super::City;

/// Writes `city.geojson` and `sensors.csv` into the folder, which is made when it is missing.
///
/// # Errors
/// When a file can't be written.
pub fn export(city: &City, folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    fs::write(folder.join("city.geojson"), geojson(city))?;
    fs::write(folder.join("sensors.csv"), sensors_csv(&city.network, &city.registry))
}

/// Returns one feature a line, each a directed link.
fn geojson(city: &City) -> String {
    let title = serde_json::Value::from(city.title.as_str());
    let mut out = format!("{{\"type\":\"FeatureCollection\",\"title\":{title},\"features\":[\n");
    for link in city.network.indices() {
        if link.0 > 0 {
            out.push_str(",\n");
        }
        out.push_str(&feature(&city.network, link).to_string());
    }
    out.push_str("\n]}\n");
    out
}

fn feature(network: &Network, link: LinkIndex) -> serde_json::Value {
    let road = network.link(link);
    let line: Vec<_> = network.geometry(link).iter().map(|p| [p.lon, p.lat]).collect();
    let allowed: Vec<_> = road.allowed.iter().map(model::VehicleClass::name).collect();
    json!({
        "type": "Feature",
        "geometry": { "type": "LineString", "coordinates": line },
        "properties": {
            "link_id": road.id.as_str(),
            "from_node": network.node(road.from).id.as_str(),
            "to_node": network.node(road.to).id.as_str(),
            "name": road.name.as_str(),
            "class": road.class.name(),
            "lanes": tidy(road.lanes),
            "width_m": tidy(road.width_m),
            "speed_limit_kmh": tidy(road.speed_limit_kmh),
            "allowed": allowed,
            "signal_at_end": road.signal_at_end,
            "bridge": road.bridge,
            "oneway": true,
        }
    })
}

/// Returns the registry in the columns of the sensor registry.
pub fn sensors_csv(network: &Network, registry: &Registry) -> String {
    let mut out =
        String::from("sensor_id,kind,link_id,offset_m,lane,lon,lat,heading_deg,length_m,period_s,format\n");
    for s in registry.sensors() {
        let link = s.link.map_or("", |link| network.link(link).id.as_str());
        let number = |value: Option<f32>| value.map_or(String::new(), |v| tidy(v).to_string());
        let degrees = |value: Option<f64>| value.map_or(String::new(), |v| format!("{v:.7}"));
        let (lon, lat) = (degrees(s.point.map(|p| p.lon)), degrees(s.point.map(|p| p.lat)));
        let (offset, heading, period) = (number(s.offset_m), number(s.heading_deg), number(s.period_s));
        let lane = s.lane.map_or(String::new(), |lane| lane.to_string());
        let (id, kind, view, format) = (&s.id, s.kind.name(), tidy(s.length_m), &s.format);
        writeln!(out, "{id},{kind},{link},{offset},{lane},{lon},{lat},{heading},{view},{period},{format}")
            .expect("a String takes all");
    }
    out
}

/// Returns the number with two decimals at most, so that 12.4 does not become 12.399999618530273.
fn tidy(value: f32) -> f64 {
    (f64::from(value) * 100.0).round() / 100.0
}
