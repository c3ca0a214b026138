//! Who stands: vehicles that tell where they are, and loops on which somebody stands and nobody passes.
//!
//! A queue at a stop line has no free road ahead. So whoever stands well before the end of a link, ahead of whom nobody stands
//! and the stop line is free, is held by something on the link itself, the more so where others passed before. Where a signal
//! tells its states, the time in which it was red does not count.

use model::SignalState;

use super::sign::{COUNTS_MS, Kind, Past, Sign, rarity};
use super::usual::{SLOW_KMH, step_s};
use crate::evidence::FULL;
use crate::sample::{Sample, What};

/// Nearer to the end than this they wait for the signal or for those who cross, m.
const LEAST_BEFORE_END_M: f64 = 40.0;

/// Nearer to the start than this they may still stand in the junction behind it, m.
const LEAST_AFTER_START_M: f64 = 20.0;

/// Positions of a vehicle that stands scatter by this much, m.
const SCATTER_M: f64 = 15.0;

/// Shorter stops are part of driving in a city, s.
const LEAST_STAND_S: f64 = 20.0;

/// A time of standing that counts as one vehicle that stood, s.
const ONE_STAND_S: f64 = 30.0;

/// What happened in the minute before somebody stopped is part of it, ms.
const OF_IT_MS: i64 = 60_000;

/// Those who stood somewhat further ahead were in the same kind of queue, m.
const SAME_QUEUE_M: f64 = 25.0;

/// A detector that is covered for this share of a period has one and the same vehicle standing on it.
const COVERED: f32 = 0.9;

struct Stand {
    vehicle: Option<u32>,
    since: i64,
    seen_at: i64,
    place_m: f64,
    lane: u8,
}

impl Stand {
    fn lasts_s(&self) -> f64 {
        (self.seen_at - self.since) as f64 / 1000.0
    }

    /// Returns how far before the end of its link one stands who stands in the same queue, m.
    fn behind_m(&self, length_m: f64) -> f64 {
        length_m - self.place_m - SAME_QUEUE_M
    }

    fn sign(&self, kind: Kind, nats: f32) -> Sign {
        Sign {
            kind,
            nats,
            since: self.since,
            seen_at: self.seen_at,
            until: self.seen_at + COUNTS_MS,
            place_m: self.place_m as f32,
            lane: self.lane,
            vehicles: 0.0,
        }
    }
}

/// Returns the vehicle whose standing is rarest here.
pub(super) fn stands(past: &Past<'_>) -> Option<Sign> {
    let signs = standing_probes(past.samples).into_iter().filter_map(|stand| {
        let held = stand.lasts_s() >= LEAST_STAND_S && is_held_on_the_link(past, &stand);
        let (stood, passed) = held.then(|| usual_at(past, &stand))?;
        // Before a signal the queue goes from time to time, and another comes.
        let since = if past.site.has_signal() { stand.since } else { queue_since(past, &stand) };
        let free_s = (stand.seen_at - since) as f64 / 1000.0 - red_s(past.samples, &stand);
        Some(stand.sign(Kind::Stands, rarity(stood, passed, free_s, LEAST_STAND_S)))
    });
    signs.max_by(|a, b| a.nats.total_cmp(&b.nats))
}

/// Returns the vehicles that stood when they were last heard.
fn standing_probes(samples: &[Sample]) -> Vec<Stand> {
    let Some(newest) = samples.last() else { return Vec::new() };
    let mut seen = Vec::new();
    let mut stands = Vec::new();
    for (end, sample) in samples.iter().enumerate().rev().take_while(|(_, s)| newest.at - s.at <= COUNTS_MS) {
        let What::Probe { vehicle, speed, offset_m } = sample.what else { continue };
        if seen.contains(&vehicle) {
            continue;
        }
        seen.push(vehicle);
        if speed < SLOW_KMH && !offset_m.is_nan() {
            let place_m = f64::from(offset_m);
            let since = stopped_at(&samples[..=end], vehicle, place_m);
            stands.push(Stand { vehicle: Some(vehicle), since, seen_at: sample.at, place_m, lane: 0 });
        }
    }
    stands
}

