//! What an operator may set. Every default names its reason.

mod check;
mod parts;
mod units;

use serde::{Deserialize, Serialize};

pub use check::ConfigError;
pub use parts::PartsConfig;
pub use units::UnitTable;

/// Step of log time at which what is typical, turns and couplings are learned, ms: once a signal cycle or so, for readings of one link
/// are no independent samples within one.
pub(crate) const LEARN_EVERY_MS: i64 = 60_000;

/// Settings of the analyser; frozen while it runs, and part of what a checkpoint must match.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Step of log time at which the links that heard something are estimated, ms.
    pub state_boundary_ms: i64,
    /// Step of log time at which the graph stage runs, ms; a multiple of `state_boundary_ms`.
    pub graph_boundary_ms: i64,
    /// A reading that is older than this when it arrives is too late to count, s. Identities are remembered as long.
    pub lateness_s: f64,
    /// The short window, s: one signal cycle or two.
    pub short_window_s: f64,
    /// The long window, s: the span of published five-minute figures.
    pub long_window_s: f64,
    /// A reading whose stamp is further ahead of log time than this is not believed, s.
    pub max_skew_s: f64,
    /// `congested`: speed at or below this share of free flow.
    pub congested_share: f64,
    /// `congested` is told when its probability is at least this.
    pub congested_probability: f64,
    /// It is taken back when the probability has fallen by this below the bar.
    pub hysteresis_probability: f64,
    /// A level of service is left only when another is worth this much more: a right one counts 1, its neighbours one half.
    pub hysteresis_level: f64,
    /// Passenger car units per vehicle.
    pub pcu: UnitTable,
    /// Motorcycle units per vehicle.
    pub mcu: UnitTable,
    /// Persons in a vehicle.
    pub persons: UnitTable,
    /// Levels of service by a facility's own measure.
    pub facility: FacilityConfig,
    /// Queues.
    pub queue: QueueConfig,
    /// Incidents.
    pub incident: IncidentConfig,
    /// Sensor health.
    pub health: HealthConfig,
    /// Forecasts.
    pub forecast: ForecastConfig,
    /// Parts that may be left out.
    pub parts: PartsConfig,
}

/// Up to which value of its own measure a facility has the levels of service A to E; beyond the last it is F.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FacilityConfig {
    /// Expressways: passenger cars per km and lane.
    pub density_pcpkmln: [f64; 5],
    /// Links with a signal at their end: control delay, s per vehicle.
    pub signal_delay_s: [f64; 5],
    /// Links that give way at their end: control delay, s per vehicle.
    pub give_way_delay_s: [f64; 5],
}

/// When connected congested links are told as a queue.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct QueueConfig {
    /// A link counts as congested here when the probability of that is at least this.
    pub probability: f64,
    /// It counts as free again when the probability has fallen by this below the bar.
    pub hysteresis_probability: f64,
    /// A link joins after it was congested this long, s. Shorter ones are the red of a signal.
    pub join_after_s: f64,
    /// A link leaves after it was not congested this long, s.
    pub leave_after_s: f64,
    /// A link hangs on another only when this share of its traffic turns into it.
    pub least_turn_share: f64,
    /// A link hangs on another only when that was congested no later than this after it, s.
    pub onset_tolerance_s: f64,
    /// A queue is told when it has two links or is this long, m.
    pub min_length_m: f64,
    /// An open queue is told again when its length changed by this share, or its links changed.
    pub update_share: f64,
    /// Open queues are told again at most this often, s.
    pub update_every_s: f64,
    /// A queue that fills this share of its last link blocks the junction behind it.
    pub spillback_share: f64,
    /// A queue that will fill it within this time is warned of, s.
    pub spillback_ahead_s: f64,
}

/// When something is told to block the road.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct IncidentConfig {
    /// False alarms that the operator accepts, a day and 1,000 links that are heard; 0 = no incident is told.
    pub false_alarms_per_day_per_1000_links: f64,
    /// An incident is over when nothing has spoken for it for this long, s.
    pub clear_after_s: f64,
    /// An open incident is told again at most this often, s.
    pub update_every_s: f64,
}

/// When a sensor is told as faulty.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HealthConfig {
    /// A device that reports regularly is silent when it missed this many of its periods in a row.
    pub silent_periods: f64,
    /// A value that is not zero and stands still for this many readings is stuck.
    pub stuck_readings: u32,
    /// A device's clock is off when all its recent readings disagree with log time by more than this, s.
    pub clock_off_s: f64,
    /// A device is blind when it sees nobody for this long, s, and
    pub blind_after_s: f64,
    /// so many vehicles should have passed it, and no other device of its link and no probe says that the street is empty.
    pub blind_vehicles: f64,
}

