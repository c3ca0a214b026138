//! Far fewer pass than usual: a likelihood ratio over whole cycles.
//!
//! Of `m` vehicles that usually pass a link's detectors in some time, `n` did. Where a lane is blocked, half of the flow is left, so
//! that what was seen is likelier there by `n ln 0.5 + 0.5 m` (Poisson), less the more the link's own counts scatter about its usual
//! flow. When it began nobody knows: it is taken at its most likely, back from now by one, two, three... whole cycles (generalised
//! likelihood ratio; Lorden 1971). A whole cycle holds its green and its red, whenever it begins, so a red is no fall.
//!
//! It is a sign only together with the paces and with what the neighbours tell (see [`super::sign::worth`]): here a queue is on the
//! detectors, ahead the road is free and fewer come, too, and from behind as many come as ever.

use serde::{Deserialize, Serialize};

use super::sign::{COUNTS_MS, Kind, Past, Sign};
use crate::sample::{Sample, What};
use crate::site::Site;

/// What is left of the flow where something blocks the road: of the capacity 0.35 where a lane of two is blocked, 0.49 of three (Highway
/// Capacity Manual, 6th edition, exhibit 11-23), and somewhat more of a flow that is below capacity.
const LEFT: f64 = 0.5;

/// Alone it is no incident, as long as the bar is not low: a junction that is blocked does the same.
pub(super) const MOST_NATS: f64 = 3.5;

/// Less says nothing.
const LEAST_NATS: f64 = 0.2;

/// The cycle where no signal tells its own, ms: few signals have a longer one (Signal Timing Manual, NCHRP 812, chapter 6).
const UNTOLD_CYCLE_MS: i64 = 120_000;

/// A cycle that is told counts within these bounds, ms.
const CYCLES_MS: (f64, f64) = (30_000.0, 300_000.0);

/// The usual flow was seen for so long at least, s.
const LEAST_WATCHED_S: f64 = 300.0;

/// A missing vehicle counts for this much, for those of a platoon are missed together.
const INDEPENDENT: f64 = 0.3;

/// By how much more than by chance counts of two minutes scatter until the link has told: by 1.2 to 5.5 on simulated streets. What
/// that is worth, in counts.
const PRIOR_SCATTER: f32 = 3.0;
const PRIOR_COUNTS: f32 = 5.0;

/// The usual flow of a link, and how far counts of whole cycles scatter about it; sums over what has left the window.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Flow {
    counted: f32,
    /// Time in which its whole width was watched, by one device, s.
    watched_s: f32,
    /// Squared departures of counts, over what was usual; and how many counts.
    squares: f32,
    counts: f32,
    /// The count that is being made: its begin, event time, ms; who passed, and how many usually do.
    since: i64,
    passed: f32,
    usual: f32,
}

impl Flow {
    pub(super) fn take(&mut self, sample: &Sample, site: &Site) {
        let Some((passed, watched_s)) = counted(sample, site) else { return };
        if sample.at - self.since > UNTOLD_CYCLE_MS {
            if self.usual > 0.0 {
                self.squares += (self.passed - self.usual).powi(2) / self.usual;
                self.counts += 1.0;
            }
            (self.since, self.passed, self.usual) = (sample.at - period_ms(sample), 0.0, 0.0);
        }
        if self.watched_s > 0.0 {
            self.passed += passed as f32;
            self.usual += self.counted / self.watched_s * watched_s as f32;
        }
        self.counted += passed as f32;
        self.watched_s += watched_s as f32;
    }

    pub(super) fn fade(&mut self, factor: f32) {
        let Self { counted, watched_s, squares, counts, .. } = self;
        [counted, watched_s, squares, counts].into_iter().for_each(|sum| *sum *= factor);
    }

    /// Tells whether anything was counted.
    pub(super) fn is_known(&self) -> bool {
        self.watched_s > 0.0
    }

    /// Returns how many vehicles are counted in a second, where they were watched for long enough.
    fn rate(&self) -> Option<f64> {
        let watched_s = f64::from(self.watched_s);
        (watched_s >= LEAST_WATCHED_S).then(|| f64::from(self.counted) / watched_s)
    }

    /// Returns by how much more than by chance counts scatter.
    fn scatter(&self) -> f64 {
        let squares = self.squares + PRIOR_SCATTER * PRIOR_COUNTS;
        f64::from(squares / (self.counts + PRIOR_COUNTS)).max(1.0)
    }
}

/// Returns how many passed, and for how long the whole width was watched, s.
fn counted(sample: &Sample, site: &Site) -> Option<(f64, f64)> {
    let What::Count { n, period_s, .. } = sample.what else { return None };
    let width = if sample.lane == 0 { 1.0 } else { site.lanes };
    (!n.is_nan() && period_s > 0.0).then(|| (f64::from(n), f64::from(period_s) / width))
}

