//! The usual of a link by the time of its week, learned as it goes.
//!
//! A quarter of an hour of each weekday has a bin. What a bin has not seen it takes from the same time of like days, then of
//! all days, then from the link's mean: each level counts as one day beside what is below it (an empirical Bayes estimate).
//! A single jam moves a bin by at most [`MOST_DEPARTURE`] of free flow over its weight (Huber 1964), one that comes every day
//! is learned.

use model::Timestamp;
use serde::{Deserialize, Serialize};

use super::packed;

/// Length of a bin: five-minute speeds of neighbouring quarters of an hour differ by no more than their noise.
const BIN_MS: i64 = 15 * 60_000;

/// Bins of a day.
const DAY_BINS: usize = 96;

const DAY_MS: i64 = 24 * 3_600_000;

/// Days of the week; Monday is the first.
const DAYS: usize = 7;

/// 1970-01-01 was a Thursday.
const EPOCH_DAY: i64 = 3;

/// Saturday and the day after.
const WEEKEND: usize = 5;

/// Samples of a bin on one day: what a level of the fallback counts for.
const ONE_DAY: f32 = 3.0;

/// Samples of a day, of five minutes each.
const DAY_SAMPLES: f32 = 288.0;

/// Samples that a bin remembers: five weeks, so that a lasting change is learned within two months.
const MOST_SAMPLES: u16 = 15;

/// Most that one sample counts as departed from the usual, share of free flow: about half of what a jam does.
const MOST_DEPARTURE: f32 = 0.35;

/// Steps of a bin's value in one unit of free flow: 12 bits reach to 136 %.
const SCALE: f32 = 3000.0;

/// The usual speed of one link, as shares of free flow.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Profile {
    /// By day and quarter of an hour: 12 bits of the value, 4 bits of the samples under it.
    #[serde(with = "packed")]
    bins: Box<[u16]>,
    mean: f32,
    /// Samples under the mean, at most a day's.
    samples: f32,
}

impl Default for Profile {
    fn default() -> Self {
        Self { bins: vec![0; DAYS * DAY_BINS].into(), mean: 0.0, samples: 0.0 }
    }
}

impl Profile {
    /// Returns the usual at that local time; `typical` is what is usual where nothing was learned.
    pub(crate) fn usual(&self, local: Timestamp, typical: f32) -> f32 {
        // Between the middles of two bins.
        let from_middle = local.plus_millis(-BIN_MS / 2);
        let part = from_middle.as_millis().rem_euclid(BIN_MS) as f32 / BIN_MS as f32;
        let [before, after] = [from_middle, from_middle.plus_millis(BIN_MS)].map(place);
        (1.0 - part) * self.level(before, typical) + part * self.level(after, typical)
    }

    /// Tells whether a whole day was seen, so that every time of day has something under it.
    pub(crate) fn is_known(&self) -> bool {
        self.samples >= DAY_SAMPLES
    }

    /// Takes what was observed.
    pub(crate) fn learn(&mut self, local: Timestamp, share: f32, typical: f32) {
        let (day, slot) = place(local);
        let usual = self.level((day, slot), typical);
        self.samples = (self.samples + 1.0).min(DAY_SAMPLES);
        self.mean += (share - self.mean) / self.samples;
        let bin = &mut self.bins[day * DAY_BINS + slot];
        let (value, samples) = unpack(*bin);
        let from = if samples > 0.0 { value } else { usual };
        let departed = (share - from).clamp(-MOST_DEPARTURE, MOST_DEPARTURE);
        let rate = if samples > 0.0 { 1.0 / (samples + 1.0) } else { 1.0 };
        *bin = pack(from + rate * departed, (samples as u16 + 1).min(MOST_SAMPLES));
    }

