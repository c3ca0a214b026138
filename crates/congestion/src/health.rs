//! Sensors that should not be believed: silent, stuck, blind, biased, or with a wrong clock.
//!
//! What a stuck, blind or biased device told since it became so is taken out of the estimate, as far as it is still in the window.

use std::borrow::Cow;
use std::hint::black_box;

use model::{Observation, Quality, Reading, Timestamp};
use serde::{Deserialize, Serialize};

use crate::audit::{Audit, Minute};
use crate::bias::Bias;
use crate::partition::Context;
use crate::sample::Sample;
use crate::scatter::{Common, Pair, Scatter};
use crate::site::{Device, Site};

/// What is wrong with a sensor.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub(crate) enum Kind {
    /// It reported regularly and stopped.
    Silent,
    /// A value that should move stands still.
    Stuck,
    /// Its stamps disagree with log time.
    Clock,
    /// It sees nobody where others pass.
    Blind,
    /// It counts too few, or its speeds are wrong.
    Biased,
}

/// A change of one sensor's health.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Fault {
    pub(crate) sensor: u32,
    pub(crate) kind: Kind,
    /// Whether it begins; else it is over.
    pub(crate) open: bool,
    /// For the clock: by how much it stamps too early, ms.
    pub(crate) error_ms: i64,
}

/// By sensor number, three tables: each reading looks into the first when it comes and into the second when it counts, each minute of
/// a link into the third; so each finds what it asks for in one cache line.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Health {
    rhythms: Vec<Rhythm>,
    trusts: Vec<Trust>,
    checks: Vec<Checks>,
    /// Of cameras, loops and probes, on links without a signal and with one.
    kinds: [[Common; 2]; 3],
}

/// When and what a device tells.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Rhythm {
    /// Log time of the newest reading, ms; 0 = never.
    heard_at: i64,
    clock_error_ms: i64,
    readings: u32,
    /// The last value of the first (lane, kind) and how often it came again: most devices have no other.
    last: Option<Repeat>,
    /// Of devices that tell of several.
    others: Vec<Repeat>,
}

/// How far a device is believed.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Trust {
    /// Event time from which on its readings are not believed, ms; `i64::MAX`: all are.
    doubted_from: i64,
    scatter: Scatter,
    /// By kind of fault.
    told: [bool; 5],
}

/// What a device's minutes say of it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Checks {
    audit: Audit,
    bias: Bias,
    /// Event time since which it is biased, ms.
    biased_since: Option<i64>,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Repeat {
    lane: u8,
    kind: u8,
    value: u64,
    times: u32,
    /// When it came first, event time, ms.
    since: i64,
}

/// One or two devices that fall silent at once have each their own reason, even where they are all there are.
const FEWEST_IN_COMMON: usize = 3;

/// Readings after which a device's rhythm is taken for granted.
const REGULAR_READINGS: u32 = 4;

impl Health {
    pub(crate) fn take(
        &mut self,
        sensor: u32,
        device: Option<&Device>,
        observation: &Observation,
        now: Timestamp,
        clock_error_ms: i64,
    ) {
        // A device that speaks only when something happens, or one that nobody registered, has no rhythm to miss.
        if device.is_none_or(|d| d.period_ms == 0 || !d.counts()) {
            return;
        }
        self.make_room(sensor);
        let rhythm = &mut self.rhythms[sensor as usize];
        rhythm.heard_at = rhythm.heard_at.max(now.as_millis());
        rhythm.readings = rhythm.readings.saturating_add(1);
        rhythm.clock_error_ms = clock_error_ms;
        let Some(value) = fingerprint(&observation.reading) else { return };
        let since = observation.at.as_millis() + clock_error_ms;
        let (lane, kind) = (observation.lane.unwrap_or(0), observation.reading.kind() as u8);
        let repeat = rhythm.repeat(Repeat { lane, kind, value, times: 0, since });
        if repeat.value == value {
            repeat.times += 1;
        } else {
            (repeat.value, repeat.times, repeat.since) = (value, 1, since);
        }
    }

    /// Reads a little of what it keeps of a sensor, for nothing but to have it in the cache.
    pub(crate) fn fetch(&self, sensor: u32) {
        let rhythm = self.rhythms.get(sensor as usize);
        black_box(rhythm.map(|rhythm| (rhythm.heard_at, rhythm.last.map(|last| last.value))));
    }