fn period_ms(sample: &Sample) -> i64 {
    match sample.what {
        What::Count { period_s, .. } => (period_s * 1000.0) as i64,
        _ => 0,
    }
}

/// Returns the counts of detectors that are believed, newest first.
fn counts<'a>(past: &'a Past<'_>) -> impl Iterator<Item = &'a Sample> {
    let is_count = |s: &&Sample| matches!(s.what, What::Count { .. });
    past.samples.iter().rev().filter(is_count).filter(|s| !past.health.is_suspect(s.sensor))
}

/// What the detectors counted from some instant on, and what they usually do.
#[derive(Clone, Copy, Debug)]
struct Seen {
    passed: f64,
    usual: f64,
}

impl Seen {
    /// Whoever passed in the period in which it began may have passed after that: so all of whole cycles is in it.
    fn since(since: i64, rate: f64, past: &Past<'_>) -> Self {
        let mut seen = Self { passed: 0.0, usual: 0.0 };
        for sample in counts(past).take_while(|s| s.at > since) {
            let Some((passed, watched_s)) = counted(sample, past.site) else { continue };
            let within = ((sample.at - since) as f64 / period_ms(sample) as f64).min(1.0);
            seen.passed += passed;
            seen.usual += within * watched_s * rate;
        }
        seen
    }

    /// Returns the logarithm of how much likelier it is where the road is blocked, by chance alone.
    fn ratio(&self) -> f64 {
        self.passed * LEFT.ln() + (1.0 - LEFT) * self.usual
    }
}

/// Tells whether a queue was on the detectors of late.
fn is_slow(past: &Past<'_>, newest: i64) -> bool {
    /// They are covered for longer than at capacity, or those who pass a point are slower than there (Greenshields 1935: half of free flow).
    const COVERED: f32 = 0.25;
    const SLOW_SHARE: f64 = 0.5;
    counts(past).take_while(|s| newest - s.at <= COUNTS_MS).any(|s| {
        let What::Count { speed, occupancy, .. } = s.what else { return false };
        let is_point = past.device(s).is_none_or(|d| d.reach_m == 0.0);
        occupancy >= COVERED || is_point && f64::from(speed) < SLOW_SHARE * past.site.free_kmh
    })
}

