//! A lane that has emptied while the one beside it flows freely: who comes changes lanes before what blocks it.
//!
//! A CUSUM (Page 1954) over the periods of a loop that tells its lanes apart: of `n` vehicles the lane has had its usual share `s`
//! for long; where it is blocked, a tenth of that. Shares wander with turns and platoons, so a vehicle counts for a third, and the
//! share is taken at the low end of what it may be.

use super::sign::{COUNTS_MS, Kind, Past, Sign};
use super::usual::LANES;
use crate::evidence::STANDING;
use crate::sample::What;

/// What is left of a blocked lane's share.
const LEFT: f64 = 0.1;

/// A vehicle counts for this much, for those of a platoon choose their lane together.
const INDEPENDENT: f64 = 0.3;

/// More of one period say no more: they are one platoon.
const MOST_OF_A_PERIOD: f64 = 6.0;

/// An empty lane alone is no incident: it may be where they turn.
const MOST_NATS: f64 = 3.5;

/// Vehicles that tell a share, and the most of them that are remembered: shares change.
const LEAST_VEHICLES: f64 = 20.0;
const MOST_VEHICLES: f64 = 100.0;

/// A share below this is not missed.
const LEAST_SHARE: f64 = 0.1;

/// Who drives faster than this share of free flow beside it is not in a queue.
const FREE_SHARE: f64 = 0.6;

/// What is newer is not taken for usual, ms.
const NEW_MS: i64 = 180_000;

/// One period of a loop, lane by lane.
struct Period {
    at: i64,
    n: [f64; LANES],
    speed: [f64; LANES],
    covered: [bool; LANES],
    told: usize,
}

/// Returns the lane that has emptied most beside one that flows.
pub(super) fn empty(past: &Past<'_>) -> Option<Sign> {
    let lanes = past.site.lanes.round() as usize;
    if !(2..=LANES).contains(&lanes) {
        return None;
    }
    if !some_lane_is_empty(past) {
        return None;
    }
    let periods = periods(past, lanes);
    let newest = periods.last()?.at;
    let mut usual: [f64; LANES] = past.usual.lanes.map(f64::from);
    let old = periods.iter().take_while(|p| newest - p.at > NEW_MS);
    old.for_each(|p| usual.iter_mut().zip(p.n).for_each(|(sum, n)| *sum += n));
    let all: f64 = usual.iter().sum();
    if all < LEAST_VEHICLES {
        return None;
    }
    let known = all.min(MOST_VEHICLES);
    let signs = (0..lanes).filter_map(|lane| {
        let low = low_share(usual[lane] / all * known, known);
        (low > LEAST_SHARE).then(|| cusum(&periods, lane, low, lanes, past))
    });
    signs.max_by(|a, b| a.nats.total_cmp(&b.nats))
}

/// Returns the low end of a share of which so many of so many were seen: 1.64 standard deviations below the middle of Agresti and Coull
/// (1998), which two more of each kind keep off 0 and 1.
fn low_share(seen: f64, of: f64) -> f64 {
    let share = (seen + 2.0) / (of + 4.0);
    share - 1.64 * (share * (1.0 - share) / (of + 4.0)).sqrt()
}

/// Tells whether a lane was empty in a late period: a cheap look, for on most links none is.
fn some_lane_is_empty(past: &Past<'_>) -> bool {
    let newest = past.samples.last().map_or(0, |s| s.at);
    let late = past.samples.iter().rev().take_while(|s| newest - s.at <= COUNTS_MS);
    late.into_iter().any(|s| s.lane > 0 && matches!(s.what, What::Count { n, .. } if n == 0.0))
}

/// Returns the periods of loops in which all lanes were told, oldest first.
fn periods(past: &Past<'_>, lanes: usize) -> Vec<Period> {
    let mut periods: Vec<Period> = Vec::new();
    let mut of = u32::MAX;
    for sample in past.samples {
        let What::Count { n, speed, occupancy, .. } = sample.what else { continue };
        let lane = usize::from(sample.lane).wrapping_sub(1);
        if lane >= lanes || n.is_nan() || past.health.is_suspect(sample.sensor) {
            continue;
        }
        // Readings of one period follow each other in the window.
        if periods.last().is_none_or(|p| p.at != sample.at) || of != sample.sensor {
            of = sample.sensor;
            periods.push(Period {
                at: sample.at,
                n: [0.0; LANES],
                speed: [f64::NAN; LANES],
                covered: [false; LANES],
                told: 0,
            });
        }
        if let Some(period) = periods.last_mut() {
            period.n[lane] = f64::from(n);
            period.speed[lane] = f64::from(speed);
            period.covered[lane] = occupancy >= STANDING;
            period.told += 1;
        }
    }
    periods.retain(|p| p.told == lanes);
    periods
}

