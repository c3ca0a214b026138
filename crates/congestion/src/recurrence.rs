//! Bottlenecks that recur: at which hours of which days each link was the head of a queue.
//!
//! A bit for each of the last 32 days and each hour of the day says more than a mean: "on 6 of the last 10 days at this hour".
//! Days and hours are those of the city's clocks. Only links that have headed a queue take memory, and no more than
//! [`MOST_HEADS`] of them.

use std::fmt;

use model::Timestamp;
use serde::{Deserialize, Serialize};

/// A hundred bytes each: half a megabyte.
const MOST_HEADS: usize = 5_000;

/// Days that are told of: four weeks, so that each day of the week weighs the same.
const DAYS: i64 = 28;

/// A queue's delay weighs as much in the mean as all before it do after three more.
const STEP: f32 = 0.2;

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Recurrence {
    /// The first day that was watched, counted from 1970.
    first_day: Option<i64>,
    /// Sorted by link.
    heads: Vec<Habit>,
    /// The day on which there was no room left, and all were heads: none is forgotten before the next one.
    #[serde(skip)]
    full_on: Option<i64>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Habit {
    link: u32,
    /// The day of the lowest bits.
    day: i64,
    /// By hour of the day: bit 0 = that day, bit 1 = the day before it.
    hours: [u32; 24],
    /// Mean over its queues, NaN before the first was over.
    delay_veh_h: f32,
}

/// How often a link was the head of a queue before.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Recurs {
    /// Days on which it was at this hour.
    pub(crate) days: u32,
    /// Days that were watched.
    pub(crate) of_days: u32,
    /// What its queues cost on average; `None` before one was over.
    pub(crate) delay_veh_h: Option<f32>,
}

impl fmt::Display for Recurs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "; recurs here: on {} of the last {} days at this hour", self.days, self.of_days)?;
        self.delay_veh_h.map_or(Ok(()), |delay| write!(f, ", a queue costs {delay:.1} veh h"))
    }
}

impl Recurrence {
    /// Notes that a link is the head of a queue. `ahead_ms`: how far the city's clocks are ahead of UTC.
    pub(crate) fn note(&mut self, at: Timestamp, ahead_ms: i64, link: u32) {
        let (day, hour) = day_and_hour(at, ahead_ms);
        let place = match self.heads.binary_search_by_key(&link, |habit| habit.link) {
            Ok(place) => place,
            Err(place) if self.heads.len() < MOST_HEADS => {
                let new = Habit { link, day, hours: [0; 24], delay_veh_h: f32::NAN };
                self.heads.insert(place, new);
                place
            }
            Err(_) => return self.forget_oldest(day),
        };
        let habit = &mut self.heads[place];
        habit.move_to(day);
        habit.hours[hour] |= 1;
    }

    /// Takes what a queue cost that is over.
    pub(crate) fn learn_delay(&mut self, link: u32, delay_veh_h: f64) {
        if let Ok(place) = self.heads.binary_search_by_key(&link, |habit| habit.link) {
            let mean = &mut self.heads[place].delay_veh_h;
            let delay_veh_h = delay_veh_h as f32;
            *mean = if mean.is_nan() { delay_veh_h } else { *mean + STEP * (delay_veh_h - *mean) };
        }
    }

    /// Begins the count of days.
    pub(crate) fn watch(&mut self, at: Timestamp, ahead_ms: i64) {
        self.first_day.get_or_insert(day_and_hour(at, ahead_ms).0);
    }

    /// Returns how often a link was a head at this hour on days before this one; `None` where that is no habit: on fewer than two
    /// days, or on fewer than a quarter of them.
    pub(crate) fn of(&self, at: Timestamp, ahead_ms: i64, link: u32) -> Option<Recurs> {
        let (day, hour) = day_and_hour(at, ahead_ms);
        let of_days = (day - self.first_day?).min(DAYS);
        let place = self.heads.binary_search_by_key(&link, |habit| habit.link).ok()?;
        let mut habit = self.heads[place].clone();
        habit.move_to(day);
        let before = (habit.hours[hour] >> 1) & ((1 << DAYS) - 1);
        let (days, of_days) = (before.count_ones(), of_days as u32);
        let delay_veh_h = Some(habit.delay_veh_h).filter(|delay| !delay.is_nan());
        (days >= 2 && days * 4 >= of_days).then_some(Recurs { days, of_days, delay_veh_h })
    }

