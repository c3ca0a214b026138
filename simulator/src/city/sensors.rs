//! Puts devices along the roads.

use roadnet::{LinkIndex, Network, Registry, RoadClass, Sensor, SensorKind};
use serde::{Deserialize, Serialize};

use super::along;
use crate::random::{Draw, Stream};

/// How many devices of each kind, as shares of the links that are long and important enough for one.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Instruments {
    /// Links with a loop (counts, time-mean speed, occupancy) in their middle.
    pub loop_share: f64,
    /// Links with a camera over the last 50 m (counts, space-mean speed, queue).
    pub area_camera_share: f64,
    /// Fast roads with a radar that reports each vehicle.
    pub radar_share: f64,
    /// Signals that tell their colour.
    pub signal_share: f64,
    /// Arteries with a Bluetooth matcher.
    pub bluetooth_share: f64,
    /// How often loops and cameras report, in seconds.
    pub period_s: f64,
}

impl Default for Instruments {
    fn default() -> Self {
        Self {
            loop_share: 0.45,
            area_camera_share: 0.25,
            radar_share: 0.3,
            signal_share: 0.5,
            bluetooth_share: 0.12,
            period_s: 20.0,
        }
    }
}

/// The fleets of probe vehicles that every city has.
pub(crate) const FLEETS: [&str; 3] = ["fleet-xeom", "fleet-bus", "fleet-truck"];

/// A camera sees this much of a road.
const CAMERA_VIEW_M: f64 = 50.0;
/// Shorter links get no device in their middle: it would see the junctions.
const LEAST_LENGTH_M: f64 = 90.0;

/// Returns a registry of devices for the network; the same for the same seed.
pub fn equip(network: &Network, instruments: &Instruments, seed: u64) -> Registry {
    let mut sensors: Vec<Sensor> =
        network.indices().flat_map(|link| devices(network, link, instruments, seed)).collect();
    sensors.extend(FLEETS.map(fleet));
    Registry::new(sensors)
}

fn devices(network: &Network, link: LinkIndex, wanted: &Instruments, seed: u64) -> Vec<Sensor> {
    let road = network.link(link);
    let length = f64::from(road.length_m);
    let mut draw = Draw::new(seed, Stream::Placement, u64::from(link.0), 0);
    let mut gets = |share: f64| draw.chance(share);
    let fast = matches!(road.class, RoadClass::Motorway | RoadClass::Trunk);
    let artery = matches!(road.class, RoadClass::Trunk | RoadClass::Primary | RoadClass::Secondary);
    let sees = road.class <= RoadClass::Tertiary && length >= LEAST_LENGTH_M;
    let chosen = [
        (SensorKind::Loop, gets(wanted.loop_share) && sees),
        (SensorKind::AreaCamera, gets(wanted.area_camera_share) && sees),
        (SensorKind::Radar, gets(wanted.radar_share) && sees && fast),
        (SensorKind::Signal, gets(wanted.signal_share) && road.signal_at_end),
        (SensorKind::Bluetooth, gets(wanted.bluetooth_share) && sees && artery),
    ];
    let kinds = chosen.into_iter().filter(|&(_, chosen)| chosen).map(|(kind, _)| kind);
    kinds.map(|kind| device(network, link, kind, wanted.period_s)).collect()
}

fn device(network: &Network, link: LinkIndex, kind: SensorKind, period_s: f64) -> Sensor {
    let road = network.link(link);
    let length = f64::from(road.length_m);
    let (prefix, offset, view, period) = match kind {
        SensorKind::Loop => ("loop", 0.55 * length, 0.0, Some(period_s)),
        SensorKind::AreaCamera => ("cam", length - 2.0, CAMERA_VIEW_M, Some(period_s)),
        SensorKind::Radar => ("radar", 0.45 * length, 0.0, None),
        SensorKind::Signal => ("sig", length, 0.0, None),
        _ => ("bt", 0.5 * length, 0.0, Some(60.0)),
    };
    let offset = (offset * 10.0).floor() / 10.0;
    let (point, heading) = along(network.geometry(link), offset);
    Sensor {
        id: format!("{prefix}-{}", road.id).as_str().into(),
        kind,
        link: Some(link),
        offset_m: Some(offset as f32),
        lane: None,
        point: Some(point),
        heading_deg: Some(heading.round() as f32),
        length_m: view as f32,
        period_s: period.map(|s| s as f32),
        format: "native".into(),
    }
}

fn fleet(id: &str) -> Sensor {
    Sensor {
        id: id.into(),
        kind: SensorKind::ProbeFleet,
        link: None,
        offset_m: None,
        lane: None,
        point: None,
        heading_deg: None,
        length_m: 0.0,
        period_s: Some(10.0),
        format: "native".into(),
    }
}