/// Returns since when a vehicle stands where it was last seen; the last sample is one of it.
fn stopped_at(samples: &[Sample], vehicle: u32, place_m: f64) -> i64 {
    let own = samples.iter().rev().filter_map(|s| match s.what {
        What::Probe { vehicle: v, speed, offset_m } if v == vehicle => {
            Some((s.at, speed, f64::from(offset_m)))
        }
        _ => None,
    });
    let there =
        own.take_while(|(_, speed, offset_m)| *speed < SLOW_KMH && (offset_m - place_m).abs() < SCATTER_M);
    there.map(|(at, ..)| at).min().unwrap_or(i64::MAX)
}

/// Tells whether nothing is seen ahead on the link that would hold it.
fn is_held_on_the_link(past: &Past<'_>, stand: &Stand) -> bool {
    let before_end_m = past.site.length_m - stand.place_m;
    if before_end_m < LEAST_BEFORE_END_M || stand.place_m < LEAST_AFTER_START_M {
        return false;
    }
    let late = past.samples.iter().rev().take_while(|s| s.at >= stand.seen_at - OF_IT_MS);
    !late.into_iter().any(|sample| holds_up(past, stand, sample))
}

fn holds_up(past: &Past<'_>, stand: &Stand, sample: &Sample) -> bool {
    let ahead = |place_m: f64| place_m > stand.place_m + SCATTER_M;
    let device = past.device(sample);
    match sample.what {
        What::Probe { vehicle, speed, offset_m } => {
            speed < SLOW_KMH && Some(vehicle) != stand.vehicle && ahead(f64::from(offset_m))
        }
        What::Queue { queue_m, .. } => {
            device.is_some_and(|d| d.reach_m > 0.0 && f64::from(queue_m) >= FULL * d.reach_m)
        }
        What::Count { n, occupancy, .. } => {
            n == 0.0 && occupancy >= COVERED && device.is_some_and(|d| d.reach_m == 0.0 && ahead(d.offset_m))
        }
        _ => false,
    }
}

/// Returns since when vehicles stand there or further back, a minute after each other at most: one queue, which creeps.
fn queue_since(past: &Past<'_>, stand: &Stand) -> i64 {
    let behind_m = stand.behind_m(past.site.length_m);
    let mut since = stand.since;
    for sample in past.samples.iter().rev().filter(|s| s.at < stand.since) {
        let What::Probe { speed, offset_m, .. } = sample.what else { continue };
        if sample.at < since - OF_IT_MS {
            break;
        }
        if speed < SLOW_KMH && past.site.length_m - f64::from(offset_m) >= behind_m {
            since = sample.at;
        }
    }
    since
}

/// Returns how many stood there or further back before, and how many drove along the link.
fn usual_at(past: &Past<'_>, stand: &Stand) -> (f64, f64) {
    let behind_m = stand.behind_m(past.site.length_m);
    let (mut stood_s, mut driven_m) = (past.usual.stood_s(behind_m), past.settled.probes.driven_m);
    let since = queue_since(past, stand);
    for sample in past.samples.iter().take_while(|s| s.at < since - OF_IT_MS) {
        let What::Probe { vehicle, speed, offset_m } = sample.what else { continue };
        let step_s = step_s(past.device(sample));
        driven_m += f64::from(speed) / 3.6 * step_s;
        let far_back = past.site.length_m - f64::from(offset_m) >= behind_m;
        if speed < SLOW_KMH && far_back && Some(vehicle) != stand.vehicle {
            stood_s += step_s;
        }
    }
    (stood_s / ONE_STAND_S, driven_m / past.site.length_m)
}

