//! Devices that see nobody where others still pass.
//!
//! A detector that hangs on "nobody" looks like an empty street. What tells the two apart is time and witnesses: a street that many
//! use is rarely empty for a quarter of an hour (tests of zero flow such as Chen et al. 2003, "Detecting errors and imputing missing
//! data for single-loop surveillance systems", go by that alone), and where it is, because the way to it is blocked, the other
//! devices of the link and the vehicles that tell their place see nobody either.
//!
//! Once a minute the readings of one minute, old enough for the late ones to be among them, are laid side by side. All is by event
//! time, so the order of arrival plays no part.

use serde::{Deserialize, Serialize};

use crate::config::HealthConfig;
use crate::sample::{Sample, What};
use crate::site::{Device, Site};

/// Length of the piece of time that is looked at, ms.
pub(crate) const MINUTE_MS: i64 = 60_000;

/// How long a minute is left for late readings, ms: 99 in 100 come by then.
const LATE_MS: i64 = 60_000;

/// What a device sees is usual over so many minutes: demand changes over that time, chance does not.
const USUAL_MINUTES: f32 = 20.0;

/// Minutes after which it is known what is usual.
const KNOWN_MINUTES: f32 = 5.0;

/// A witness that saw less than this share of what is usual says that the street is empty, or nearly so.
const EMPTY_SHARE: f32 = 0.25;

/// Drives that must be usual in that time for their absence to say anything.
const TELLING_DRIVES: f32 = 4.0;

/// One minute of a link.
#[derive(Clone, Debug, Default)]
pub(crate) struct Minute {
    /// Its end, event time, ms.
    end: i64,
    counts: Vec<Count>,
    /// Drives along the whole link that probes told of, pieces summed up.
    drives: f32,
}

/// What one device told of the minute.
#[derive(Clone, Copy, Debug)]
struct Count {
    sensor: u32,
    vehicles: f32,
    /// Whether somebody passed it, or stood on it.
    anybody: bool,
}

/// What is known of one device.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Audit {
    /// Vehicles, and drives of probes along its link, in a minute.
    usual: f32,
    usual_drives: f32,
    known_minutes: f32,
    empty: Empty,
}

/// A run of minutes in which it saw nobody.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Empty {
    /// Event time at which it began, ms.
    since: i64,
    minutes: f32,
    /// Vehicles that it would have seen: if all had been as usual, and by what the link's other devices saw.
    awaited: f32,
    by_others: f32,
    /// What the others usually saw when it began; 0 where there are none.
    others_usual: f32,
    drives: f32,
    awaited_drives: f32,
}

impl Minute {
    /// Returns the newest minute that is complete at `now`, of samples that are sorted by time.
    pub(crate) fn of(samples: &[Sample], now: i64, devices: &[Device], site: &Site) -> Self {
        let end = now - LATE_MS;
        let from = samples.partition_point(|s| s.at <= end - MINUTE_MS);
        let mut minute = Self { end, ..Self::default() };
        for sample in samples[from..].iter().take_while(|s| s.at <= end) {
            match sample.what {
                What::Count { n, occupancy, .. } if !n.is_nan() => minute.count(sample.sensor, n, occupancy),
                What::Probe { speed, .. } => {
                    let step_ms = devices.get(sample.sensor as usize).map_or(0, |d| d.period_ms);
                    minute.drives += speed / 3.6 * step_ms as f32 / 1000.0 / site.length_m as f32;
                }
                _ => {}
            }
        }
        minute
    }

    fn count(&mut self, sensor: u32, n: f32, occupancy: f32) {
        let anybody = n > 0.0 || occupancy > 0.0;
        match self.counts.iter_mut().find(|count| count.sensor == sensor) {
            Some(count) => {
                count.vehicles += n;
                count.anybody |= anybody;
            }
            None => self.counts.push(Count { sensor, vehicles: n, anybody }),
        }
    }

    /// The devices that told of it.
    pub(crate) fn sensors(&self) -> impl Iterator<Item = u32> {
        self.counts.iter().map(|count| count.sensor)
    }

    /// Returns how many vehicles the link's other devices saw, and how many they usually see; none where there are no others.
    /// `usual_of`: what is usual for a device; none for one that is not to be believed.
    pub(crate) fn others(&self, sensor: u32, usual_of: impl Fn(u32) -> Option<f32>) -> Option<(f32, f32)> {
        let others = self.counts.iter().filter(|count| count.sensor != sensor);
        let (seen, usual) = others
            .filter_map(|count| Some((count.vehicles, usual_of(count.sensor)?)))
            .fold((0.0, 0.0), |(seen, usually), (n, usual)| (seen + n, usually + usual));
        (usual > 0.0).then_some((seen, usual))
    }
}

impl Audit {
    /// Vehicles in a usual minute, once that is known.
    pub(crate) fn usual(&self) -> Option<f32> {
        (self.known_minutes >= KNOWN_MINUTES).then_some(self.usual)
    }

