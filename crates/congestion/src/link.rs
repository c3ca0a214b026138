//! The own estimate of a link: what its own sensors say of it.
//!
//! A filter over stretches of event time, oldest first: what has settled long ago, then the bands of the window. Between
//! them the belief drifts back to what is typical; each band's evidence is joined by Bayes' rule. Nothing but the window and
//! the settled sums is kept, so a late reading changes all that it should.

use std::borrow::Cow;
use std::hint::black_box;

use model::{Quality, Timestamp};
use serde::{Deserialize, Serialize};

use crate::audit::{self, Minute};
use crate::bands::{self, BANDS_S, Step, SummedUp, Sums};
use crate::delay;
use crate::evidence::{Evidence, Means, Point};
use crate::freeflow::FreeFlow;
use crate::handed::Handed;
use crate::health::Health;
use crate::incident::{Past, Sign, Usual};
use crate::level::Level;
use crate::own::{self, Fleet, Own, QUEUE_SEEN_S};
use crate::partition::Context;
use crate::regime::Regimes;
use crate::sample::{Sample, What};
use crate::scatter::{self, Pair};
use crate::site::Site;
use crate::splits::Splits;
use crate::standing;
use crate::storage::{Storage, Stored};
use crate::told::{Basis, Told};
use crate::typical::Typical;
use crate::window::Window;

/// A link that has heard something.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Cell {
    pub(crate) link: u32,
    /// Whether there is anything left in its window, or its last estimate still rests on something.
    pub(crate) live: bool,
    pub(crate) own: Own,
    /// Whether the graph stage is to be handed it: it has changed since.
    changed: bool,
    /// Event time after which its newest reading is stale, ms.
    pub(crate) stale_at: i64,
    /// Of which instant its estimate is, ms.
    pub(crate) estimated_at: i64,
    /// What was last told; nothing while the graph stage tells of this link.
    pub(crate) told: Told,
    level: Level,
    window: Window,
    settled: Settled,
    /// How its signal usually shares out the time.
    splits: Splits,
    /// Who is between its counters.
    storage: Storage,
    free_flow: FreeFlow,
    /// The signs of an incident that the graph stage was last handed.
    signs: Vec<Sign>,
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

/// The odds by which a jam is likelier; nothing where no device could tell.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Odds {
    /// Because nobody passes the loops.
    pub(crate) silence: Option<f64>,
    /// Because a signal's split departs from its usual.
    pub(crate) signal: Option<f64>,
}

/// How fast settled sums fade, s: an hour is about as long as traffic stays of one kind.
const SETTLED_S: f64 = 3600.0;

impl Cell {
    pub(crate) fn new(link: u32) -> Self {
        Self {
            link,
            live: false,
            own: Own::NOTHING,
            changed: false,
            stale_at: i64::MAX,
            estimated_at: i64::MIN,
            told: Told::NOTHING,
            level: Level::default(),
            window: Window::default(),
            settled: Settled::default(),
            splits: Splits::default(),
            storage: Storage::default(),
            free_flow: FreeFlow::default(),
            signs: Vec::new(),
        }
    }

    pub(crate) fn take(&mut self, sample: Sample) {
        self.window.insert(sample);
    }

    /// Reads a little of each cache line of it, for nothing but to have them in the cache.
    pub(crate) fn fetch(&self) {
        let Self { own, told, free_flow, window, settled, storage, signs, .. } = self;
        let Settled { evidence: Evidence { area, point, probes }, usual, at, passages } = settled;
        black_box((window.is_empty(), self.stale_at, told.was_told(), free_flow.kmh()));
        black_box((probes.spent_s, area.reach_m, area.scatter, point.pace, *at, *passages));
        black_box((own.belief.free.y, own.flow_vph, own.queue_m, own.quality));
        black_box((storage.is_empty(), signs.is_empty()));
        usual.fetch();
    }

