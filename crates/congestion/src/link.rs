//! The own estimate of a link: what its own sensors say of it.
//!
//! A filter over stretches of event time, oldest first: what has settled long ago, then three bands of the window. Between
//! them the belief drifts back to what is typical (an Ornstein-Uhlenbeck process in log pace); each band's evidence
//! is joined by inverse variance. Nothing but the window and the settled sums is kept, so a late reading changes all that it
//! should.

use model::{Source, Timestamp};
use serde::{Deserialize, Serialize};

use crate::delay::{self, Typical};
use crate::evidence::Evidence;
use crate::fusion::Belief;
use crate::level::Level;
use crate::partition::Context;
use crate::sample::{Sample, What};
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
    settled: Settled,
}

/// What a link's own sensors say. NaN = not known.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct Own {
    /// Joined belief of all sources and of what is typical.
    pub(crate) belief: Belief,
    pub(crate) flow_vph: f64,
    pub(crate) flow_pcuph: f64,
    pub(crate) flow_mcuph: f64,
    pub(crate) queue_m: f64,
    /// End of the newest period, event time, ms.
    pub(crate) newest_at: i64,
}

/// Sums over what has left the window, faded with age.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Settled {
    evidence: Evidence,
    /// Event time to which it was faded, ms.
    at: i64,
}

/// How long a link's departure from what is typical lasts: in the kit's cities and in profiles of real streets the
/// autocorrelation of five minutes is 0.75 to 0.9.
const DRIFT_S: f64 = 1200.0;

/// Standard deviation of log pace over links and times of a city.
pub(crate) const STATIONARY_SD: f64 = 0.7;

/// Ends of the bands, s before now: two signal cycles, the published five minutes, all.
const BANDS_S: [f64; 3] = [120.0, 300.0, f64::INFINITY];

/// A queue that was seen so long ago still stands for this minute, s: two periods of a camera and the way of its messages.
const QUEUE_SEEN_S: f64 = 75.0;

/// Middles of the bands, and of what has settled.
const AGES_S: [f64; 4] = [60.0, 210.0, 450.0, 1200.0];

impl Own {
    pub(crate) const NOTHING: Self = Self {
        belief: Belief { y: 0.0, var: STATIONARY_SD * STATIONARY_SD },
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
            settled: Settled::default(),
        }
    }

    pub(crate) fn take(&mut self, sample: Sample) {
        self.window.insert(sample);
        self.live = true;
    }

    /// Estimates the link from all that was received before that boundary.
    pub(crate) fn estimate(&mut self, at: Timestamp, typical: &Typical, context: &Context<'_>) {
        let now = at.as_millis();
        let settled = &mut self.settled;
        let site = &context.sites[self.link as usize];
        let before = now - context.config.lateness_ms();
        self.window.forget_before(before, |sample| settled.take(sample, site, context));
        self.live = !self.window.is_empty();
        let samples = self.window.all();
        self.own = counted(samples, now, site, context);
        let bands = bands(samples, now, site, context);
        self.own.belief = filter(&bands, &self.settled.evidence, site, typical);
    }

    /// Returns the travel time that cameras and probes saw of late, s, with its weight.
    pub(crate) fn seen_s(
        &self,
        at: Timestamp,
        typical: &Typical,
        context: &Context<'_>,
    ) -> Option<(f64, f64)> {
        let site = &context.sites[self.link as usize];
        let bands = bands(self.window.all(), at.as_millis(), site, context);
        let mut evidence = bands[0];
        evidence.join(&bands[1]);
        delay::seen(&evidence, site, typical)
    }

    /// Returns what is to be told of the newest estimate, when that is news and this link tells its state itself.
    pub(crate) fn news(&mut self, at: Timestamp, context: &Context<'_>) -> Option<Told> {
        if !self.own.counts() {
            self.told = Told::NOTHING;
            return None;
        }
        let site = &context.sites[self.link as usize];
        let new =
            Told::of(at, self.own.belief, &self.own, Source::Observed, &mut self.level, site, context.config);
        let old = std::mem::replace(&mut self.told, new);
        (!new.looks_like(&old)).then_some(new)
    }
}

