//! The own estimate of a link: what its own sensors say of it.
//!
//! A filter over stretches of event time, oldest first: what has settled long ago, then three bands of the window. Between
//! them the belief drifts back to what is typical; each band's evidence is joined by Bayes' rule. Nothing but the window and
//! the settled sums is kept, so a late reading changes all that it should.

use std::borrow::Cow;

use model::{Quality, Timestamp};
use serde::{Deserialize, Serialize};

use crate::audit::{self, Minute};
use crate::delay::{self, Typical};
use crate::evidence::{Evidence, Means, Point};
use crate::flow::{Flow, Passages};
use crate::freeflow::FreeFlow;
use crate::fusion::Belief;
use crate::health::Health;
use crate::incident::{Past, Sign, Usual};
use crate::level::Level;
use crate::partition::Context;
use crate::regime::{self, Regimes};
use crate::sample::{Sample, What};
use crate::site::Site;
use crate::told::{Basis, Told};
use crate::window::Window;
use crate::{Config, PartsConfig};

/// A link that has heard something.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Cell {
    pub(crate) link: u32,
    pub(crate) dirty: bool,
    /// Whether there is anything left in its window, or its last estimate still rests on something.
    pub(crate) live: bool,
    pub(crate) own: Own,
    /// What the graph stage was last handed.
    handed: Own,
    /// Event time after which its newest reading is stale, ms.
    pub(crate) stale_at: i64,
    /// What was last told; nothing while the graph stage tells of this link.
    pub(crate) told: Told,
    level: Level,
    window: Window,
    settled: Settled,
    free_flow: FreeFlow,
    /// The signs of an incident that the graph stage was last handed.
    signs: Vec<Sign>,
}

/// What a link's own sensors say. NaN = not known.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
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
    pub(crate) probes: Fleet,
    /// Free-flow speed where it is learned, km/h.
    pub(crate) free_kmh: f64,
    /// End of the newest period, event time, ms; `i64::MIN` where nothing was heard that still counts.
    pub(crate) newest_at: i64,
    /// Flags of [`Quality`](model::Quality).
    pub(crate) quality: u32,
}

/// Vehicles that tell their place, in the last two minutes.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct Fleet {
    /// Those that were on the link, on average.
    pub(crate) present: f64,
    /// What they drove on it, km in an hour.
    pub(crate) driven_kmh: f64,
    /// The share that they are of all vehicles.
    pub(crate) share: f64,
}

/// Sums over what has left the window, faded with age.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Settled {
    evidence: Evidence,
    usual: Usual,
    /// Event time to which it was faded, ms; 0 = nothing has settled yet.
    at: i64,
    /// Whether single passages were among it: their device was there before the window began.
    passages: bool,
}

/// How fast settled sums fade, s: an hour is about as long as traffic stays of one kind.
const SETTLED_S: f64 = 3600.0;

/// Ends of the bands, s before now: two periods of a detector and the way of its messages, as much again, the published five
/// minutes, all.
const BANDS_S: [f64; 4] = [75.0, 165.0, 300.0, f64::INFINITY];

/// A queue that was seen so long ago still stands for this minute, s: two periods of a camera and the way of its messages.
const QUEUE_SEEN_S: f64 = 75.0;

/// Middles of the bands, and of what has settled.
const AGES_S: [f64; 5] = [40.0, 120.0, 232.0, 450.0, 1200.0];