    /// Lays what the devices of a link saw in one minute side by side.
    pub(crate) fn compare(&mut self, at: Timestamp, minute: &Minute, site: &Site, devices: &[Device]) {
        for sensor in minute.sensors() {
            let others = minute.others(sensor, |other| {
                self.is_believed(other).then(|| self.checks[other as usize].audit.usual())?
            });
            let (Some(device), Some(checks)) =
                (devices.get(sensor as usize), self.checks.get(sensor as usize))
            else {
                continue;
            };
            let mut bias = checks.bias;
            minute.weigh(sensor, (device, site), |other| self.is_believed(other), &mut bias);
            let checks = &mut self.checks[sensor as usize];
            checks.audit.take(sensor, minute, others);
            checks.bias = bias;
            let since = checks.biased_since.unwrap_or(at.as_millis());
            checks.biased_since = bias.is_wrong(site).then_some(since);
        }
    }

    /// Returns what changed.
    pub(crate) fn judge(&mut self, at: Timestamp, context: &Context<'_>) -> Vec<Fault> {
        let limits = &context.config.health;
        let mut changed = Vec::new();
        let common_cause = self.most_are_silent(at, context);
        let records = self.rhythms.iter().zip(&self.checks).zip(&mut self.trusts);
        for (number, (((rhythm, checks), trust), device)) in records.zip(context.devices).enumerate() {
            let regular = rhythm.readings >= REGULAR_READINGS;
            let told_silent = trust.told[Kind::Silent as usize];
            let silent =
                if common_cause { told_silent } else { rhythm.is_silent(at, device, limits.silent_periods) };
            let stuck = rhythm.repeats().filter(|r| r.times >= limits.stuck_readings).map(|r| r.since).min();
            let blind = checks.audit.blind_since(limits);
            let wrong_clock = rhythm.clock_error_ms != 0;
            trust.doubted_from =
                stuck.into_iter().chain(blind).chain(checks.biased_since).min().unwrap_or(i64::MAX);
            for (kind, open) in [
                (Kind::Silent, regular && silent),
                (Kind::Stuck, stuck.is_some()),
                (Kind::Clock, wrong_clock),
                (Kind::Blind, blind.is_some()),
                (Kind::Biased, checks.biased_since.is_some()),
            ] {
                if std::mem::replace(&mut trust.told[kind as usize], open) != open {
                    changed.push(Fault {
                        sensor: number as u32,
                        kind,
                        open,
                        error_ms: rhythm.clock_error_ms,
                    });
                }
            }
        }
        changed
    }
}

impl Health {
    /// Returns what a reader of a link's state should know of a sensor under it.
    pub(crate) fn quality(&self, sensor: u32) -> Quality {
        let told =
            |kind: Kind| self.trusts.get(sensor as usize).is_some_and(|trust| trust.told[kind as usize]);
        let clock = if told(Kind::Clock) { Quality::CLOCK_SUSPECT } else { Quality::GOOD };
        let faulty = [Kind::Silent, Kind::Stuck, Kind::Blind, Kind::Biased].into_iter().any(told);
        clock.with(if faulty { Quality::SENSOR_SUSPECT } else { Quality::GOOD })
    }

