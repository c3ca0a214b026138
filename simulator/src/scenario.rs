//! Scenarios: which city, which hour, how much traffic, which incidents and which faults. A TOML file, or one of the
//! built-in ones, which are such files too.

use std::path::Path;
use std::{fs, io};

use model::Timestamp;
use roadnet::{LinkIndex, Network};
use serde::{Deserialize, Serialize};

use crate::city::{self, City, Instruments, PlanError};
use crate::nearest::nearest;

/// What happens, where and when. Every key may be left out.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Scenario {
    /// One line for lists.
    pub title: String,
    /// Which city.
    pub city: CityChoice,
    /// Local time of the day at which it begins, hours: 7.25 is a quarter past seven.
    pub start_hour: f64,
    /// How long it lasts, in seconds of its own time; 0 = until it is stopped.
    pub duration_s: u64,
    /// Traffic before the beginning that nobody sees, so that the roads are not empty, in seconds.
    pub warmup_s: u64,
    /// Traffic as a multiple of what the network carries well in its peaks.
    pub demand: f64,
    /// Event time of the beginning where none is given otherwise and nothing is published live.
    pub starts_at: String,
    /// What blocks lanes.
    pub incident: Vec<PlannedIncident>,
    /// Which devices there are.
    pub sensors: Instruments,
    /// How well they measure.
    pub measuring: Measuring,
    /// What the way to the broker does to events.
    pub field: Field,
    /// What breaks.
    pub faults: Faults,
}

/// Which city: the demo, or a made-up one.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CityChoice {
    /// `"haiphong"` or `"synthetic"`.
    pub name: String,
    /// Of a made-up city: about how many links.
    pub links: usize,
    /// Of a made-up city: its seed.
    pub seed: u64,
}

/// Something that blocks lanes for a while.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PlannedIncident {
    /// A link id, a street name (its busiest link is taken), or empty: any artery, by the seed.
    pub at: String,
    /// Place on the link, as a share of its length.
    pub position: f64,
    /// When it begins, seconds after the beginning.
    pub start_s: u64,
    /// How long it lasts.
    pub duration_s: u64,
    /// Lanes that it blocks.
    pub lanes: u32,
    /// Happens again every so many seconds, each time somewhere else where `at` is empty; 0 = once.
    pub every_s: u64,
}

/// How well devices measure.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Measuring {
    /// Standard deviation of a vehicle's measured speed, as a share of it.
    pub speed_noise: f64,
    /// Motorcycles that a loop misses because others pass beside them, at capacity.
    pub loop_miss: f64,
    /// Vehicles that a camera does not see.
    pub camera_miss: f64,
    /// Motorcycles, bicycles and other classes that a camera takes for each other.
    pub camera_confusion: f64,
    /// Share of loops that report lane by lane.
    pub per_lane_share: f64,
    /// Of the vehicles: share of motorcycle taxis that tell where they are.
    pub probe_motorcycles: f64,
    /// Share of buses that tell where they are.
    pub probe_buses: f64,
    /// Share of trucks and trailers that tell where they are.
    pub probe_trucks: f64,
    /// How often a probe tells, seconds.
    pub probe_period_s: u64,
    /// Standard deviation of a probe's position in each direction, metres.
    pub gps_noise_m: f64,
    /// Vehicles that a Bluetooth matcher recognises.
    pub bluetooth_share: f64,
    /// Incidents on a link with a camera that the camera reports.
    pub alert_share: f64,
    /// Alerts a day and camera about nothing.
    pub false_alerts_per_day: f64,
}

/// What the way from the device to the broker does to events.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Field {
    /// Events that never arrive.
    pub loss: f64,
    /// Events that arrive twice.
    pub duplicates: f64,
    /// Delay: half of the events are faster.
    pub delay_median_s: f64,
    /// Delay: one in a hundred is slower.
    pub delay_p99_s: f64,
}

/// What breaks, as shares of the loops and cameras, at a random time of the first hour.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Faults {
    /// Devices that fall silent.
    pub dead: f64,
    /// Devices that repeat their last values for ever.
    pub stuck: f64,
    /// Devices whose clock is off from the beginning.
    pub clock: f64,
    /// By how much such a clock is off, seconds; half of them late.
    pub clock_offset_s: f64,
    /// Devices that count far too much.
    pub chatter: f64,
}