/// Returns the lane whose covered detector is rarest here.
pub(super) fn covered(past: &Past<'_>) -> Option<Sign> {
    let newest = past.samples.last()?.at;
    let mut seen = Vec::new();
    let mut best: Option<Sign> = None;
    for (end, sample) in past.samples.iter().enumerate().rev().take_while(|(_, s)| newest - s.at <= COUNTS_MS)
    {
        let What::Count { period_s, .. } = sample.what else { continue };
        let Some(device) = past.device(sample).filter(|d| d.reach_m == 0.0) else { continue };
        if seen.contains(&(sample.sensor, sample.lane)) || past.health.is_suspect(sample.sensor) {
            continue;
        }
        seen.push((sample.sensor, sample.lane));
        let own =
            past.samples[..=end].iter().rev().filter(|s| (s.sensor, s.lane) == (sample.sensor, sample.lane));
        let Some(first) = own.take_while(|s| is_covered(s)).last() else { continue };
        let since = first.at - (period_s * 1000.0) as i64;
        let stand =
            Stand { vehicle: None, since, seen_at: sample.at, place_m: device.offset_m, lane: sample.lane };
        if is_held_on_the_link(past, &stand) {
            let (stood, passed) = usual_on(past, sample, since);
            let least_s = f64::from(period_s);
            let free_s = stand.lasts_s() - red_s(past.samples, &stand);
            let sign = stand.sign(Kind::Covered, rarity(stood, passed, free_s, least_s));
            best = best.filter(|best| best.nats >= sign.nats).or(Some(sign));
        }
    }
    best
}

/// Returns how long the link's signal was red while somebody stood, as far as it tells, s.
fn red_s(samples: &[Sample], stand: &Stand) -> f64 {
    let (mut red_since, mut red_ms) = (None, 0);
    let lasted = |since: i64, until: i64| (until - since.max(stand.since)).max(0);
    for sample in samples.iter().take_while(|s| s.at <= stand.seen_at) {
        let What::Signal { state, .. } = sample.what else { continue };
        red_ms += red_since.take().map_or(0, |since| lasted(since, sample.at));
        red_since = (state == SignalState::Red).then_some(sample.at);
    }
    red_ms += red_since.map_or(0, |since| lasted(since, stand.seen_at));
    red_ms as f64 / 1000.0
}

fn is_covered(sample: &Sample) -> bool {
    matches!(sample.what, What::Count { n, occupancy, .. } if n == 0.0 && occupancy >= COVERED)
}

/// Returns in how many periods a detector was covered before, and how many it told of.
fn usual_on(past: &Past<'_>, sample: &Sample, since: i64) -> (f64, f64) {
    let What::Count { period_s, .. } = sample.what else { return (0.0, 0.0) };
    let lanes = if sample.lane == 0 { 1.0 } else { past.site.lanes };
    let settled = &past.settled.point;
    let (mut stood, mut told) = (settled.blocked / lanes, settled.seconds / f64::from(period_s));
    let own = past.samples.iter().take_while(|s| s.at < since - OF_IT_MS);
    for before in own.filter(|s| (s.sensor, s.lane) == (sample.sensor, sample.lane)) {
        told += 1.0;
        stood += f64::from(u8::from(is_covered(before)));
    }
    (stood, told)
}