/// What was seen in each band, the newest first.
type Bands = [Evidence; BANDS_S.len()];

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
        probes: Fleet { present: 0.0, driven_kmh: 0.0, share: 0.0 },
        free_kmh: f64::NAN,
        newest_at: i64::MIN,
        quality: 0,
    };

    /// Tells whether all is the same, bit by bit: what is not known is no other than what is not known.
    fn is_same(&self, other: &Self) -> bool {
        let bits = |own: &Self| {
            let Regimes { free, jam, jammed } = own.belief;
            [
                free.y,
                free.var,
                jam.y,
                jam.var,
                jammed,
                own.passing_y,
                own.flow_vph,
                own.flow_pcuph,
                own.flow_mcuph,
                own.flow_personph,
                own.queue_m,
                own.stored_vpkm,
                own.probes.present,
                own.probes.share,
                own.free_kmh,
            ]
            .map(f64::to_bits)
        };
        bits(self) == bits(other) && (self.newest_at, self.quality) == (other.newest_at, other.quality)
    }

    /// Returns the base free-flow speed: the posted limit where the map has it, else learned, km/h.
    pub(crate) fn free_kmh(&self, site: &Site) -> f64 {
        if self.free_kmh.is_nan() { site.free_kmh } else { self.free_kmh }
    }

    /// Returns the `y` at that share of base free flow: beliefs are over the map's speed, classes over base free flow.
    pub(crate) fn y_of(&self, share: f64, site: &Site) -> f64 {
        (site.free_kmh / (share * self.free_kmh(site))).ln()
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

impl Cell {
    pub(crate) fn new(link: u32) -> Self {
        Self {
            link,
            dirty: false,
            live: false,
            own: Own::NOTHING,
            handed: Own::NOTHING,
            stale_at: i64::MAX,
            told: Told::NOTHING,
            level: Level::default(),
            window: Window::default(),
            settled: Settled::default(),
            free_flow: FreeFlow::default(),
            signs: Vec::new(),
        }
    }

    pub(crate) fn take(&mut self, sample: Sample) {
        self.window.insert(sample);
        self.live = true;
    }

    /// Estimates the link from all that was received before that boundary.
    pub(crate) fn estimate(
        &mut self,
        at: Timestamp,
        typical: &Typical,
        health: &Health,
        context: &Context<'_>,
    ) {
        let now = at.as_millis();
        let settled = &mut self.settled;
        let site = &context.sites[self.link as usize];
        let before = now - context.config.lateness_ms();
        let summed_up = SummedUp::of(self.window.all());
        self.window.forget_before(before, |sample| {
            if !summed_up.holds(sample) && health.believes(sample) {
                settled.take(sample, site, context);
            }
        });
        let samples = health.believed(self.window.all());
        (self.own, self.stale_at) = counted(&samples, now, self.settled.passages, health, site, context);
        if matches!(samples, Cow::Owned(_)) {
            self.own.quality |= Quality::SENSOR_SUSPECT.0;
        }
        let sums = self.sums(&samples, now, context);
        let (history, scale) = (&sums.history, sums.scale);
        self.own.passing_y =
            sums.bands[..2].iter().find_map(|band| band.point.passing_y(site)).unwrap_or(f64::NAN);
        let (rest, parts) = (typical.rest(site), &context.config.parts);
        self.own.belief = sums.filter(site, typical, parts, |_| ());
        let stored = delay::stored_vpkm(&sums.bands[0], history, scale, site, typical);
        self.own.stored_vpkm = stored.unwrap_or(f64::NAN);
        let probes = &sums.bands[0].probes;
        if parts.probe_density {
            self.own.probes = Fleet {
                present: probes.spent_s / BANDS_S[0],
                driven_kmh: probes.driven_m / BANDS_S[0] * 3.6,
                share: typical.probe_share(),
            };
        }
        // Whole km/h: finer steps would be told each minute.
        self.own.free_kmh = self.free_flow.kmh().map_or(f64::NAN, f64::round);
        if parts.silence
            && let Some(missed) = missed_vehicles(&samples, &history.point, context)
        {
            self.own.belief = self.own.belief.by_odds(delay::silence_odds(missed));
        }
        if !self.own.belief.is_finite() {
            self.own.belief = rest;
        }
        self.rest_on_the_past(&rest);
    }

    /// Sums up what was heard, for an estimate of that instant.
    fn sums(&self, samples: &[Sample], now: i64, context: &Context<'_>) -> Sums {
        let site = &context.sites[self.link as usize];
        let (settled, left_s) = self.settled.faded(now - context.config.lateness_ms());
        let bands = bands(samples, now, site, context);
        let mut history = settled;
        bands.iter().for_each(|band| history.join(band));
        let scale = delay::presence_scale(&history.area);
        Sums { bands, settled, left_s, history, scale }
    }

    /// Calls `tell` with each step from what is typical to what is believed at that instant.
    pub(crate) fn trace(
        &self,
        at: Timestamp,
        typical: &Typical,
        health: &Health,
        context: &Context<'_>,
        tell: impl FnMut(Step),
    ) {
        let site = &context.sites[self.link as usize];
        let samples = health.believed(self.window.all());
        self.sums(&samples, at.as_millis(), context).filter(site, typical, &context.config.parts, tell);
    }

    /// Where nothing was heard for a lateness, what was heard before counts until it has faded.
    fn rest_on_the_past(&mut self, rest: &Regimes) {
        if self.own.newest_at == i64::MIN && self.settled.at > 0 && !self.own.belief.is_near(rest) {
            self.own.newest_at = self.settled.at;
        }
        // The graph stage must hear of the last change, too.
        self.live =
            !self.window.is_empty() || self.own.newest_at > i64::MIN || !self.own.is_same(&self.handed);
    }

    /// Returns the event time at which what was estimated at `at` changes though nothing is heard: a reading moves into another band,
    /// is forgotten, or becomes stale. Between those instants its sums only fade, all alike.
    pub(crate) fn changes_at(&self, at: Timestamp, config: &Config) -> i64 {
        let (now, samples) = (at.as_millis(), self.window.all());
        let ms = |s: f64| (s * 1000.0) as i64;
        // A band ends before its end, the others after it.
        let [newest_ms, next_ms, last_ms] = [0, 1, 2].map(|band| ms(BANDS_S[band]) - 1);
        let last_ms = [newest_ms, next_ms, last_ms, ms(config.long_window_s), config.lateness_ms()];
        let queue_ms = Some(ms(QUEUE_SEEN_S)).filter(|_| !self.own.queue_m.is_nan());
        let crossing = last_ms.into_iter().chain(queue_ms).filter_map(|age_ms| {
            let next = samples.partition_point(|sample| now.saturating_sub(sample.at) > age_ms);
            Some(samples.get(next)?.at.saturating_add(age_ms).max(now) + 1)
        });
        crossing.chain([self.stale_at.saturating_add(1)]).min().unwrap_or(i64::MAX)
    }

    /// Returns the newest estimate for the graph stage, when it is another than that was handed before.
    pub(crate) fn hand(&mut self) -> Option<Own> {
        let old = std::mem::replace(&mut self.handed, self.own);
        (!self.own.is_same(&old)).then_some(self.own)
    }

    /// Returns the signs of an incident for the graph stage, when they are others than those that were handed before.
    pub(crate) fn hand_signs(&mut self, health: &Health, context: &Context<'_>) -> Option<Vec<Sign>> {
        let past = Past {
            samples: self.window.all(),
            usual: &self.settled.usual,
            settled: &self.settled.evidence,
            site: &context.sites[self.link as usize],
            devices: context.devices,
            health,
        };
        let new = past.signs();
        if new == self.signs {
            return None;
        }
        self.signs.clone_from(&new);
        Some(new)
    }

    /// Returns the travel time that cameras and probes saw of late, s, with its weight.
    pub(crate) fn seen_s(
        &self,
        at: Timestamp,
        typical: &Typical,
        health: &Health,
        context: &Context<'_>,
    ) -> Option<(f64, f64)> {
        let site = &context.sites[self.link as usize];
        let bands = bands(&health.believed(self.window.all()), at.as_millis(), site, context);
        // The published five minutes.
        let [mut evidence, next, last, _] = bands;
        evidence.join(&next);
        evidence.join(&last);
        delay::seen(&evidence, delay::presence_scale(&self.settled.evidence.area), site, typical)
    }

    /// Learns the free-flow speed from the newest minute that is complete, where the map has no limit.
    pub(crate) fn learn_free_flow(&mut self, at: Timestamp, context: &Context<'_>) {
        /// A link that may well be jammed teaches nothing.
        const MOST_JAMMED: f64 = 0.3;
        let site = &context.sites[self.link as usize];
        if !site.posted && self.own.belief.jammed < MOST_JAMMED {
            let minute = audit::newest_minute(self.window.all(), at.as_millis());
            self.free_flow.learn(minute, site);
        }
    }

    /// The readings of the last minutes.
    pub(crate) fn window(&self) -> &Window {
        &self.window
    }

    /// Returns what its devices saw in the newest minute that is complete.
    pub(crate) fn minute(&self, at: Timestamp, context: &Context<'_>) -> Minute {
        let site = &context.sites[self.link as usize];
        Minute::of(self.window.all(), at.as_millis(), context.devices, site)
    }

    /// Returns what is to be told of the newest estimate, when that is news and this link tells its state itself.
    pub(crate) fn news(&mut self, at: Timestamp, typical: &Typical, context: &Context<'_>) -> Option<Told> {
        if !self.own.counts() {
            self.told = Told::NOTHING;
            return None;
        }
        let site = &context.sites[self.link as usize];
        let basis = Basis::of_sensors(&self.own, site, typical);
        let new = Told::of(at, &basis, &mut self.level, context.config).held(&self.told, &self.own, site);
        let old = std::mem::replace(&mut self.told, new);
        (!new.looks_like(&old)).then_some(new)
    }
}

impl Settled {
    fn take(&mut self, sample: &Sample, site: &Site, context: &Context<'_>) {
        if matches!(sample.what, What::Signal { .. }) {
            return;
        }
        let device = context.devices.get(sample.sensor as usize);
        self.passages |= matches!(sample.what, What::Passage { .. });
        if sample.at > self.at {
            let kept = (-((sample.at - self.at) as f64) / 1000.0 / SETTLED_S).exp();
            self.evidence.fade(kept);
            self.usual.fade(kept);
            self.at = sample.at;
        }
        self.evidence.add(sample, device, site);
        self.usual.take(sample, device, site);
    }

    /// Returns what is left of it when the window begins at `before`, and how long before that the newest of it was, s.
    fn faded(&self, before: i64) -> (Evidence, f64) {
        let left_s = if self.at > 0 { (before - self.at).max(0) as f64 / 1000.0 } else { 0.0 };
        let mut evidence = self.evidence;
        evidence.fade((-left_s / SETTLED_S).exp());
        (evidence, left_s)
    }
}

/// The sensors that sum up by themselves: whom they tell of one by one as well was counted already.
struct SummedUp(Vec<u32>);

impl SummedUp {
    fn of(samples: &[Sample]) -> Self {
        let mut sensors = Vec::new();
        if samples.iter().any(|sample| matches!(sample.what, What::Passage { .. })) {
            let counts = samples.iter().filter(|sample| matches!(sample.what, What::Count { .. }));
            sensors.extend(counts.map(|sample| sample.sensor));
            sensors.sort_unstable();
            sensors.dedup();
        }
        Self(sensors)
    }

    fn holds(&self, sample: &Sample) -> bool {
        matches!(sample.what, What::Passage { .. }) && self.0.binary_search(&sample.sensor).is_ok()
    }
}

/// The vehicles of a band that were seen last: enough to tell those on a link at once apart.
#[derive(Default)]
struct Vehicles {
    band: usize,
    seen: [u32; 8],
    count: usize,
}

impl Vehicles {
    fn is_new(&mut self, band: usize, vehicle: u32) -> bool {
        if band != self.band {
            *self = Self { band, ..Self::default() };
        }
        if self.seen[..self.count.min(self.seen.len())].contains(&vehicle) {
            return false;
        }
        self.seen[self.count % self.seen.len()] = vehicle;
        self.count += 1;
        true
    }
}

/// Sums the window up by age.
fn bands(samples: &[Sample], now: i64, site: &Site, context: &Context<'_>) -> Bands {
    let mut bands = Bands::default();
    let mut vehicles = Vehicles::default();
    let summed_up = SummedUp::of(samples);
    for sample in samples.iter().filter(|sample| !summed_up.holds(sample)) {
        let age_s = (now - sample.at) as f64 / 1000.0;
        let place = band_of(age_s);
        let band = &mut bands[place];
        band.add(sample, context.devices.get(sample.sensor as usize), site);
        if let What::Probe { vehicle, .. } = sample.what
            && vehicles.is_new(place, vehicle)
        {
            band.probes.vehicles += 1.0;
        }
    }
    bands
}

/// What the readings come to.
struct Sums {
    bands: Bands,
    settled: Evidence,
    /// How much longer ago the newest of what has settled is than the window, s.
    left_s: f64,
    /// All of it.
    history: Evidence,
    /// Vehicles per vehicle that a camera's occupancy makes one believe.
    scale: f64,
}

/// A step of the filter, and what is believed after it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    /// Time has passed: this share is left of what was known beyond the typical.
    Faded { kept: f64, after: Regimes },
    /// Evidence of a band was taken.
    Seen { band: usize, means: Means, seen: Belief, before: Regimes, after: Regimes },
}

