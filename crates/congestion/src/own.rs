//! What a link's own sensors say.

use std::sync::LazyLock;

use model::{LevelOfService, Quality};
use serde::{Deserialize, Serialize};

use crate::Config;
use crate::bands::SummedUp;
use crate::cycle::Cycle;
use crate::flow::{Flow, Passages};
use crate::fusion::Belief;
use crate::handed::Handed;
use crate::health::Health;
use crate::partition::Context;
use crate::regime::{self, Regimes};
use crate::sample::{Sample, What};
use crate::site::Site;

/// What a link's own sensors say. NaN = not known.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
#[serde(from = "Handed", into = "Handed")]
pub(crate) struct Own {
    /// Joined belief of all sources and of what is typical.
    pub(crate) belief: Regimes,
    /// `y` of those who passed its loops last, as they measured it.
    pub(crate) passing_y: f64,
    pub(crate) flow_vph: f64,
    pub(crate) flow_pcuph: f64,
    pub(crate) flow_mcuph: f64,
    pub(crate) flow_personph: f64,
    pub(crate) queue_m: f64,
    /// Vehicles that were seen to be on the link, per km.
    pub(crate) stored_vpkm: f64,
    /// Length of the queue of those who were counted onto the link and not off it, m, where it fills the camera's stretch.
    pub(crate) counted_m: f64,
    pub(crate) probes: Fleet,
    /// Of its signal, where that tells its times.
    pub(crate) cycle: Cycle,
    /// Free-flow speed where it is learned, km/h.
    pub(crate) free_kmh: f64,
    /// End of the newest period, event time, ms; `i64::MIN` where nothing was heard that still counts.
    pub(crate) newest_at: i64,
    /// Flags of [`Quality`](model::Quality).
    pub(crate) quality: u32,
}

/// Vehicles that tell their place, in the last two minutes.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Fleet {
    /// Those that were on the link, on average.
    pub(crate) present: f64,
    /// What they drove on it, km in an hour.
    pub(crate) driven_kmh: f64,
    /// The share that they are of all vehicles.
    pub(crate) share: f64,
}

/// A queue that was seen so long ago still stands for this minute, s: two periods of a camera and the way of its messages.
pub(crate) const QUEUE_SEEN_S: f64 = 75.0;

const CUTS: usize = LevelOfService::SHARES.len();

impl Own {
    pub(crate) const NOTHING: Self = Self {
        belief: Regimes {
            free: Belief { y: 0.0, var: 0.1 },
            jam: Belief { y: 2.0, var: 0.5 },
            jammed: regime::USUALLY_JAMMED,
        },
        passing_y: f64::NAN,
        flow_vph: f64::NAN,
        flow_pcuph: f64::NAN,
        flow_mcuph: f64::NAN,
        flow_personph: f64::NAN,
        queue_m: f64::NAN,
        stored_vpkm: f64::NAN,
        counted_m: f64::NAN,
        probes: Fleet { present: 0.0, driven_kmh: 0.0, share: 0.0 },
        cycle: Cycle::UNKNOWN,
        free_kmh: f64::NAN,
        newest_at: i64::MIN,
        quality: 0,
    };

    /// Returns the base free-flow speed: the posted limit where the map has it, else learned, km/h.
    pub(crate) fn free_kmh(&self, site: &Site) -> f64 {
        if self.free_kmh.is_nan() { site.free_kmh } else { self.free_kmh }
    }

    /// Returns the `y` at that share of base free flow: beliefs are over the map's speed, classes over base free flow.
    fn y_of(&self, share: f64, site: &Site) -> f64 {
        (site.free_kmh / (share * self.free_kmh(site))).ln()
    }

    /// Returns the `y` at the cuts between levels of service.
    pub(crate) fn cuts_y(&self, site: &Site) -> [f64; CUTS] {
        static OF_BASE: LazyLock<[f64; CUTS]> = LazyLock::new(|| LevelOfService::SHARES.map(|s| -s.ln()));
        let base_y = self.y_of(1.0, site);
        OF_BASE.map(|y| base_y + y)
    }

    /// Returns the `y` from which the link is congested.
    pub(crate) fn congested_y(&self, site: &Site, config: &Config) -> f64 {
        self.y_of(config.congested_share, site)
    }

    /// Tells whether a counting sensor is under it: such a link tells its state itself, without its neighbours.
    pub(crate) fn counts(&self) -> bool {
        !self.flow_vph.is_nan()
    }
}

/// Sums up counts: flow of the last minutes, the newest weighing most. Returns also when the newest reading will be stale.
pub(crate) fn counted(
    samples: &[Sample],
    now: i64,
    watched_before: bool,
    health: &Health,
    site: &Site,
    context: &Context<'_>,
) -> (Own, i64) {
    let mut own = Own::NOTHING;
    let mut flow = Flow::default();
    let mut passages = Passages::new(now, watched_before, context.config);
    let mut quality = Quality::GOOD;
    let mut longest_ms = 0;
    let summed_up = SummedUp::of(samples);
    let mut speaker = None;
    for sample in samples.iter().filter(|s| s.what.is_traffic()) {
        own.newest_at = own.newest_at.max(sample.at);
        quality = quality.with(Quality(sample.quality.into()));
        if speaker.replace(sample.sensor) != Some(sample.sensor) {
            let device = context.devices.get(sample.sensor as usize);
            longest_ms = longest_ms.max(device.map_or(0, |device| device.period_ms));
            quality = quality.with(health.quality(sample.sensor));
        }
        let age_s = ((now - sample.at) as f64 / 1000.0).max(0.0);
        match sample.what {
            What::Passage { .. } if !summed_up.holds(sample) => passages.take(sample),
            _ if age_s > context.config.long_window_s => {}
            What::Count { period_s, n, pcu, mcu, persons, .. } if !n.is_nan() => {
                let fresh = (-age_s / context.config.short_window_s).exp2();
                let lanes = if sample.lane == 0 { 1.0 } else { site.lanes };
                let vehicles = [n, pcu, mcu, persons].map(|v| f64::from(v) * fresh * lanes);
                flow.add(vehicles, f64::from(period_s) * fresh);
            }
            What::Queue { queue_m, .. } if age_s <= QUEUE_SEEN_S => {
                // `max` keeps a number over NaN.
                own.queue_m = own.queue_m.max(f64::from(queue_m));
            }
            _ => {}
        }
    }
    passages.add_to(&mut flow, site);
    if let Some(flow) = flow.per_hour() {
        [own.flow_vph, own.flow_pcuph, own.flow_mcuph, own.flow_personph] = flow;
    }
    let stale_at = if longest_ms > 0 { own.newest_at.saturating_add(2 * longest_ms) } else { i64::MAX };
    let stale = own.newest_at > i64::MIN && now > stale_at;
    own.quality = quality.with(if stale { Quality::STALE } else { Quality::GOOD }).0;
    (own, if stale { i64::MAX } else { stale_at })
}