    /// Reads a little of its newest reading, likewise.
    pub(crate) fn fetch_newest(&self) {
        black_box(self.window.all().last().map(|newest| newest.at));
    }

    /// Reads a little of each cache line of its readings, likewise.
    pub(crate) fn fetch_readings(&self) {
        let samples = self.window.all();
        black_box(samples.first().map(|sample| sample.what.is_traffic()));
        black_box(samples.iter().fold(0, |all, sample| all ^ sample.at));
    }

    /// Reads a little of what its estimate asks of others, likewise.
    pub(crate) fn fetch_others(&self, health: &Health, context: &Context<'_>) {
        let newest = self.window.all().last().map(|newest| {
            let device = context.devices.get(newest.sensor as usize);
            (health.believes(newest), device.map(|device| device.kind))
        });
        let link = self.link as usize;
        black_box((newest, context.sites[link].length_m, context.network.links()[link].id.as_str().len()));
    }

    /// Estimates the link from all that was received before that boundary.
    pub(crate) fn estimate(
        &mut self,
        at: Timestamp,
        typical: &Typical,
        health: &Health,
        context: &Context<'_>,
    ) {
        let (now, site) = (at.as_millis(), &context.sites[self.link as usize]);
        self.estimated_at = now;
        self.settle(now - context.config.lateness_ms(), health, context);
        let before = self.own;
        let samples = health.believed(self.window.all());
        (self.own, self.stale_at) = own::counted(&samples, now, self.settled.passages, health, site, context);
        if matches!(samples, Cow::Owned(_)) {
            self.own.quality |= Quality::SENSOR_SUSPECT.0;
        }
        if context.config.parts.signal_delay {
            self.own.cycle = self.splits.cycle().rounded();
        }
        let typical = &typical.here(&self.own, site, &context.config.parts);
        let sums = self.sums(&samples, now, health, context);
        let (history, scale) = (&sums.history, sums.scale);
        self.own.passing_y =
            sums.bands[..2].iter().find_map(|band| band.point.passing_y(site)).unwrap_or(f64::NAN);
        let (rest, parts) = (typical.rest(site), &context.config.parts);
        self.own.belief = sums.filter((site, &rest), typical, parts, |_| ());
        if let Some(stored) = sums.stored {
            self.own.stored_vpkm = stored.on_link(site, typical) / site.length_m * 1000.0;
            self.own.counted_m = stored.vehicles * standing::one_m(&history.point, site);
        } else {
            let stored = delay::stored_vpkm(&sums.bands[0], history, scale, site, typical);
            self.own.stored_vpkm = stored.unwrap_or(f64::NAN);
        }
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
        let odds = self.odds(&samples, now, history, context);
        self.own.belief = self.own.belief.by_odds(odds.silence.unwrap_or(1.0) * odds.signal.unwrap_or(1.0));
        if self.own.newest_at == i64::MIN && odds.signal.is_some_and(|odds| odds > 1.0) {
            self.own.newest_at = samples.last().map_or(i64::MIN, |sample| sample.at);
        }
        if !self.own.belief.is_finite() {
            self.own.belief = rest;
        }
        self.rest_on_the_past(&rest);
        let new = Handed::from(self.own);
        self.changed |= !new.is_same(&before.into());
        self.own = new.into();
        // The graph stage must hear of the last change, too.
        self.live = !self.window.is_empty() || self.own.newest_at > i64::MIN || self.changed;
    }

    /// Takes what ended before that event time out of the window, into what has settled.
    fn settle(&mut self, before: i64, health: &Health, context: &Context<'_>) {
        let site = &context.sites[self.link as usize];
        let summed_up = SummedUp::of(self.window.all());
        for sample in self.window.before(before) {
            if !summed_up.holds(sample) && health.believes(sample) {
                self.settled.take(sample, health, site, context);
                self.splits.settle(sample);
                let one_m = standing::one_m(&self.settled.evidence.point, site);
                let device = context.devices.get(sample.sensor as usize);
                self.storage.take(sample, device, one_m, site);
            }
        }
        self.window.forget_before(before);
    }