impl Settled {
    fn take(&mut self, sample: &Sample, site: &Site, context: &Context<'_>) {
        if sample.at > self.at {
            self.evidence.fade((-((sample.at - self.at) as f64) / 1000.0 / DRIFT_S).exp());
            self.at = sample.at;
        }
        self.evidence.add(sample, context.devices.get(sample.sensor as usize), site);
    }
}

/// Sums the window up by age.
fn bands(samples: &[Sample], now: i64, site: &Site, context: &Context<'_>) -> [Evidence; 3] {
    let mut bands = [Evidence::default(); 3];
    let mut recent_vehicles = [0u32; 8];
    let mut vehicles_seen = 0usize;
    for sample in samples {
        let age_s = (now - sample.at) as f64 / 1000.0;
        let band = &mut bands[BANDS_S.iter().position(|end| age_s < *end).unwrap_or(2)];
        band.add(sample, context.devices.get(sample.sensor as usize), site);
        if let What::Probe { vehicle, .. } = sample.what
            && !recent_vehicles.contains(&vehicle)
        {
            recent_vehicles[vehicles_seen % recent_vehicles.len()] = vehicle;
            vehicles_seen += 1;
            band.probes.vehicles += 1.0;
        }
    }
    bands
}

fn filter(bands: &[Evidence; 3], settled: &Evidence, site: &Site, typical: &Typical) -> Belief {
    let rest = Belief { y: typical.rest_y(site), var: STATIONARY_SD.powi(2) };
    let mut belief = rest;
    let mut age = AGES_S[3];
    for (evidence, at) in
        [(settled, AGES_S[3]), (&bands[2], AGES_S[2]), (&bands[1], AGES_S[1]), (&bands[0], AGES_S[0])]
    {
        belief = drift(belief, rest, age - at);
        age = at;
        belief = delay::after(belief, evidence, site, typical);
    }
    drift(belief, rest, age)
}

/// What is left of a belief after so many seconds.
fn drift(belief: Belief, rest: Belief, seconds: f64) -> Belief {
    let kept = (-seconds / DRIFT_S).exp();
    Belief { y: rest.y + kept * (belief.y - rest.y), var: rest.var + kept * kept * (belief.var - rest.var) }
}

/// Sums up counts: flow of the last minutes, the newest weighing most.
fn counted(samples: &[Sample], now: i64, site: &Site, context: &Context<'_>) -> Own {
    let mut own = Own::NOTHING;
    let (mut n, mut pcu, mut mcu, mut hours) = (0.0, 0.0, 0.0, 0.0);
    for sample in samples {
        own.newest_at = own.newest_at.max(sample.at);
        let age_s = ((now - sample.at) as f64 / 1000.0).max(0.0);
        if age_s > context.config.long_window_s {
            continue;
        }
        let fresh = (-age_s / context.config.short_window_s).exp2();
        match sample.what {
            What::Count { period_s, n: count, pcu: p, mcu: m, .. } if !count.is_nan() => {
                let lanes = if sample.lane == 0 { 1.0 } else { site.lanes };
                n += f64::from(count) * fresh * lanes;
                pcu += f64::from(p) * fresh * lanes;
                mcu += f64::from(m) * fresh * lanes;
                hours += f64::from(period_s) / 3600.0 * fresh;
            }
            What::Queue { queue_m, .. } if age_s <= QUEUE_SEEN_S => {
                // `max` keeps a number over NaN.
                own.queue_m = own.queue_m.max(f64::from(queue_m));
            }
            _ => {}
        }
    }
    if hours > 0.0 {
        (own.flow_vph, own.flow_pcuph, own.flow_mcuph) = (n / hours, pcu / hours, mcu / hours);
    }
    own
}
