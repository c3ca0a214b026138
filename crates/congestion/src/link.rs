//! The own estimate of a link: what its own sensors say of it.

use model::{Source, Timestamp};
use roadnet::SensorKind;
use serde::{Deserialize, Serialize};

use crate::fusion::Belief;
use crate::level::Level;
use crate::partition::Context;
use crate::sample::{Sample, What};
use crate::signal;
use crate::site::Site;
use crate::told::Told;
use crate::window::Window;

/// A link that has heard something.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Cell {
    pub(crate) link: u32,
    pub(crate) dirty: bool,
    /// Whether there is anything left in its window, or its last estimate still rests on something.
    pub(crate) live: bool,
    pub(crate) own: Own,
    /// What was last told; nothing while the graph stage tells of this link.
    pub(crate) told: Told,
    level: Level,
    window: Window,
}

/// What a link's own sensors say. NaN = not known.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct Own {
    /// Joined belief of all sources.
    pub(crate) belief: Option<Belief>,
    pub(crate) flow_vph: f64,
    pub(crate) flow_pcuph: f64,
    pub(crate) flow_mcuph: f64,
    pub(crate) queue_m: f64,
    /// End of the newest period, event time, ms.
    pub(crate) newest_at: i64,
}

impl Own {
    pub(crate) const NOTHING: Self = Self {
        belief: None,
        flow_vph: f64::NAN,
        flow_pcuph: f64::NAN,
        flow_mcuph: f64::NAN,
        queue_m: f64::NAN,
        newest_at: i64::MIN,
    };

    /// Tells whether a counting sensor is under it: such a link tells its state itself, without its neighbours.
    pub(crate) fn counts(&self) -> bool {
        !self.flow_vph.is_nan()
    }
}

impl Cell {
    pub(crate) fn new(link: u32) -> Self {
        Self {
            link,
            dirty: false,
            live: false,
            own: Own::NOTHING,
            told: Told::NOTHING,
            level: Level::default(),
            window: Window::default(),
        }
    }

    pub(crate) fn take(&mut self, sample: Sample) {
        self.window.insert(sample);
        self.live = true;
    }

    /// Estimates the link from all that was received before that boundary.
    pub(crate) fn estimate(&mut self, at: Timestamp, context: &Context<'_>) {
        let now = at.as_millis();
        self.window.forget_before(now - context.config.lateness_ms());
        self.live = !self.window.is_empty();
        let from = now - (context.config.long_window_s * 1000.0) as i64;
        let samples = self.window.between(from, now + (context.config.max_skew_s * 1000.0) as i64);
        self.own = estimate(samples, now, &context.sites[self.link as usize], context);
    }
}

impl Cell {
    /// Returns what is to be told of the newest estimate, when that is news and this link tells its state itself.
    pub(crate) fn news(&mut self, at: Timestamp, context: &Context<'_>) -> Option<Told> {
        let (Some(belief), true) = (self.own.belief, self.own.counts()) else {
            self.told = Told::NOTHING;
            return None;
        };
        let site = &context.sites[self.link as usize];
        let new = Told::of(at, belief, &self.own, Source::Observed, &mut self.level, site, context.config);
        let old = std::mem::replace(&mut self.told, new);
        (!new.looks_like(&old)).then_some(new)
    }
}

/// Weighted sums of one source.
#[derive(Default)]
struct Sums {
    weight: f64,
    pace: f64,
}

fn estimate(samples: &[Sample], now: i64, site: &Site, context: &Context<'_>) -> Own {
    let mut own = Own::NOTHING;
    let (mut area, mut point, mut probe) = (Sums::default(), Sums::default(), Sums::default());
    let (mut n, mut pcu, mut mcu, mut hours) = (0.0, 0.0, 0.0, 0.0);
    for sample in samples {
        // The newest minute counts most: weight halves each short window.
        let age_s = ((now - sample.at) as f64 / 1000.0).max(0.0);
        let fresh = (-age_s / context.config.short_window_s).exp2();
        own.newest_at = own.newest_at.max(sample.at);
        let device = context.devices.get(sample.sensor as usize);
        match sample.what {
            What::Count { period_s, n: count, pcu: p, mcu: m, speed, .. } => {
                let seen = f64::from(if count.is_nan() { 0.0 } else { count });
                let lanes = if sample.lane == 0 { 1.0 } else { site.lanes };
                n += seen * fresh * lanes;
                pcu += f64::from(p) * fresh * lanes;
                mcu += f64::from(m) * fresh * lanes;
                hours += f64::from(period_s) / 3600.0 * fresh;
                if !speed.is_nan() && seen > 0.0 {
                    let into = match device.map(|d| d.kind) {
                        Some(SensorKind::AreaCamera) => &mut area,
                        _ => &mut point,
                    };
                    into.weight += seen * fresh;
                    into.pace += seen * fresh / f64::from(speed).max(1.0);
                }
            }
            What::Probe { speed, .. } => {
                probe.weight += fresh;
                probe.pace += fresh * f64::from(speed);
            }
            What::Queue { queue_m, .. } => own.queue_m = f64::from(queue_m),
            What::Signal { .. } => {}
        }
    }
    let mut beliefs: Vec<Belief> = Vec::new();
    if hours > 0.0 {
        (own.flow_vph, own.flow_pcuph, own.flow_mcuph) = (n / hours, pcu / hours, mcu / hours);
    }
    if area.weight > 0.0 {
        let near = area.pace / area.weight;
        let far = 1.0 / site.free_kmh;
        let share = (50.0 / site.length_m).min(1.0);
        let pace = share * near + (1.0 - share) * far;
        beliefs.push(Belief::of_share(1.0 / pace / site.free_kmh, 0.3));
    }
    if point.weight > 0.0 {
        let running_h = point.pace / point.weight * site.length_m / 1000.0;
        let delay_h = if site.signal { signal::USUAL_DELAY_S / 3600.0 } else { 0.0 };
        let speed = site.length_m / 1000.0 / (running_h + delay_h);
        beliefs.push(Belief::of_share(speed / site.free_kmh, 0.4));
    }
    if probe.weight > 0.0 {
        let speed = probe.pace / probe.weight;
        beliefs.push(Belief::of_share(speed / site.free_kmh, 1.0 / (probe.weight / 3.0).sqrt()));
    }
    own.belief = beliefs.into_iter().reduce(Belief::and);
    own
}
