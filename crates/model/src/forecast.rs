//! What is expected of a link in the next hour, and how surely.

use serde::{Deserialize, Serialize};

use crate::{LinkId, Source, Timestamp};

/// What is expected of a link at some instants ahead, from what was known when it was made.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Forecast {
    /// The link.
    pub link: LinkId,
    /// The boundary of log time up to which everything received was taken into account.
    pub made_at: Timestamp,
    /// What it rests on: the link's own sensors, its neighbourhood, or the usual for the time of day.
    pub source: Source,
    /// Speed of a lone driver.
    pub free_flow_speed_kmh: f32,
    /// One for each of [`HORIZONS_S`](Self::HORIZONS_S), in that order; none at all where nothing is known any more.
    pub points: Vec<ForecastPoint>,
}

/// The speed that is expected so long after the forecast was made.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub struct ForecastPoint {
    /// Seconds ahead.
    pub horizon_s: u32,
    /// Space-mean speed of the five minutes that end then.
    pub speed_kmh: f32,
    /// Lower end of the 80 % interval of the speed.
    pub speed_lo_kmh: f32,
    /// Upper end of the 80 % interval of the speed.
    pub speed_hi_kmh: f32,
}

impl Forecast {
    /// How far ahead is looked, s.
    pub const HORIZONS_S: [u32; 6] = [300, 600, 900, 1800, 2700, 3600];

    /// Returns what is said where nothing is known any more: it takes an earlier forecast back.
    pub fn nothing(link: LinkId, made_at: Timestamp, free_flow_speed_kmh: f32) -> Self {
        Self { link, made_at, source: Source::None, free_flow_speed_kmh, points: Vec::new() }
    }
}