    /// Makes room: who was no head for the longest time goes, all of those days at once.
    fn forget_oldest(&mut self, today: i64) {
        if self.full_on == Some(today) {
            return;
        }
        let oldest = self.heads.iter().map(|habit| habit.day).min().unwrap_or(today);
        self.heads.retain(|habit| habit.day > oldest || habit.day == today);
        self.full_on = Some(today).filter(|_| oldest == today);
    }
}

impl Habit {
    fn move_to(&mut self, day: i64) {
        let days = u32::try_from(day - self.day).unwrap_or(0);
        if days == 0 {
            return;
        }
        self.hours
            .iter_mut()
            .for_each(|days_before| *days_before = days_before.checked_shl(days).unwrap_or(0));
        self.day = day;
    }
}

fn day_and_hour(at: Timestamp, ahead_ms: i64) -> (i64, usize) {
    const HOUR_MS: i64 = 3_600_000;
    let hours = (at.as_millis() + ahead_ms).div_euclid(HOUR_MS);
    (hours.div_euclid(24), hours.rem_euclid(24) as usize)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DAY_MS: i64 = 86_400_000;

    fn at(day: i64, hour: i64) -> Timestamp {
        Timestamp::from_millis(day * DAY_MS + hour * 3_600_000 + 60_000)
    }

    #[test]
    fn a_head_of_two_mornings_of_three_recurs_in_the_morning_only() {
        let mut recurrence = Recurrence::default();
        recurrence.watch(at(100, 0), 0);
        recurrence.note(at(100, 8), 0, 7);
        recurrence.learn_delay(7, 4.0);
        assert_eq!(recurrence.of(at(101, 8), 0, 7), None, "one day is no habit");
        recurrence.note(at(102, 8), 0, 7);
        let recurs = Recurs { days: 2, of_days: 3, delay_veh_h: Some(4.0) };
        assert_eq!(recurrence.of(at(103, 8), 0, 7), Some(recurs));
        assert_eq!(recurrence.of(at(103, 9), 0, 7), None);
        assert_eq!(recurrence.of(at(103, 8), 0, 8), None);
    }

    #[test]
    fn what_was_two_months_ago_is_forgotten() {
        let mut recurrence = Recurrence::default();
        recurrence.watch(at(0, 0), 0);
        (0..5).for_each(|day| recurrence.note(at(day, 8), 0, 7));
        assert!(recurrence.of(at(6, 8), 0, 7).is_some());
        assert_eq!(recurrence.of(at(65, 8), 0, 7), None);
    }

    #[test]
    fn the_hour_is_that_of_the_citys_clocks() {
        assert_eq!(day_and_hour(at(10, 20), 7 * 3_600_000), (11, 3));
    }

    proptest! {
        #[test]
        fn no_more_days_are_told_than_were_watched(days in proptest::collection::btree_set(0i64..60, 0..40)) {
            let mut recurrence = Recurrence::default();
            recurrence.watch(at(0, 0), 0);
            days.iter().for_each(|day| recurrence.note(at(*day, 8), 0, 1));
            if let Some(recurs) = recurrence.of(at(60, 8), 0, 1) {
                prop_assert_eq!(recurs.of_days, 28);
                prop_assert_eq!(recurs.days as usize, days.range(32..60).count());
            }
        }
    }

    #[test]
    fn memory_is_bounded() {
        let mut recurrence = Recurrence::default();
        for link in 0..20_000u32 {
            recurrence.note(at(i64::from(link / 1_000), 8), 0, link);
        }
        assert!(recurrence.heads.len() <= MOST_HEADS);
    }
}
