//! The state of a link: what the analyser knows of it at one instant, and how well.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{LinkId, Quality, Timestamp};

/// What is known of a link at one instant. What is not known is absent, never 0.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct LinkState {
    /// The link.
    pub link: LinkId,
    /// The boundary of log time up to which everything received was taken into account.
    pub valid_at: Timestamp,
    /// Space-mean speed.
    pub speed_kmh: Option<f32>,
    /// Lower end of the 80 % interval of the speed.
    pub speed_lo_kmh: Option<f32>,
    /// Upper end of the 80 % interval of the speed.
    pub speed_hi_kmh: Option<f32>,
    /// Speed of a lone driver: the posted limit where the map has it, else learned.
    pub free_flow_speed_kmh: Option<f32>,
    /// Vehicles per hour.
    pub flow_vph: Option<f32>,
    /// Passenger car units per hour.
    pub flow_pcuph: Option<f32>,
    /// Motorcycle units per hour.
    pub flow_mcuph: Option<f32>,
    /// Vehicles per kilometre.
    pub density_vpkm: Option<f32>,
    /// Time to drive along the link.
    pub travel_time_s: Option<f32>,
    /// Travel time beyond that at free flow.
    pub delay_s: Option<f32>,
    /// Length of the standing queue.
    pub queue_m: Option<f32>,
    /// The urban-street measure, so that links compare.
    pub level_of_service: Option<LevelOfService>,
    /// The facility's own measure.
    pub los_facility: Option<LevelOfService>,
    /// Speed at or below 40 % of base free flow.
    pub congested: Option<bool>,
    /// What the state rests on.
    pub source: Source,
    /// Age of the newest observation under it.
    pub age_s: Option<f32>,
    /// What is to be thought of it.
    pub quality: Quality,
}

impl LinkState {
    /// Returns the state of a link of which nothing is known.
    pub fn unknown(link: LinkId, valid_at: Timestamp) -> Self {
        Self {
            link,
            valid_at,
            speed_kmh: None,
            speed_lo_kmh: None,
            speed_hi_kmh: None,
            free_flow_speed_kmh: None,
            flow_vph: None,
            flow_pcuph: None,
            flow_mcuph: None,
            density_vpkm: None,
            travel_time_s: None,
            delay_s: None,
            queue_m: None,
            level_of_service: None,
            los_facility: None,
            congested: None,
            source: Source::None,
            age_s: None,
            quality: Quality::GOOD,
        }
    }
}

/// Level of service, best to worst (HCM 6, chapter 18: travel speed as a share of base free flow).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[repr(u8)]
pub enum LevelOfService {
    /// Above 80 %.
    A,
    /// Above 67 %.
    B,
    /// Above 50 %.
    C,
    /// Above 40 %.
    D,
    /// Above 30 %.
    E,
    /// At or below 30 %.
    F,
}

impl LevelOfService {
    /// All levels, best first.
    pub const ALL: [Self; 6] = [Self::A, Self::B, Self::C, Self::D, Self::E, Self::F];

    /// Shares of base free flow at or below which the levels B to F begin (HCM 6, exhibit 18-1).
    pub const SHARES: [f64; 5] = [0.80, 0.67, 0.50, 0.40, 0.30];

    /// Returns the level of an urban street.
    ///
    /// # Units
    /// `share`: travel speed / base free-flow speed.
    ///
    /// ```
    /// use model::LevelOfService;
    /// assert_eq!(LevelOfService::of_share(0.80), LevelOfService::B);
    /// assert_eq!(LevelOfService::of_share(0.41), LevelOfService::D);
    /// ```
    pub fn of_share(share: f64) -> Self {
        Self::ALL[Self::SHARES.iter().filter(|&&cut| share <= cut).count()]
    }
}

impl fmt::Display for LevelOfService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

/// What a state rests on, weakest first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
pub enum Source {
    /// Nothing is known.
    #[default]
    None,
    /// The usual for the time of day.
    Profile,
    /// The neighbourhood.
    Estimated,
    /// The link's own sensors.
    Observed,
}

impl Source {
    /// Returns the name that files use.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Profile => "profile",
            Self::Estimated => "estimated",
            Self::Observed => "observed",
        }
    }
}