impl Default for Scenario {
    fn default() -> Self {
        Self {
            title: "a scenario without a title".to_owned(),
            city: CityChoice::default(),
            start_hour: 7.0,
            duration_s: 3600,
            warmup_s: 900,
            demand: 1.0,
            starts_at: "2026-11-23T00:00:00Z".to_owned(),
            incident: Vec::new(),
            sensors: Instruments::default(),
            measuring: Measuring::default(),
            field: Field::default(),
            faults: Faults::default(),
        }
    }
}

impl Default for CityChoice {
    fn default() -> Self {
        Self { name: "haiphong".to_owned(), links: 5000, seed: 1 }
    }
}

impl Default for PlannedIncident {
    fn default() -> Self {
        Self { at: String::new(), position: 0.6, start_s: 600, duration_s: 900, lanes: 1, every_s: 0 }
    }
}

impl Default for Measuring {
    fn default() -> Self {
        Self {
            speed_noise: 0.05,
            loop_miss: 0.15,
            camera_miss: 0.04,
            camera_confusion: 0.03,
            per_lane_share: 0.5,
            probe_motorcycles: 0.02,
            probe_buses: 0.6,
            probe_trucks: 0.4,
            probe_period_s: 10,
            gps_noise_m: 5.0,
            bluetooth_share: 0.08,
            alert_share: 0.8,
            false_alerts_per_day: 0.2,
        }
    }
}

impl Default for Field {
    fn default() -> Self {
        Self { loss: 0.01, duplicates: 0.01, delay_median_s: 0.3, delay_p99_s: 3.0 }
    }
}

impl Default for Faults {
    fn default() -> Self {
        Self { dead: 0.0, stuck: 0.0, clock: 0.0, clock_offset_s: 90.0, chatter: 0.0 }
    }
}