    /// Takes a minute of which the device told.
    pub(crate) fn take(&mut self, sensor: u32, minute: &Minute, others: Option<(f32, f32)>) {
        let Some(count) = minute.counts.iter().find(|count| count.sensor == sensor) else { return };
        if count.anybody {
            self.learn(count.vehicles, minute.drives);
            return;
        }
        let empty = &mut self.empty;
        if empty.minutes == 0.0 {
            empty.since = minute.end - MINUTE_MS;
            empty.others_usual = others.map_or(0.0, |(_, usual)| usual);
        }
        empty.minutes += 1.0;
        empty.awaited += self.usual;
        if let Some((seen, _)) = others.filter(|_| empty.others_usual > 0.0) {
            empty.by_others += self.usual * seen / empty.others_usual;
        }
        empty.drives += minute.drives;
        empty.awaited_drives += self.usual_drives;
    }

    fn learn(&mut self, vehicles: f32, drives: f32) {
        // Minutes without anybody belong to what is usual, too, once somebody comes again.
        let Empty { minutes, drives: before, .. } = std::mem::take(&mut self.empty);
        let minutes = minutes + 1.0;
        self.known_minutes += minutes;
        let part = (minutes / self.known_minutes).max(1.0 - (-minutes / USUAL_MINUTES).exp());
        self.usual += part * (vehicles / minutes - self.usual);
        self.usual_drives += part * ((before + drives) / minutes - self.usual_drives);
    }

    /// Returns since when the device is blind, event time, ms: it sees nobody, for longer and where more should have passed than
    /// happens on a street, and no witness says that the street is empty.
    pub(crate) fn blind_since(&self, limits: &HealthConfig) -> Option<i64> {
        let empty = &self.empty;
        let long = f64::from(empty.minutes) * 60.0 >= limits.blind_after_s;
        let many = f64::from(empty.awaited.max(empty.by_others)) >= limits.blind_vehicles;
        let others_agree = empty.others_usual > 0.0 && empty.by_others < EMPTY_SHARE * empty.awaited;
        let probes_agree =
            empty.awaited_drives >= TELLING_DRIVES && empty.drives < EMPTY_SHARE * empty.awaited_drives;
        let known = self.usual().is_some();
        (known && long && many && !others_agree && !probes_agree).then_some(empty.since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOOP: u32 = 0;
    const CAMERA: u32 = 1;

    /// What one minute brings: vehicles at the loop and at the camera, drives.
    type Told = (f32, Option<f32>, f32);

    fn fold(minutes: impl IntoIterator<Item = Told>) -> Audit {
        let mut audits = [Audit::default(); 2];
        for (i, (at_loop, at_camera, drives)) in minutes.into_iter().enumerate() {
            let mut minute = Minute { end: (i as i64 + 1) * MINUTE_MS, drives, ..Minute::default() };
            minute.count(LOOP, at_loop, 0.0);
            if let Some(n) = at_camera {
                minute.count(CAMERA, n, 0.0);
            }
            let before = audits;
            for sensor in minute.sensors() {
                let others = minute.others(sensor, |other| before[other as usize].usual());
                audits[sensor as usize].take(sensor, &minute, others);
            }
        }
        audits[LOOP as usize]
    }

    fn then(usual: Told, empty: Told, minutes: usize) -> Option<i64> {
        let told = std::iter::repeat_n(usual, 20).chain(std::iter::repeat_n(empty, minutes));
        fold(told).blind_since(&HealthConfig::default())
    }

    #[test]
    fn a_device_that_sees_nobody_on_a_busy_street_is_blind_after_a_while() {
        assert_eq!(then((5.0, None, 0.0), (0.0, None, 0.0), 14), None);
        assert_eq!(then((5.0, None, 0.0), (0.0, None, 0.0), 15), Some(20 * MINUTE_MS));
        assert_eq!(then((1.0, None, 0.0), (0.0, None, 0.0), 30), None, "few pass there");
    }

    #[test]
    fn a_street_that_is_empty_by_all_witnesses_has_no_blind_device() {
        assert_eq!(then((5.0, Some(5.0), 0.0), (0.0, Some(0.0), 0.0), 30), None);
        assert_eq!(then((5.0, None, 0.3), (0.0, None, 0.0), 30), None);
        assert!(then((5.0, None, 0.3), (0.0, None, 0.3), 30).is_some(), "probes still pass");
    }

    #[test]
    fn what_others_see_counts_for_more_than_what_was_usual_once() {
        assert!(then((1.0, Some(1.0), 0.0), (0.0, Some(5.0), 0.0), 15).is_some());
    }

    #[test]
    fn one_vehicle_clears_it() {
        let told = std::iter::repeat_n((5.0, None, 0.0), 20).chain(std::iter::repeat_n((0.0, None, 0.0), 30));
        let audit = fold(told.chain([(1.0, None, 0.0)]));
        assert_eq!(audit.blind_since(&HealthConfig::default()), None);
    }
}