/// Tells that far fewer pass than usual, since when it is likeliest.
pub(super) fn fallen(past: &Past<'_>) -> Option<Sign> {
    let rate = past.usual.flow.rate().filter(|rate| *rate > 0.0)?;
    let newest = counts(past).next()?.at;
    let told_ms = past.cycle_s.map(|s| (s * 1000.0).clamp(CYCLES_MS.0, CYCLES_MS.1) as i64);
    let cycle_ms = told_ms.unwrap_or(UNTOLD_CYCLE_MS);
    let seen = |cycles: i64| Seen::since(newest - cycles * cycle_ms, rate, past);
    // When the newest cycle is as usual, it is over.
    if seen(1).ratio() <= 0.0 {
        return None;
    }
    let most_cycles = (newest - past.samples.first()?.at) / cycle_ms;
    let begun = (1..=most_cycles.max(1)).map(|cycles| (cycles, seen(cycles)));
    let (cycles, most) = begun.max_by(|a, b| a.1.ratio().total_cmp(&b.1.ratio()))?;
    let nats = INDEPENDENT * most.ratio() / past.usual.flow.scatter();
    (nats >= LEAST_NATS).then(|| Sign {
        kind: if is_slow(past, newest) { Kind::Fallen } else { Kind::FewerCome },
        nats: nats as f32,
        since: newest - cycles * cycle_ms,
        seen_at: newest,
        until: newest + COUNTS_MS,
        place_m: 0.0,
        lane: 0,
        vehicles: (most.usual - most.passed) as f32,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::evidence::Evidence;
    use crate::health::Health;
    use crate::incident::Usual;
    use crate::site::Device;

    const PERIOD_S: i64 = 30;

    fn count(second: i64, n: f64, speed: f32) -> Sample {
        let n = n as f32;
        let what =
            What::Count { period_s: PERIOD_S as f32, n, pcu: n, mcu: n, persons: n, speed, occupancy: 0.1 };
        Sample { at: second * 1000, sensor: 0, lane: 0, quality: 0, what }
    }

    /// Counts of a stop line up to that second: so many a second in the first part of each cycle, and nobody in the red after it.
    fn counts_of(cycle_s: i64, green_s: i64, until_s: i64) -> Vec<Sample> {
        let passed = |from: i64| (from..from + PERIOD_S).filter(|s| s % cycle_s < green_s).count();
        (0..until_s / PERIOD_S)
            .map(|i| count((i + 1) * PERIOD_S, passed(i * PERIOD_S) as f64, 30.0))
            .collect()
    }

    /// All but the last ten minutes have settled.
    fn sign(samples: &[Sample], cycle_s: Option<f64>) -> Option<Sign> {
        let site = Site::with_lanes(2.0);
        let (old, new) = samples.split_at(samples.len() - 20);
        let mut usual = Usual::default();
        old.iter().for_each(|sample| usual.take(sample, None, &site));
        let (settled, health) = (&Evidence::default(), &Health::default());
        let devices = &[Device::point(100.0)];
        fallen(&Past { samples: new, usual: &usual, settled, site: &site, devices, health, cycle_s })
    }

    fn nats(samples: &[Sample], cycle_s: Option<f64>) -> f32 {
        sign(samples, cycle_s).map_or(0.0, |sign| sign.nats)
    }

    /// Fifteen pass in each cycle of 90 s; then that many, slowly or not, for so many periods.
    fn after(passed: f64, periods: usize, speed: f32) -> Vec<Sample> {
        let mut samples = counts_of(90, 15, 3600);
        let from = samples.len() - periods;
        samples[from..].iter_mut().for_each(|sample| *sample = count(sample.at / 1000, passed, speed));
        samples
    }

    #[test]
    fn a_hundred_cycles_of_ordinary_red_are_no_fall() {
        let samples = counts_of(90, 25, 100 * 90);
        for end in 40..=samples.len() {
            assert_eq!(nats(&samples[..end], Some(90.0)), 0.0);
            assert_eq!(nats(&samples[..end], None), 0.0, "nor where nobody tells the cycle");
        }
    }

    #[test]
    fn a_fall_is_seen_within_two_minutes_and_grows() {
        assert!(nats(&after(1.0, 4, 10.0), Some(90.0)) > 0.5);
        assert!(nats(&after(1.0, 8, 10.0), Some(90.0)) > 1.0);
    }

    #[test]
    fn those_who_creep_are_held_and_those_who_drive_freely_are_fewer() {
        let of = |speed: f32| sign(&after(1.0, 6, speed), Some(90.0)).unwrap();
        assert_eq!((of(10.0).kind, of(45.0).kind), (Kind::Fallen, Kind::FewerCome));
        assert!(of(10.0).vehicles > 15.0, "{}", of(10.0).vehicles);
    }

    #[test]
    fn a_cycle_as_usual_ends_it() {
        let mut samples = after(0.0, 9, 10.0);
        let from = samples.len() - 3;
        samples[from..].iter_mut().for_each(|sample| *sample = count(sample.at / 1000, 5.0, 10.0));
        assert_eq!(nats(&samples, Some(90.0)), 0.0);
    }

    #[test]
    fn a_link_whose_counts_scatter_has_to_fall_for_longer() {
        let mut scattered = after(1.0, 6, 10.0);
        scattered.iter_mut().take(80).for_each(|sample| {
            let now_and_then = if sample.at / 600_000 % 2 == 0 { 0.0 } else { 10.0 };
            *sample = count(sample.at / 1000, now_and_then, 30.0);
        });
        assert!(nats(&scattered, Some(90.0)) < nats(&after(1.0, 6, 10.0), Some(90.0)));
    }

    proptest! {
        #[test]
        fn a_red_of_any_length_never_raises_it(
            cycle_s in 40i64..150, green in 0.1f64..0.9, more_s in 0i64..150, speed in 5.0f32..50.0,
        ) {
            let mut samples = counts_of(cycle_s, ((cycle_s as f64 * green) as i64).max(1), 5400 + more_s);
            samples.iter_mut().for_each(|s| if let What::Count { speed: told, .. } = &mut s.what { *told = speed });
            prop_assert_eq!(nats(&samples, Some(cycle_s as f64)), 0.0);
        }

        #[test]
        fn fewer_who_pass_never_lower_it(
            passed in prop::collection::vec(0.0f64..12.0, 20), which in 0usize..20, fewer in 0.0f64..1.0,
        ) {
            let with = |passed: &[f64]| {
                let mut samples = counts_of(90, 25, 3600);
                let from = samples.len() - passed.len();
                let told = samples[from..].iter_mut().zip(passed);
                told.for_each(|(sample, n)| *sample = count(sample.at / 1000, *n, 10.0));
                nats(&samples, Some(90.0))
            };
            let mut less = passed.clone();
            less[which] *= fewer;
            prop_assert!(with(&less) >= with(&passed));
        }
    }
}