/// Returns how many should have come to the detectors ahead of those who stand, and did not.
pub(super) fn missing(past: &Past<'_>, stand: &Sign) -> Option<Sign> {
    /// That many missed vehicles are worth one nat: they come in platoons.
    const A_NAT: f64 = 4.0;
    const MOST_NATS: f64 = 2.0;
    let ahead =
        |s: &&Sample| past.device(s).is_some_and(|d| d.offset_m > f64::from(stand.place_m) + SCATTER_M);
    let counts = || past.samples.iter().filter(|s| matches!(s.what, What::Count { .. })).filter(ahead);
    let newest = counts().next_back()?;
    let passed =
        |s: &&Sample| matches!(s.what, What::Count { n, occupancy, .. } if n > 0.0 || occupancy > 0.05);
    let last = counts().rfind(passed).or_else(|| counts().next())?.at;
    let (point, area) = (&past.settled.point, &past.settled.area);
    let rate = match past.device(newest)?.reach_m > 0.0 {
        true if area.seconds > 0.0 => area.vehicles / area.seconds,
        false if point.seconds > 0.0 => point.counted / point.seconds,
        _ => return None,
    };
    let vehicles = rate * (newest.at - last) as f64 / 1000.0;
    let nats = (vehicles / A_NAT).min(MOST_NATS) as f32;
    let kind = Kind::Missing;
    Some(Sign { kind, nats, since: last, seen_at: newest.at, vehicles: vehicles as f32, lane: 0, ..*stand })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::evidence::Evidence;
    use crate::health::Health;
    use crate::incident::Usual;
    use crate::site::{Device, Site};

    fn probe(second: i64, vehicle: u32, offset_m: f32, speed: f32) -> Sample {
        let what = What::Probe { vehicle, speed, offset_m };
        Sample { at: second * 1000, sensor: 0, lane: 0, quality: 0, what }
    }

    fn signal(second: i64, state: SignalState) -> Sample {
        Sample { at: second * 1000, sensor: 1, lane: 0, quality: 0, what: What::Signal { group: 0, state } }
    }

    /// Eight pass, then one stands for that long; `more` happens beside.
    fn nats(offset_m: f32, stands_s: i64, more: Vec<Sample>) -> f32 {
        let passed = (0..8u32).flat_map(|i| {
            (0..3i64)
                .map(move |step| probe(i64::from(i) * 20 + step * 10, i, 50.0 + 100.0 * step as f32, 36.0))
        });
        let stays = (0..=stands_s / 10).map(|step| probe(300 + step * 10, 99, offset_m, 0.0));
        let mut samples: Vec<Sample> = passed.chain(stays).chain(more).collect();
        samples.sort_by(Sample::cmp);
        let past = Past {
            samples: &samples,
            usual: &Usual::default(),
            settled: &Evidence::default(),
            site: &Site::with_lanes(2.0),
            devices: &[Device::fleet(), Device::point(250.0)],
            health: &Health::default(),
            cycle_s: None,
        };
        stands(&past).map_or(0.0, |sign| sign.nats)
    }

    #[test]
    fn who_stands_where_others_passed_is_a_sign_and_who_waits_at_the_end_or_the_start_is_none() {
        assert!(nats(150.0, 90, Vec::new()) > 3.0);
        assert_eq!(nats(280.0, 90, Vec::new()), 0.0);
        assert_eq!(nats(5.0, 90, Vec::new()), 0.0);
        assert_eq!(nats(150.0, 10, Vec::new()), 0.0);
    }

    #[test]
    fn who_stood_in_the_same_queue_makes_it_no_more_usual() {
        let before = |seconds: [i64; 4]| seconds.map(|second| probe(second, 98, 130.0, 0.0)).to_vec();
        let alone = nats(150.0, 90, Vec::new());
        assert_eq!(nats(150.0, 90, before([250, 260, 270, 280])), alone);
        assert!(nats(150.0, 90, before([30, 40, 50, 60])) < alone);
    }

    #[test]
    fn somebody_who_stands_ahead_is_the_reason() {
        assert_eq!(nats(150.0, 90, vec![probe(380, 7, 260.0, 0.0)]), 0.0);
        assert!(nats(150.0, 90, vec![probe(380, 7, 120.0, 0.0)]) > 3.0);
    }

    #[test]
    fn the_time_in_which_the_signal_was_red_does_not_count() {
        let red = vec![signal(280, SignalState::Red), signal(340, SignalState::Green)];
        let (waited, stood) = (nats(150.0, 60, red.clone()), nats(150.0, 60, Vec::new()));
        assert!(waited > 0.0 && waited < stood);
        assert_eq!(nats(150.0, 100, red), nats(150.0, 60, Vec::new()), "40 s of red");
    }

    proptest! {
        #[test]
        fn standing_longer_never_lowers_it(offset_m in 20.0f32..260.0, stands_s in 0i64..200) {
            prop_assert!(nats(offset_m, stands_s + 10, Vec::new()) >= nats(offset_m, stands_s, Vec::new()));
        }
    }
}
