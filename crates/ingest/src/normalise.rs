//! [`Decoded`] + where its sensor stands -> [`Observation`], or a [`Reject`]. Sync and pure: `received_at` is an
//! argument, the network and the registry are shared and immutable.

use std::sync::Arc;

use compact_str::CompactString;
use model::{LinkId, Observation, Probe, Quality, Reading, SensorId, Timestamp};
use roadnet::{LinkIndex, Network, Point, Registry, Sensor};
use serde::{Deserialize, Serialize};

use crate::decode::Decoded;
use crate::{Reason, Reject};

/// What is believed, and what is not. Section `ingest` of the configuration, but for the skew, which is
/// `clock.max_skew_s`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rules {
    /// An event whose `at` is further in the future than this goes to the dead letters (`clock_ahead`). Seconds.
    #[serde(skip)]
    pub max_skew_s: f64,
    /// An event whose `at` is older than this goes to the dead letters (`clock_behind`). Seconds; the default is what
    /// the log keeps.
    pub max_age_s: f64,
    /// An event whose `at` is older than this, or more than 2 s in the future, is used, but its clock is suspect.
    pub suspect_age_s: f64,
    /// How far from a link a vehicle may say that it is. Metres; twice the error of a phone between tall houses.
    pub snap_radius_m: f32,
    /// Where set, `vehicle_id`s are replaced by their keyed hash (BLAKE3), so that nothing behind ingest can tell whose
    /// they are. The same key on every ingest process. Empty = they are pseudonyms already.
    pub pseudonym_key: String,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            max_skew_s: 60.0,
            max_age_s: 7.0 * 86_400.0,
            suspect_age_s: 600.0,
            snap_radius_m: 30.0,
            pseudonym_key: String::new(),
        }
    }
}

/// Where log time comes from: `clock.mode`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClockMode {
    /// When ingest received it.
    #[default]
    Wall,
    /// What the event says itself: for replays. No clock is judged then; markers tell the newest event's time.
    Event,
}

/// An observation and where it goes.
#[derive(Clone, PartialEq, Debug)]
pub struct Placed {
    /// What goes into the log.
    pub observation: Observation,
    /// The link that it names.
    pub link: LinkIndex,
}

/// Places events on the network.
#[derive(Clone, Debug)]
pub struct Normaliser {
    network: Arc<Network>,
    registry: Arc<Registry>,
    rules: Rules,
    mode: ClockMode,
    pseudonym_key: Option<[u8; 32]>,
}

impl Normaliser {
    /// Returns a normaliser for this network and these sensors.
    pub fn new(network: Arc<Network>, registry: Arc<Registry>, rules: Rules, mode: ClockMode) -> Self {
        let key = &rules.pseudonym_key;
        let pseudonym_key = (!key.is_empty())
            .then(|| blake3::derive_key("luong ingest vehicle pseudonyms v1", key.as_bytes()));
        Self { network, registry, rules, mode, pseudonym_key }
    }

    /// Returns the network.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// Makes an observation of an event that `sensor` sent and that was received at `received_at` (which
    /// [`ClockMode::Event`] replaces by the event's own time).
    ///
    /// # Errors
    /// A [`Reject`] when it can't be placed or its clock can't be believed.
    pub fn normalise(&self, sensor: &str, event: Decoded, received_at: Timestamp) -> Result<Placed, Reject> {
        let Decoded { header, reading, quality, .. } = event;
        let received_at = match self.mode {
            ClockMode::Wall => received_at,
            ClockMode::Event => header.at,
        };
        let sensor = self.sensor(sensor)?;
        let quality = quality.with(self.judge_clock(header.at, received_at)?);
        let place = self.place(sensor, &reading)?;
        let observation = Observation {
            sensor: sensor.id.clone(),
            link: self.link_id(place.link),
            seq: header.seq,
            at: header.at,
            period_s: header.period_s.or(sensor.period_s),
            lane: header.lane.or(sensor.lane),
            offset_m: place.offset_m,
            received_at,
            quality: quality.with(place.quality),
            reading: self.without_names(reading),
        };
        Ok(Placed { observation, link: place.link })
    }