    /// Sums up what was heard, for an estimate of that instant.
    fn sums(&self, samples: &[Sample], now: i64, health: &Health, context: &Context<'_>) -> Sums {
        let site = &context.sites[self.link as usize];
        let (settled, left_s) = self.settled.faded(now - context.config.lateness_ms());
        let bands = bands::of(samples, now, health, site, context);
        let mut history = settled;
        bands.iter().for_each(|band| history.join(band));
        let scale = delay::presence_scale(&history.area);
        let stored = if bands[0].area.full() > 0.0 { self.stored(samples, now, context) } else { None };
        Sums { bands, settled, left_s, history, scale, stored }
    }

    /// Returns who is between the link's counters.
    fn stored(&self, samples: &[Sample], now: i64, context: &Context<'_>) -> Option<Stored> {
        if !context.config.parts.conservation {
            return None;
        }
        let site = &context.sites[self.link as usize];
        let one_m = standing::one_m(&self.settled.evidence.point, site);
        let mut storage = self.storage.clone();
        for sample in samples {
            storage.take(sample, context.devices.get(sample.sensor as usize), one_m, site);
        }
        storage.stored(now, context.devices, site)
    }

    /// Returns what speaks for a jam beside speeds.
    fn odds(&self, samples: &[Sample], now: i64, history: &Evidence, context: &Context<'_>) -> Odds {
        let parts = &context.config.parts;
        let signal = parts.signal_splits.then(|| self.splits.jam_odds(samples, now)).flatten();
        Odds { silence: silence_odds(samples, &history.point, context), signal }
    }

    /// Calls `tell` with each step from what is typical to what its estimate is; returns what else speaks for a jam.
    pub(crate) fn trace(
        &self,
        typical: &Typical,
        health: &Health,
        context: &Context<'_>,
        tell: impl FnMut(Step),
    ) -> Odds {
        let site = &context.sites[self.link as usize];
        let samples = health.believed(self.window.all());
        let sums = self.sums(&samples, self.estimated_at, health, context);
        let typical = typical.here(&self.own, site, &context.config.parts);
        sums.filter((site, &typical.rest(site)), &typical, &context.config.parts, tell);
        self.odds(&samples, self.estimated_at, &sums.history, context)
    }

    /// Where nothing was heard for a lateness, what was heard before counts until it has faded.
    fn rest_on_the_past(&mut self, rest: &Regimes) {
        if self.own.newest_at == i64::MIN && self.settled.at > 0 && !self.own.belief.is_near(rest) {
            self.own.newest_at = self.settled.at;
        }
    }

    /// Returns the log time at which what was estimated at `at` changes at once though nothing is heard: a queue was seen too long ago,
    /// or the newest reading becomes stale. All else fades.
    pub(crate) fn changes_at(&self, at: Timestamp) -> i64 {
        let (now, samples) = (at.as_millis(), self.window.all());
        let seen_ms = (QUEUE_SEEN_S * 1000.0) as i64;
        let oldest = samples.partition_point(|sample| now.saturating_sub(sample.at) > seen_ms);
        let queue = samples.get(oldest).filter(|_| !self.own.queue_m.is_nan());
        let unseen_at = queue.map_or(i64::MAX, |sample| sample.at.saturating_add(seen_ms).max(now));
        unseen_at.min(self.stale_at).saturating_add(1)
    }