    /// Returns the value of a bin with its fallbacks.
    fn level(&self, (day, slot): (usize, usize), typical: f32) -> f32 {
        /// Steps of an hour: the mean counts beside what is typical from then on.
        const ONE_HOUR: f32 = 12.0;
        let mut like = (0.0, 0.0);
        let mut unlike = (0.0, 0.0);
        for other in (0..DAYS).filter(|other| *other != day) {
            let (value, samples) = unpack(self.bins[other * DAY_BINS + slot]);
            let sums = if (other < WEEKEND) == (day < WEEKEND) { &mut like } else { &mut unlike };
            *sums = (sums.0 + value * samples, sums.1 + samples);
        }
        let (value, samples) = unpack(self.bins[day * DAY_BINS + slot]);
        let mean = (self.mean * self.samples + typical * ONE_HOUR) / (self.samples + ONE_HOUR);
        [unlike, like, (value * samples, samples)]
            .into_iter()
            .fold(mean, |level, (sum, samples)| (sum + ONE_DAY * level) / (samples + ONE_DAY))
    }
}

/// Returns the day and the quarter of an hour.
fn place(local: Timestamp) -> (usize, usize) {
    let millis = local.as_millis();
    let day = (millis.div_euclid(DAY_MS) + EPOCH_DAY).rem_euclid(DAYS as i64);
    (day as usize, (millis.rem_euclid(DAY_MS) / BIN_MS) as usize)
}

fn unpack(bin: u16) -> (f32, f32) {
    (f32::from(bin >> 4) / SCALE, f32::from(bin & 0xf))
}

fn pack(value: f32, samples: u16) -> u16 {
    let value = (value * SCALE).round().clamp(0.0, 4095.0) as u16;
    value << 4 | samples
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Monday, 2026-11-23T00:00:00Z.
    const MONDAY: Timestamp = Timestamp::from_millis(1_795_392_000_000);
    const STEP_MS: i64 = 300_000;

    /// Feeds whole days from Monday on; `share` of the day and the hour.
    fn after(days: i64, share: impl Fn(i64, f32) -> f32) -> Profile {
        let mut profile = Profile::default();
        for step in 0..days * 288 {
            let hour = (step % 288) as f32 / 12.0;
            profile.learn(MONDAY + step * STEP_MS, share(step / 288, hour), 0.8);
        }
        profile
    }

    fn rush(hour: f32) -> f32 {
        if (7.0..9.0).contains(&hour) { 0.4 } else { 0.9 }
    }

    #[test]
    fn a_rush_hour_of_three_weekdays_is_the_usual_of_the_fourth_but_not_of_a_sunday_once_one_was_seen() {
        let at = |profile: &Profile, day: i64, hour: i64| {
            profile.usual(MONDAY + (day * 24 + hour) * 3_600_000, 0.8)
        };
        let profile = after(3, |_, hour| rush(hour));
        assert!(at(&profile, 3, 8) < 0.55, "{}", at(&profile, 3, 8));
        assert!(at(&profile, 3, 12) > 0.85);
        let fortnight = after(14, |day, hour| if day % 7 < 5 { rush(hour) } else { 0.9 });
        assert!(at(&fortnight, 2, 8) < 0.45, "{}", at(&fortnight, 2, 8));
        assert!(at(&fortnight, 6, 8) > 0.8, "{}", at(&fortnight, 6, 8));
    }

    #[test]
    fn one_jam_is_not_the_usual() {
        let profile = after(14, |day, hour| if day == 9 && hour < 2.0 { 0.05 } else { 0.9 });
        let usual = profile.usual(MONDAY + 2 * DAY_MS + 3_600_000, 0.8);
        assert!(usual > 0.75, "{usual}");
    }

    #[test]
    fn where_nothing_was_learned_what_is_typical_is_usual() {
        assert!((Profile::default().usual(MONDAY, 0.62) - 0.62).abs() < 1e-6);
    }

    proptest! {
        #[test]
        fn the_usual_lies_between_what_was_seen_and_what_is_typical(
            shares in proptest::collection::vec((0i64..2016, 0.2f32..1.1), 1..400),
            at in 0i64..2016,
        ) {
            let mut profile = Profile::default();
            for (step, share) in &shares {
                profile.learn(MONDAY + step * STEP_MS, *share, 0.6);
            }
            let usual = profile.usual(MONDAY + at * STEP_MS, 0.6);
            prop_assert!((0.19..1.11).contains(&usual), "{usual}");
        }
    }
}