impl Sums {
    /// Returns what is believed after all of it, oldest first; calls `tell` with each step.
    fn filter(
        &self,
        site: &Site,
        typical: &Typical,
        parts: &PartsConfig,
        mut tell: impl FnMut(Step),
    ) -> Regimes {
        let rest = typical.rest(site);
        let mut belief = rest;
        let [ages_s @ .., settled_age_s] = AGES_S;
        let mut age_s = settled_age_s + self.left_s;
        let settled = (BANDS_S.len(), (&self.settled, age_s));
        let bands = self.bands.iter().zip(ages_s).enumerate().rev();
        for (band, (evidence, at_s)) in [settled].into_iter().chain(bands) {
            belief = belief.after(age_s - at_s, &rest);
            tell(Step::Faded { kept: regime::kept(age_s - at_s), after: belief });
            age_s = at_s;
            let mut before = belief;
            let seen = |means, seen, after: &Regimes| {
                tell(Step::Seen { band, means, seen, before, after: *after });
                before = *after;
            };
            belief = delay::joined(belief, evidence, self.scale, site, typical, parts, seen);
        }
        belief = belief.after(age_s, &rest);
        tell(Step::Faded { kept: regime::kept(age_s), after: belief });
        belief
    }
}

/// Returns the number of the band of what is so old.
pub(crate) fn band_of(age_s: f64) -> usize {
    BANDS_S.iter().position(|end| age_s < *end).unwrap_or(BANDS_S.len() - 1)
}