    fn sensor(&self, id: &str) -> Result<&Sensor, Reject> {
        let found = self.registry.find(id);
        found.map(|(_, sensor)| sensor).ok_or_else(|| {
            Reject::new(Reason::UnknownSensor, format!("{id:?} is not in the sensor registry; add it there"))
        })
    }

    fn link_id(&self, link: LinkIndex) -> LinkId {
        self.network.link(link).id.clone()
    }

    fn judge_clock(&self, at: Timestamp, received_at: Timestamp) -> Result<Quality, Reject> {
        /// 2000-01-01: a device that says less lost its clock (and one whose milliseconds are seconds says 1970).
        const LONG_AGO: Timestamp = Timestamp::from_millis(946_684_800_000);
        /// What NTP over a mobile network leaves.
        const USUAL_SKEW_S: f64 = 2.0;
        if at < LONG_AGO {
            let detail = format!("at {at} is before 2000; epoch times are in milliseconds, not seconds");
            return Err(Reject::new(Reason::ClockBehind, detail));
        }
        let age_s = received_at.seconds_since(at);
        if age_s < -self.rules.max_skew_s {
            let detail = format!("at {at} is {:.0} s ahead of the time of receipt, {received_at}", -age_s);
            return Err(Reject::new(Reason::ClockAhead, detail));
        }
        if age_s > self.rules.max_age_s {
            let detail = format!("at {at} is {age_s:.0} s behind the time of receipt, {received_at}");
            return Err(Reject::new(Reason::ClockBehind, detail));
        }
        let suspect = age_s < -USUAL_SKEW_S || age_s > self.rules.suspect_age_s;
        Ok(if suspect { Quality::CLOCK_SUSPECT } else { Quality::GOOD })
    }

    fn place(&self, sensor: &Sensor, reading: &Reading) -> Result<Place, Reject> {
        match reading {
            Reading::Probe(probe) => self.match_probe(probe),
            Reading::TravelTime(travel) => {
                self.sensor(travel.from_sensor.as_str())?;
                let to = self.sensor(travel.to_sensor.as_str())?;
                // A matcher without a place of its own speaks of the road that ends where vehicles were seen again.
                if sensor.link.is_some() { standing(sensor) } else { standing(to) }
            }
            _ => standing(sensor),
        }
    }

    /// The nearest link that a vehicle of this class may use and that goes its way.
    fn match_probe(&self, probe: &Probe) -> Result<Place, Reject> {
        let here = Point { lon: probe.lon, lat: probe.lat };
        let near = self.network.locate(here, self.rules.snap_radius_m, probe.heading_deg);
        let usable = near.iter().find(|located| {
            probe.class.is_none_or(|class| self.network.link(located.link).allowed.contains(class))
        });
        match usable.or(near.first()) {
            Some(located) => {
                Ok(Place { link: located.link, offset_m: Some(located.offset_m), quality: Quality::SNAPPED })
            }
            None => Err(Reject::new(
                Reason::OffNetwork,
                format!(
                    "no link that goes its way within {} m of lon {}, lat {}",
                    self.rules.snap_radius_m, probe.lon, probe.lat
                ),
            )),
        }
    }

    fn without_names(&self, mut reading: Reading) -> Reading {
        if let (Reading::Probe(probe), Some(key)) = (&mut reading, &self.pseudonym_key) {
            probe.vehicle = pseudonym(key, &probe.vehicle);
        }
        reading
    }
}

struct Place {
    link: LinkIndex,
    offset_m: Option<f32>,
    quality: Quality,
}

fn standing(sensor: &Sensor) -> Result<Place, Reject> {
    let Sensor { id, link, offset_m, .. } = sensor;
    let link = link.ok_or_else(|| no_link(id))?;
    Ok(Place { link, offset_m: *offset_m, quality: Quality::GOOD })
}

fn no_link(id: &SensorId) -> Reject {
    let detail =
        format!("the registry places {:?} on no link, and this kind of reading needs one", id.as_str());
    Reject::new(Reason::SensorWithoutLink, detail)
}

/// 64 bits: among ten million vehicles two share a pseudonym with a probability of 3 in a million.
fn pseudonym(key: &[u8; 32], vehicle: &str) -> CompactString {
    let hash = blake3::keyed_hash(key, vehicle.as_bytes());
    let mut name = CompactString::with_capacity(16);
    name.push_str(hash.to_hex().get(..16).unwrap_or_default());
    name
}