fn cusum(periods: &[Period], lane: usize, share: f64, lanes: usize, past: &Past<'_>) -> Sign {
    let beside = ((1.0 - LEFT * share) / (1.0 - share)).ln();
    let (mut sum, mut since, mut vehicles) = (0.0f64, i64::MAX, 0.0);
    for period in periods {
        let others: f64 = (0..lanes).filter(|other| *other != lane).map(|other| period.n[other]).sum();
        let queue = (0..lanes)
            .filter(|other| *other != lane)
            .any(|other| period.speed[other] < FREE_SHARE * past.site.free_kmh);
        let step = if period.n[lane] > 0.0 {
            period.n[lane] * LEFT.ln() + others * beside
        } else if queue || period.covered[lane] {
            0.0
        } else {
            others.min(MOST_OF_A_PERIOD) * beside
        };
        sum += INDEPENDENT * step;
        vehicles += others;
        if sum <= 0.0 {
            (sum, since, vehicles) = (0.0, i64::MAX, 0.0);
        } else if since == i64::MAX {
            since = period.at;
        }
    }
    let seen_at = periods.last().map_or(0, |p| p.at);
    Sign {
        kind: Kind::Empty,
        nats: sum.min(MOST_NATS) as f32,
        since,
        seen_at,
        until: seen_at + COUNTS_MS,
        place_m: 0.0,
        lane: lane as u8 + 1,
        vehicles: vehicles as f32,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::evidence::Evidence;
    use crate::health::Health;
    use crate::incident::Usual;
    use crate::sample::Sample;
    use crate::site::{Device, Site};

    /// Both lanes are used alike for ten minutes; then the first is empty, and beside it so many drive that fast.
    fn after(empty_periods: i64, beside: f32, speed: f32) -> Option<Sign> {
        let lane = |at: i64, lane: u8, n: f32, speed: f32| {
            let what = What::Count { period_s: 30.0, n, pcu: n, mcu: n, persons: n, speed, occupancy: 0.1 };
            Sample { at: at * 30_000, sensor: 0, lane, quality: 0, what }
        };
        let usual = (0..20).flat_map(|i| [lane(i, 1, 5.0, 45.0), lane(i, 2, 5.0, 45.0)]);
        let new =
            (20..20 + empty_periods).flat_map(|i| [lane(i, 1, 0.0, f32::NAN), lane(i, 2, beside, speed)]);
        let samples: Vec<Sample> = usual.chain(new).collect();
        empty(&Past {
            samples: &samples,
            usual: &Usual::default(),
            settled: &Evidence::default(),
            site: &Site::with_lanes(2.0),
            devices: &[Device::point(100.0)],
            health: &Health::default(),
            cycle_s: None,
        })
    }

    fn nats(empty_periods: i64, beside: f32, speed: f32) -> f32 {
        after(empty_periods, beside, speed).map_or(0.0, |sign| sign.nats)
    }

    #[test]
    fn a_lane_that_is_empty_beside_one_that_flows_freely_is_named() {
        let sign = after(6, 6.0, 45.0).unwrap();
        assert_eq!((sign.lane, sign.vehicles), (1, 36.0));
        assert!(sign.nats > 2.0, "{}", sign.nats);
        assert_eq!(nats(6, 6.0, 10.0), 0.0, "beside a queue it may be where they turn");
        assert_eq!(nats(0, 0.0, 45.0), 0.0);
    }

    #[test]
    fn a_share_that_was_all_or_nothing_is_never_sure() {
        let (none, all) = (low_share(0.0, 100.0), low_share(100.0, 100.0));
        assert!(none < LEAST_SHARE && all > 0.9 && all < 1.0, "{none} {all}");
    }

    proptest! {
        #[test]
        fn more_vehicles_beside_and_more_time_never_lower_it(periods in 1i64..10, beside in 1u8..12) {
            let beside = f32::from(beside);
            prop_assert!(nats(periods, beside + 1.0, 45.0) >= nats(periods, beside, 45.0));
            prop_assert!(nats(periods + 1, beside, 45.0) >= nats(periods, beside, 45.0));
        }
    }
}