/// A scenario that can't be used.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// Neither a built-in name nor a file.
    #[error("there is no scenario {name:?}{}; `luong-sim list` shows the built-in ones, or give a file", meant(.nearest))]
    Unknown {
        /// What was asked for.
        name: String,
        /// What may have been meant.
        nearest: Option<String>,
    },
    /// The file can't be read.
    #[error("{path}: can't be read")]
    Read {
        /// The file.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// The file is no scenario.
    #[error("{path}: {what}")]
    Syntax {
        /// The file.
        path: String,
        /// What is wrong, and where.
        what: String,
    },
    /// A value makes no sense.
    #[error("{key} is {value}; it must be {wanted}")]
    Value {
        /// Which.
        key: &'static str,
        /// What it is.
        value: String,
        /// What it may be.
        wanted: &'static str,
    },
    /// An incident on no road.
    #[error("incident at {at:?}: the city has no such link or street{}", meant(.nearest))]
    NoSuchPlace {
        /// What was asked for.
        at: String,
        /// What may have been meant.
        nearest: Option<String>,
    },
    /// The city can't be made.
    #[error(transparent)]
    City(#[from] PlanError),
}

fn meant(nearest: &Option<String>) -> String {
    nearest.as_ref().map_or(String::new(), |name| format!(" (did you mean {name:?}?)"))
}

/// The built-in scenarios: name and file.
const BUILT_IN: [(&str, &str); 7] = [
    ("haiphong-demo", include_str!("scenarios/haiphong-demo.toml")),
    ("rush-hour", include_str!("scenarios/rush-hour.toml")),
    ("bridge-incident", include_str!("scenarios/bridge-incident.toml")),
    ("port-night", include_str!("scenarios/port-night.toml")),
    ("sensor-faults", include_str!("scenarios/sensor-faults.toml")),
    ("calm", include_str!("scenarios/calm.toml")),
    ("big-city", include_str!("scenarios/big-city.toml")),
];

impl Scenario {
    /// Returns the names of the built-in scenarios.
    pub fn built_in() -> impl Iterator<Item = &'static str> {
        BUILT_IN.iter().map(|(name, _)| *name)
    }

    /// Returns the built-in scenario of that name, or the one in the file of that path.
    ///
    /// # Errors
    /// When there is neither, or the file does not read; the error names the nearest key or scenario.
    pub fn load(name: &str) -> Result<Self, ScenarioError> {
        if let Some((_, text)) = BUILT_IN.iter().find(|(known, _)| *known == name) {
            return Self::parse(name, text);
        }
        let path = Path::new(name);
        if !path.exists() && !name.contains(['/', '.']) {
            let nearest = nearest(name, Self::built_in()).map(str::to_owned);
            return Err(ScenarioError::Unknown { name: name.to_owned(), nearest });
        }
        let text = fs::read_to_string(path)
            .map_err(|source| ScenarioError::Read { path: name.to_owned(), source })?;
        Self::parse(name, &text)
    }

    /// Reads a scenario's text; `path` is for the errors.
    ///
    /// # Errors
    /// When the text is no TOML, has an unknown key, or a value makes no sense.
    pub fn parse(path: &str, text: &str) -> Result<Self, ScenarioError> {
        let scenario: Self = toml::from_str(text)
            .map_err(|error| ScenarioError::Syntax { path: path.to_owned(), what: explain(&error) })?;
        scenario.check()?;
        Ok(scenario)
    }

    fn check(&self) -> Result<(), ScenarioError> {
        let (m, f, s) = (&self.measuring, &self.faults, &self.sensors);
        let shares = [
            ("field.loss", self.field.loss),
            ("field.duplicates", self.field.duplicates),
            ("faults.dead", f.dead),
            ("faults.stuck", f.stuck),
            ("faults.clock", f.clock),
            ("faults.chatter", f.chatter),
            ("sensors.loop_share", s.loop_share),
            ("sensors.area_camera_share", s.area_camera_share),
            ("sensors.radar_share", s.radar_share),
            ("sensors.signal_share", s.signal_share),
            ("sensors.bluetooth_share", s.bluetooth_share),
            ("measuring.loop_miss", m.loop_miss),
            ("measuring.camera_miss", m.camera_miss),
            ("measuring.camera_confusion", m.camera_confusion),
            ("measuring.per_lane_share", m.per_lane_share),
            ("measuring.probe_motorcycles", m.probe_motorcycles),
            ("measuring.probe_buses", m.probe_buses),
            ("measuring.probe_trucks", m.probe_trucks),
            ("measuring.bluetooth_share", m.bluetooth_share),
            ("measuring.alert_share", m.alert_share),
        ];
        for (key, value) in shares {
            within(key, value, 0.0..=1.0, "a share from 0 to 1")?;
        }
        within("start_hour", self.start_hour, 0.0..=24.0, "an hour from 0 to 24")?;
        within("demand", self.demand, 0.0..=10.0, "from 0 to 10")?;
        within("sensors.period_s", s.period_s, 1.0..=3600.0, "from 1 to 3600 seconds")?;
        within("measuring.speed_noise", m.speed_noise, 0.0..=1.0, "from 0 to 1")?;
        within("measuring.gps_noise_m", m.gps_noise_m, 0.0..=1000.0, "from 0 to 1000 metres")?;
        within("measuring.probe_period_s", m.probe_period_s as f64, 1.0..=3600.0, "from 1 to 3600 seconds")?;
        within("field.delay_median_s", self.field.delay_median_s, 0.0..=3600.0, "from 0 to 3600 seconds")?;
        let p99 = self.field.delay_p99_s;
        within("field.delay_p99_s", p99, self.field.delay_median_s..=7200.0, "at least the median")?;
        if s.period_s.fract() != 0.0 {
            return value("sensors.period_s", s.period_s, "whole seconds");
        }
        if self.starts_at().is_none() {
            return value("starts_at", &self.starts_at, "an RFC 3339 time with a zone");
        }
        if !["haiphong", "synthetic"].contains(&self.city.name.as_str()) {
            return value("city.name", &self.city.name, "\"haiphong\" or \"synthetic\"");
        }
        for incident in &self.incident {
            within("incident.position", incident.position, 0.0..=1.0, "a share from 0 to 1")?;
        }
        Ok(())
    }

    pub(crate) fn starts_at(&self) -> Option<Timestamp> {
        Timestamp::parse(&self.starts_at).ok()
    }

    /// Builds the scenario's city with its devices.
    ///
    /// # Errors
    /// When the city can't be made.
    pub fn city(&self, seed: u64) -> Result<City, ScenarioError> {
        let mut city = match self.city.name.as_str() {
            "synthetic" => city::synthetic(self.city.seed, self.city.links)?,
            _ => city::demo()?,
        };
        // The demo city is the one that `luong up` shows: its devices stay where they are, whatever the seed.
        let seed = if self.city.name == "synthetic" { seed } else { 1 };
        city.registry = city::equip(&city.network, &self.sensors, seed);
        Ok(city)
    }
}