    /// Returns the newest estimate for the graph stage, when it has changed since that was last handed.
    pub(crate) fn hand(&mut self) -> Option<Handed> {
        std::mem::take(&mut self.changed).then(|| self.own.into())
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
            cycle_s: self.splits.cycle().known_s(),
        };
        let mut new = past.signs();
        if !context.config.parts.fallen_flow {
            new.retain(|sign| !sign.is_of_flow());
        }
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
        let sees = |sample: &Sample| {
            let means = Means::of(sample, context.devices.get(sample.sensor as usize));
            matches!(means, Some(Means::Cameras | Means::Probes))
        };
        if !self.window.all().iter().any(sees) {
            return None;
        }
        let samples = health.believed(self.window.all());
        let bands = bands::of(&samples, at.as_millis(), health, site, context);
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

    /// Returns what each of its devices told of the newest minute that is complete, beside what the others did.
    pub(crate) fn pairs(
        &self,
        at: Timestamp,
        typical: &Typical,
        health: &Health,
        context: &Context<'_>,
    ) -> Vec<Pair> {
        let minute = audit::newest_minute(self.window.all(), at.as_millis());
        let scale = delay::presence_scale(&self.settled.evidence.area);
        let site = &context.sites[self.link as usize];
        let typical = typical.here(&self.own, site, &context.config.parts);
        scatter::pairs(minute, scale, &typical, health, (site, context))
    }

    /// Returns what is to be told of the newest estimate, when that is news and this link tells its state itself.
    pub(crate) fn news(&mut self, at: Timestamp, typical: &Typical, context: &Context<'_>) -> Option<Told> {
        if !self.own.counts() {
            self.told = Told::NOTHING;
            return None;
        }
        let site = &context.sites[self.link as usize];
        let basis = Basis::of_sensors(&self.own, site, typical, &context.config.parts);
        let new = Told::of(at, &basis, &mut self.level, context.config).held(&self.told, &self.own, site);
        let old = std::mem::replace(&mut self.told, new);
        (!new.looks_like(&old)).then_some(new)
    }
}

impl Settled {
    fn take(&mut self, sample: &Sample, health: &Health, site: &Site, context: &Context<'_>) {
        if matches!(sample.what, What::Signal { .. }) {
            return;
        }
        let device = context.devices.get(sample.sensor as usize);
        self.passages |= matches!(sample.what, What::Passage { .. });
        if sample.at > self.at {
            let kept = (-((sample.at - self.at) as f64) / 1000.0 / SETTLED_S).exp();
            self.evidence.fade(kept);
            self.usual.fade(kept, sample.at - self.at, context.config.lateness_ms());
            self.at = sample.at;
        }
        self.evidence.add(sample, device, health.scatter_of(sample.sensor), site);
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

/// Returns the odds by which a jam is likelier because nobody passes the link's loops; `None` when no loop reports.
fn silence_odds(samples: &[Sample], history: &Point, context: &Context<'_>) -> Option<f64> {
    let missed = missed_vehicles(samples, history, context).filter(|_| context.config.parts.silence);
    missed.map(delay::silence_odds)
}

/// Returns how many vehicles would usually have passed the link's loops since one did last; `None` when no loop reports. `samples`: oldest
/// first.
fn missed_vehicles(samples: &[Sample], history: &Point, context: &Context<'_>) -> Option<f64> {
    let loops = || {
        samples.iter().filter_map(|sample| match sample.what {
            What::Count { n, period_s, .. } if period_s > 0.0 && is_point(sample, context) => {
                Some((sample.at, n > 0.0, f64::from(period_s)))
            }
            _ => None,
        })
    };
    let (newest, ..) = loops().next_back()?;
    let (first, _, first_period_s) = loops().next()?;
    let passed = loops().rfind(|(_, passed, _)| *passed);
    let silent_s = match passed {
        Some((at, ..)) => (newest - at) as f64 / 1000.0,
        None => (newest - first) as f64 / 1000.0 + first_period_s,
    };
    (history.seconds > 0.0).then(|| history.counted / history.seconds * silent_s)
}

fn is_point(sample: &Sample, context: &Context<'_>) -> bool {
    context.devices.get(sample.sensor as usize).is_none_or(|device| device.reach_m == 0.0)
}