    /// Returns those samples that are to be believed.
    pub(crate) fn believed<'a>(&self, samples: &'a [Sample]) -> Cow<'a, [Sample]> {
        if samples.iter().all(|sample| self.believes(sample)) {
            Cow::Borrowed(samples)
        } else {
            samples.iter().filter(|sample| self.believes(sample)).copied().collect()
        }
    }

    /// Returns by what the variance of a device's readings is to be multiplied, beside that of its kind.
    pub(crate) fn scatter_of(&self, sensor: u32) -> f64 {
        self.trusts.get(sensor as usize).map_or(1.0, |trust| trust.scatter.ratio())
    }

    /// Returns what was learned of how far a device's readings scatter.
    pub(crate) fn learned_scatter(&self, sensor: u32) -> Option<&Scatter> {
        self.trusts.get(sensor as usize).map(|trust| &trust.scatter)
    }

    /// Learns from one minute of a link how far the readings of its devices scatter.
    pub(crate) fn learn_scatter(&mut self, pairs: &[Pair], site: &Site) {
        for pair in pairs {
            self.make_room(pair.sensor);
            let common = &mut self.kinds[pair.means as usize][usize::from(site.has_signal())];
            self.trusts[pair.sensor as usize].scatter.take(pair, common);
        }
    }

    fn is_believed(&self, sensor: u32) -> bool {
        self.trusts.get(sensor as usize).is_some_and(|trust| trust.doubted_from == i64::MAX)
    }

    /// Tells whether a sample is not one of a run in which its device was at fault.
    pub(crate) fn believes(&self, sample: &Sample) -> bool {
        self.trusts.get(sample.sensor as usize).is_none_or(|trust| sample.at < trust.doubted_from)
    }

    /// Tells whether a sensor is known to be silent or stuck.
    pub(crate) fn is_suspect(&self, sensor: u32) -> bool {
        self.quality(sensor).0 & Quality::SENSOR_SUSPECT.0 != 0
    }

    /// Tells whether half of the devices are silent at once: then the road of the messages is broken, not the devices.
    fn most_are_silent(&self, at: Timestamp, context: &Context<'_>) -> bool {
        // Half of the time that makes one device silent: the others are to be held back before they are told.
        let periods = context.config.health.silent_periods / 2.0;
        let (mut regular, mut silent) = (0, 0);
        for (rhythm, device) in self.rhythms.iter().zip(context.devices) {
            if rhythm.readings >= REGULAR_READINGS {
                regular += 1;
                silent += usize::from(rhythm.is_silent(at, device, periods));
            }
        }
        silent >= FEWEST_IN_COMMON && 2 * silent > regular
    }

    /// Makes room for a sensor and those before it, where it is the first to be asked for.
    fn make_room(&mut self, sensor: u32) {
        let devices = sensor as usize + 1;
        if self.rhythms.len() < devices {
            self.rhythms.resize_with(devices, Rhythm::default);
            self.trusts.resize_with(devices, Trust::default);
            self.checks.resize_with(devices, Checks::default);
        }
    }
}

impl Default for Trust {
    fn default() -> Self {
        Self { doubted_from: i64::MAX, scatter: Scatter::default(), told: [false; 5] }
    }
}

impl Rhythm {
    fn repeats(&self) -> impl Iterator<Item = &Repeat> {
        self.last.iter().chain(&self.others)
    }

    /// Returns the last value of that lane and kind; the new one where there is none yet.
    fn repeat(&mut self, new: Repeat) -> &mut Repeat {
        let same = |repeat: &Repeat| (repeat.lane, repeat.kind) == (new.lane, new.kind);
        if self.last.as_ref().is_none_or(same) {
            return self.last.get_or_insert(new);
        }
        let place = self.others.iter().position(same).unwrap_or_else(|| {
            self.others.push(new);
            self.others.len() - 1
        });
        &mut self.others[place]
    }

    fn is_silent(&self, at: Timestamp, device: &Device, periods: f64) -> bool {
        at.as_millis() - self.heard_at > (periods * device.period_ms as f64) as i64
    }
}

/// Returns the value that must move; `None` for one that may stand still: an empty road.
fn fingerprint(reading: &Reading) -> Option<u64> {
    let mix = |h: u64, v: u32| (h ^ u64::from(v)).wrapping_mul(0x0100_0000_01b3);
    match reading {
        Reading::Aggregate(a) => {
            // A mean speed is measured finely: two equal ones in a row are rare, eight are a stuck device.
            // A jam may stand: its speed of 0 says nothing of the device.
            const STANDING_KMH: f32 = 1.0;
            let counts = a.counts.unwrap_or_default();
            let speed = match a.speed_kmh {
                Some(speed) => (speed >= STANDING_KMH).then_some(speed)?,
                None if counts.iter().any(|(_, n)| n > 0) => -1.0,
                None => return None,
            };
            let hash =
                mix(mix(0xcbf2_9ce4_8422_2325, speed.to_bits()), a.occupancy.unwrap_or(-1.0).to_bits());
            Some(counts.iter().fold(hash, |h, (class, n)| mix(h, n << 4 | class as u32)))
        }
        _ => None,
    }
}