impl PlannedIncident {
    /// Returns the link that it is on, when it is told.
    pub(crate) fn link(&self, network: &Network) -> Result<Option<LinkIndex>, ScenarioError> {
        if self.at.is_empty() {
            return Ok(None);
        }
        let of_street = || {
            network
                .indices()
                .filter(|&link| network.link(link).name == self.at.as_str())
                .max_by(|&a, &b| network.link(a).length_m.total_cmp(&network.link(b).length_m))
        };
        network.find(&self.at).or_else(of_street).map(Some).ok_or_else(|| ScenarioError::NoSuchPlace {
            at: self.at.clone(),
            nearest: nearest(
                &self.at,
                network.links().iter().flat_map(|link| [link.name.as_str(), link.id.as_str()]),
            )
            .map(str::to_owned),
        })
    }
}

fn within(
    key: &'static str,
    given: f64,
    range: std::ops::RangeInclusive<f64>,
    wanted: &'static str,
) -> Result<(), ScenarioError> {
    if range.contains(&given) { Ok(()) } else { value(key, given, wanted) }
}

fn value(
    key: &'static str,
    value: impl std::fmt::Display,
    wanted: &'static str,
) -> Result<(), ScenarioError> {
    Err(ScenarioError::Value { key, value: value.to_string(), wanted })
}

/// Returns the error's words, with the nearest known key where one is unknown.
fn explain(error: &toml::de::Error) -> String {
    let text = error.to_string();
    let mut quoted = error.message().split('`').skip(1).step_by(2);
    let unknown = error.message().starts_with("unknown field").then(|| quoted.next()).flatten();
    match unknown.and_then(|key| nearest(key, quoted)) {
        Some(key) => format!("{} (did you mean `{key}`?)", text.trim_end()),
        None => text.trim_end().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_scenario_reads_and_has_a_title() {
        for name in Scenario::built_in() {
            let scenario = Scenario::load(name).unwrap();
            assert_ne!(scenario.title, Scenario::default().title, "{name}");
        }
    }

    #[test]
    fn an_unknown_key_is_refused_with_the_nearest_known_one() {
        let error = Scenario::parse("x.toml", "[field]\nlos = 0.1\n").unwrap_err().to_string();
        assert!(error.contains("x.toml") && error.contains("did you mean `loss`"), "{error}");
    }

    #[test]
    fn an_unknown_scenario_is_refused_with_the_nearest_known_one() {
        let error = Scenario::load("rushhour").unwrap_err().to_string();
        assert!(error.contains("rush-hour"), "{error}");
    }

    #[test]
    fn a_share_above_one_is_refused_by_its_key() {
        let error = Scenario::parse("x.toml", "[faults]\ndead = 3\n").unwrap_err().to_string();
        assert!(error.contains("faults.dead"), "{error}");
    }

    #[test]
    fn an_incident_on_no_street_is_refused_with_the_nearest_one() {
        let city = city::demo().unwrap();
        let incident = PlannedIncident { at: "Lach Tray".to_owned(), ..PlannedIncident::default() };
        let error = incident.link(&city.network).unwrap_err().to_string();
        assert!(error.contains("Lạch Tray") || error.contains("LachTray"), "{error}");
    }

    #[test]
    fn the_demo_has_the_sensors_of_the_demo_city() {
        let (demo, city) = (Scenario::load("haiphong-demo").unwrap(), city::demo().unwrap());
        let ids = |r: &roadnet::Registry| r.sensors().iter().map(|s| s.id.clone()).collect::<Vec<_>>();
        assert_eq!(ids(&demo.city(77).unwrap().registry), ids(&city.registry));
    }
}