/// What forecasts rest on, and when they are told.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ForecastConfig {
    /// How far the city's clocks are ahead of UTC, min: they tell working days from weekends.
    pub utc_offset_min: i64,
    /// A forecast is told again when a speed in it changed by this share of free flow, or an end of an interval by twice this.
    pub tell_share: f64,
    /// It is told again after this long even if nothing changed, s: who reads it knows that it still holds.
    pub tell_every_s: f64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            // Below what an operator can see, above what a tick costs.
            state_boundary_ms: 250,
            // Queues grow by tens of metres in 5 s (jam wave about 15-18 km/h).
            graph_boundary_ms: 5_000,
            // Field devices keep up to some minutes of readings through a lost connection.
            lateness_s: 600.0,
            short_window_s: 60.0,
            long_window_s: 300.0,
            max_skew_s: 60.0,
            // The contract's definition.
            congested_share: 0.40,
            // A missed jam costs what three false ones do. A bar at half of the F1 that can be reached is also the one
            // that reaches it (Lipton et al. 2014).
            congested_probability: 0.25,
            hysteresis_probability: 0.04,
            // A minute's chance moves the probability of a level by a tenth; this keeps false flaps below one in two hours.
            hysteresis_level: 0.08,
            pcu: units::PCU,
            mcu: units::MCU,
            persons: units::PERSONS,
            facility: FacilityConfig::default(),
            queue: QueueConfig::default(),
            incident: IncidentConfig::default(),
            health: HealthConfig::default(),
            forecast: ForecastConfig::default(),
            parts: PartsConfig::default(),
        }
    }
}

impl Default for FacilityConfig {
    fn default() -> Self {
        Self {
            // HCM 6, exhibit 12-15: 11, 18, 26, 35, 45 pc/mi/ln.
            density_pcpkmln: [6.8, 11.2, 16.2, 21.7, 28.0],
            // HCM 6, exhibit 19-8.
            signal_delay_s: [10.0, 20.0, 35.0, 55.0, 80.0],
            // HCM 6, exhibits 20-2 (minor street) and 22-8 (roundabouts).
            give_way_delay_s: [10.0, 15.0, 25.0, 35.0, 50.0],
        }
    }
}

impl Default for QueueConfig {
    fn default() -> Self {
        Self {
            // More likely than not: a head is a claim about a cause.
            probability: 0.5,
            // A bar for going that is lower than that for coming does what a longer wait would, and does not make who is surely jammed
            // wait: about one jam in two that is left at 0.4 is still there.
            hysteresis_probability: 0.1,
            // Half of a usual cycle, on top of the minutes over which the estimate smooths.
            join_after_s: 30.0,
            leave_after_s: 60.0,
            // A turn that fewer take has room beside those who wait for it.
            least_turn_share: 0.15,
            // What is estimated of a link without sensors lags by the long window.
            onset_tolerance_s: 300.0,
            min_length_m: 0.0,
            update_share: 0.2,
            update_every_s: 60.0,
            // HCM: storage that is 95 % full counts as blocked.
            spillback_share: 0.95,
            // Time to change a signal plan or to send someone; beyond it the growth of minutes ago says little.
            spillback_ahead_s: 300.0,
        }
    }
}

impl Default for IncidentConfig {
    fn default() -> Self {
        Self {
            // The lowest rate that is published of a detector on roads: McMaster, 0.0018 % of decisions every 30 s.
            false_alarms_per_day_per_1000_links: 50.0,
            // Probes are minutes apart.
            clear_after_s: 300.0,
            update_every_s: 60.0,
        }
    }
}

impl Default for HealthConfig {
    fn default() -> Self {
        Self {
            silent_periods: 10.0,
            stuck_readings: 8,
            clock_off_s: 45.0,
            // Incidents block a street for that long at most, as a rule.
            blind_after_s: 900.0,
            // Chance alone: exp(-60). Demand that changes and streets that are blocked leave less of it.
            blind_vehicles: 60.0,
        }
    }
}

impl Default for ForecastConfig {
    fn default() -> Self {
        // Vietnam's clocks. A change of 3 % (1.5 of 50 km/h) is below what drivers notice.
        Self { utc_offset_min: 420, tell_share: 0.03, tell_every_s: 900.0 }
    }
}

impl ForecastConfig {
    pub(crate) fn ahead_ms(&self) -> i64 {
        self.utc_offset_min * 60_000
    }
}

impl Config {
    pub(crate) fn lateness_ms(&self) -> i64 {
        (self.lateness_s * 1000.0) as i64
    }
}
