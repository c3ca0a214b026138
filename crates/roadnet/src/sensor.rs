//! The sensor registry: which device sees which link.

use compact_str::CompactString;
use model::SensorId;
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use crate::{LinkIndex, Point};

/// A sensor's place in its registry: dense, `0..registry.sensors().len()`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct SensorIndex(pub u32);

/// One device.
#[derive(Clone, PartialEq, Debug)]
pub struct Sensor {
    /// Its name.
    pub id: SensorId,
    /// What it is.
    pub kind: SensorKind,
    /// The link that it sees; a fleet of probes has none.
    pub link: Option<LinkIndex>,
    /// From the link's start to it (for an area: to the area's end); absent for a fleet.
    pub offset_m: Option<f32>,
    /// 1 = nearest the kerb; absent = all lanes, or told per reading.
    pub lane: Option<u8>,
    /// Where it stands.
    pub point: Option<Point>,
    /// Direction that it watches, clockwise from north.
    pub heading_deg: Option<f32>,
    /// Length of road that it sees; 0 = a point.
    pub length_m: f32,
    /// How often it reports.
    pub period_s: Option<f32>,
    /// How it speaks: `native`, …
    pub format: CompactString,
}

/// What a device is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum SensorKind {
    /// Inductive loop, or anything else that sees a point of the road.
    Loop,
    /// Radar.
    Radar,
    /// Camera that watches a line.
    Camera,
    /// Camera that watches a stretch of road.
    AreaCamera,
    /// Bluetooth or number-plate matcher.
    Bluetooth,
    /// Vehicles that tell where they are.
    ProbeFleet,
    /// A signal group of a traffic light.
    Signal,
}

impl SensorKind {
    /// All kinds.
    pub const ALL: [Self; 7] = [
        Self::Loop,
        Self::Radar,
        Self::Camera,
        Self::AreaCamera,
        Self::Bluetooth,
        Self::ProbeFleet,
        Self::Signal,
    ];

    /// Returns the name that registries use.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Loop => "loop",
            Self::Radar => "radar",
            Self::Camera => "camera",
            Self::AreaCamera => "area_camera",
            Self::Bluetooth => "bluetooth",
            Self::ProbeFleet => "probe_fleet",
            Self::Signal => "signal",
        }
    }

    /// Returns the kind of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// All devices of a city; immutable.
#[derive(Debug, Default)]
pub struct Registry {
    sensors: Vec<Sensor>,
    by_id: FxHashMap<SensorId, SensorIndex>,
}

impl Registry {
    /// Returns a registry of these devices; of several with one name the first stands.
    pub fn new(sensors: Vec<Sensor>) -> Self {
        let mut by_id = FxHashMap::default();
        for (i, sensor) in sensors.iter().enumerate() {
            by_id.entry(sensor.id.clone()).or_insert(SensorIndex(i as u32));
        }
        Self { sensors, by_id }
    }

    /// Returns all devices; a [`SensorIndex`] is a place in this slice.
    pub fn sensors(&self) -> &[Sensor] {
        &self.sensors
    }

    /// Returns the device of that name with its place.
    pub fn find(&self, id: &str) -> Option<(SensorIndex, &Sensor)> {
        let index = *self.by_id.get(id)?;
        Some((index, &self.sensors[index.0 as usize]))
    }

    /// Returns a device.
    ///
    /// # Panics
    /// When the index is of another registry.
    pub fn sensor(&self, index: SensorIndex) -> &Sensor {
        &self.sensors[index.0 as usize]
    }
}
