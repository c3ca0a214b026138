//! What the map and the registry say of a link once and for all.

use roadnet::{Network, Registry, RoadClass, Sensor, SensorKind};
use rustc_hash::FxHashMap;

use crate::facility::{self, Facility};

/// The fixed facts of a link that the estimates use.
#[derive(Clone, Debug)]
pub(crate) struct Site {
    pub(crate) length_m: f64,
    /// Free-flow speed, km/h: the posted limit, or that of the road's class where the map has none.
    pub(crate) free_kmh: f64,
    /// Whether the map has a limit for it.
    pub(crate) posted: bool,
    /// A motorway or a trunk road.
    pub(crate) fast_road: bool,
    pub(crate) lanes: f64,
    /// Of all lanes, m.
    pub(crate) width_m: f64,
    /// By which measure of its own it is judged.
    pub(crate) facility: Option<Facility>,
    pub(crate) partition: u32,
    /// Whether this process owns its partition; of other links it says nothing.
    pub(crate) owned: bool,
}

/// What the estimate needs to know of a sensor.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Device {
    pub(crate) kind: SensorKind,
    /// How often it reports, ms; 0 where it speaks only when something happens.
    pub(crate) period_ms: i64,
    /// Length of road that it sees, m; 0 = a point.
    pub(crate) reach_m: f64,
    /// From the link's start, m; the middle where the registry does not say.
    pub(crate) offset_m: f64,
    /// The line of its link that it counts at, where vehicles can be counted onto a stretch and off it.
    pub(crate) gate: Option<Gate>,
    /// The partition in which it stands, and its number among the sensors there; `None` for a fleet.
    home: Option<(u32, u32)>,
}

/// The two lines of a link between which its vehicles are counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Gate {
    /// The first point detector.
    In,
    /// A camera that watches the stop line, with its stretch behind that detector.
    Out,
}

/// `owned`: the numbers of the owned partitions, sorted, of so many.
pub(crate) fn sites(network: &Network, owned: &[u32], partitions: u32) -> Vec<Site> {
    network
        .indices()
        .zip(facility::facilities(network))
        .map(|(index, facility)| {
            let link = network.link(index);
            let partition = network.partition(index, partitions);
            Site {
                length_m: f64::from(link.length_m),
                free_kmh: f64::from(link.speed_limit_kmh),
                posted: !link.defaults.speed_limit,
                fast_road: matches!(link.class, RoadClass::Motorway | RoadClass::Trunk),
                lanes: f64::from(link.lanes).max(0.5),
                width_m: f64::from(link.width_m),
                facility,
                partition,
                owned: owned.binary_search(&partition).is_ok(),
            }
        })
        .collect()
}

pub(crate) fn devices(network: &Network, registry: &Registry, sites: &[Site]) -> Vec<Device> {
    let mut numbers: FxHashMap<u32, u32> = FxHashMap::default();
    let mut home = |sensor: &Sensor| {
        let partition = sites[sensor.link?.index()].partition;
        let next = numbers.entry(partition).or_insert(0);
        *next += 1;
        Some((partition, *next - 1))
    };
    let mut devices: Vec<Device> = registry
        .sensors()
        .iter()
        .map(|sensor| Device {
            kind: sensor.kind,
            period_ms: sensor.period_s.map_or(0, |s| (f64::from(s) * 1000.0) as i64),
            reach_m: Some(f64::from(sensor.length_m)).filter(|m| m.is_finite() && *m > 0.0).unwrap_or(0.0),
            offset_m: sensor.offset_m.map_or_else(|| middle_m(network, sensor), f64::from),
            gate: None,
            home: home(sensor),
        })
        .collect();
    set_gates(&mut devices, registry, sites);
    devices
}

/// Finds the lines between which the vehicles of a link can be counted.
fn set_gates(devices: &mut [Device], registry: &Registry, sites: &[Site]) {
    /// A camera whose stretch ends this close to the link's end sees all who leave, m.
    const AT_THE_END_M: f64 = 10.0;
    let link_of = |sensor: usize| registry.sensors()[sensor].link.map(roadnet::LinkIndex::index);
    let is_point = |device: &Device| device.counts() && device.reach_m == 0.0;
    let mut first_m: FxHashMap<usize, f64> = FxHashMap::default();
    for (sensor, device) in devices.iter().enumerate().filter(|(_, device)| is_point(device)) {
        if let Some(link) = link_of(sensor) {
            let first_m = first_m.entry(link).or_insert(f64::INFINITY);
            *first_m = first_m.min(device.offset_m);
        }
    }
    for (sensor, device) in devices.iter_mut().enumerate() {
        let Some((link, &first_m)) = link_of(sensor).and_then(|link| Some((link, first_m.get(&link)?)))
        else {
            continue;
        };
        let end_m = device.offset_m + device.reach_m;
        let watches_end = device.reach_m > 0.0 && end_m >= sites[link].length_m - AT_THE_END_M;
        device.gate = match is_point(device) {
            true if device.offset_m == first_m => Some(Gate::In),
            false if device.counts() && watches_end && device.offset_m > first_m => Some(Gate::Out),
            _ => None,
        };
    }
}