/// Returns the ages between which a band lies, s; the older end is absent where there is none.
pub(crate) fn ages_s(band: usize, config: &Config) -> (f64, Option<f64>) {
    match band.checked_sub(1) {
        None => (0.0, Some(BANDS_S[0])),
        Some(next) if band < BANDS_S.len() => (BANDS_S[next], Some(BANDS_S[band].min(config.lateness_s))),
        Some(_) => (config.lateness_s, None),
    }
}

/// Returns how many vehicles would usually have passed the link's loops since one did last; `None` when no loop reports.
fn missed_vehicles(samples: &[Sample], history: &Point, context: &Context<'_>) -> Option<f64> {
    let loops = || {
        samples.iter().filter_map(|sample| match sample.what {
            What::Count { n, period_s, .. } if period_s > 0.0 && is_point(sample, context) => {
                Some((sample.at, n > 0.0, f64::from(period_s)))
            }
            _ => None,
        })
    };
    let newest = loops().map(|(at, ..)| at).max()?;
    let (first, _, first_period_s) = loops().next()?;
    let passed = loops().filter(|(_, passed, _)| *passed).map(|(at, ..)| at).max();
    let silent_s =
        passed.map_or((newest - first) as f64 / 1000.0 + first_period_s, |at| (newest - at) as f64 / 1000.0);
    (history.seconds > 0.0).then(|| history.counted / history.seconds * silent_s)
}

fn is_point(sample: &Sample, context: &Context<'_>) -> bool {
    context.devices.get(sample.sensor as usize).is_none_or(|device| device.reach_m == 0.0)
}

/// Sums up counts: flow of the last minutes, the newest weighing most. Returns also when the newest reading will be stale.
fn counted(
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
    for sample in samples.iter().filter(|s| s.what.is_traffic()) {
        own.newest_at = own.newest_at.max(sample.at);
        quality = quality.with(Quality(sample.quality)).with(health.quality(sample.sensor));
        longest_ms = longest_ms.max(context.devices.get(sample.sensor as usize).map_or(0, |d| d.period_ms));
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