fn middle_m(network: &Network, sensor: &Sensor) -> f64 {
    sensor.link.map_or(0.0, |link| f64::from(network.link(link).length_m) / 2.0)
}

/// Returns the time that a place which a vehicle tells stands for, ms: its fleet's period, where that is known.
pub(crate) fn step_ms(device: Option<&Device>) -> i64 {
    /// Most fleets' vehicles tell where they are every ten seconds.
    const USUAL_STEP_MS: i64 = 10_000;
    device.map(|device| device.period_ms).filter(|ms| *ms > 0).unwrap_or(USUAL_STEP_MS)
}

impl Site {
    /// Tells whether a signal stands at its end.
    pub(crate) fn has_signal(&self) -> bool {
        self.facility == Some(Facility::Signal)
    }

    /// Tells whether those who come to its end wait for a gap in the traffic of another road.
    pub(crate) fn gives_way(&self) -> bool {
        self.facility == Some(Facility::GiveWay)
    }
}

#[cfg(test)]
impl Site {
    /// A street of 300 m.
    pub(crate) fn with_lanes(lanes: f64) -> Self {
        Self {
            length_m: 300.0,
            free_kmh: 50.0,
            posted: true,
            fast_road: false,
            lanes,
            width_m: 3.25 * lanes,
            facility: Some(Facility::Signal),
            partition: 0,
            owned: true,
        }
    }
}

#[cfg(test)]
impl Device {
    /// A loop that reports every 30 s.
    pub(crate) fn point(offset_m: f64) -> Self {
        Self { kind: SensorKind::Loop, period_ms: 30_000, reach_m: 0.0, offset_m, gate: None, home: None }
    }

    /// A fleet whose vehicles tell where they are every 10 s.
    pub(crate) fn fleet() -> Self {
        Self {
            kind: SensorKind::ProbeFleet,
            period_ms: 10_000,
            reach_m: 0.0,
            offset_m: 150.0,
            gate: None,
            home: None,
        }
    }
}

impl Device {
    /// Returns its number among the sensors of that partition, if it stands there.
    pub(crate) fn number_in(&self, partition: u32) -> Option<u32> {
        self.home.filter(|(home, _)| *home == partition).map(|(_, number)| number)
    }

    /// Tells whether it counts vehicles, period by period.
    pub(crate) fn counts(&self) -> bool {
        matches!(
            self.kind,
            SensorKind::Loop | SensorKind::Radar | SensorKind::Camera | SensorKind::AreaCamera
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::streets::streets;

    /// The gates of the devices at those places of a link of 300 m, each with the length of road that it sees.
    fn gates<const N: usize>(places_m: [(SensorKind, f32, f32); N]) -> [Option<Gate>; N] {
        let network = streets(&[((0, 0), (3, 0))]);
        let sensors = places_m.map(|(kind, offset_m, length_m)| Sensor {
            id: format!("{offset_m}-{length_m}").as_str().into(),
            kind,
            link: Some(roadnet::LinkIndex(0)),
            offset_m: Some(offset_m),
            lane: None,
            point: None,
            heading_deg: None,
            length_m,
            period_s: Some(30.0),
            format: "native".into(),
        });
        let registry = Registry::new(sensors.to_vec());
        let devices = devices(&network, &registry, &sites(&network, &[0], 1));
        std::array::from_fn(|sensor| devices[sensor].gate)
    }

    #[test]
    fn vehicles_are_counted_from_the_first_loop_to_the_camera_at_the_stop_line() {
        use SensorKind::{AreaCamera, Loop};
        let (into, out) = (Some(Gate::In), Some(Gate::Out));
        assert_eq!(
            gates([(Loop, 100.0, 0.0), (Loop, 200.0, 0.0), (AreaCamera, 250.0, 50.0)]),
            [into, None, out]
        );
        assert_eq!(
            gates([(Loop, 270.0, 0.0), (AreaCamera, 250.0, 50.0)])[1],
            None,
            "the loop is in the stretch"
        );
        assert_eq!(gates([(Loop, 100.0, 0.0), (AreaCamera, 200.0, 50.0)])[1], None, "cars leave unseen");
        assert_eq!(gates([(AreaCamera, 250.0, 50.0)]), [None], "no loop");
        assert_eq!(gates([(SensorKind::Signal, 10.0, 0.0), (AreaCamera, 250.0, 50.0)]), [None, None]);
    }

    #[test]
    fn a_fleet_that_does_not_say_how_often_its_vehicles_speak_is_taken_for_a_usual_one() {
        let silent = Device { period_ms: 0, ..Device::fleet() };
        assert_eq!([Some(&silent), None].map(step_ms), [10_000; 2]);
        assert_eq!(step_ms(Some(&Device { period_ms: 5_000, ..silent })), 5_000);
    }
}
