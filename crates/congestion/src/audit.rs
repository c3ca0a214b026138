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

use crate::bias::Bias;
use crate::config::HealthConfig;
use crate::sample::{Sample, What};
use crate::site::{self, Device, Site};

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
#[derive(Clone, Debug)]
pub(crate) struct Minute {
    /// Its end, event time, ms.
    end: i64,
    counts: Vec<Count>,
    /// Drives along the whole link that probes told of, pieces summed up.
    drives: f32,
    /// Places, m from the link's start, and speeds, km/h, of probes.
    probes: Vec<(f32, f32)>,
}

/// What one device told of the minute.
#[derive(Clone, Copy, Debug, Default)]
struct Count {
    sensor: u32,
    vehicles: f32,
    /// Whether somebody passed it, or stood on it.
    anybody: bool,
    /// Vehicles whose speeds it measured, and the sum of those, km/h.
    measured: f32,
    speeds: f32,
    /// Bits of the lanes that it told of; 0 = all at once.
    lanes: u32,
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

/// Returns the newest minute that is complete at `now`, of samples that are sorted by time.
pub(crate) fn newest_minute(samples: &[Sample], now: i64) -> &[Sample] {
    let end = now - LATE_MS;
    let place = |at: i64| samples.partition_point(|sample| sample.at <= at);
    &samples[place(end - MINUTE_MS)..place(end)]
}

impl Minute {
    /// Returns the newest minute that is complete at `now`, of samples that are sorted by time.
    pub(crate) fn of(samples: &[Sample], now: i64, devices: &[Device], site: &Site) -> Self {
        let mut minute = Self::new(now - LATE_MS);
        for sample in newest_minute(samples, now) {
            match sample.what {
                What::Count { n, .. } if !n.is_nan() => minute.count(sample),
                What::Probe { speed, offset_m, .. } => {
                    minute.probes.push((offset_m, speed));
                    let step_ms = site::step_ms(devices.get(sample.sensor as usize));
                    minute.drives += speed / 3.6 * step_ms as f32 / 1000.0 / site.length_m as f32;
                }
                _ => {}
            }
        }
        minute
    }

    fn new(end: i64) -> Self {
        Self { end, counts: Vec::new(), drives: 0.0, probes: Vec::new() }
    }

    fn count(&mut self, sample: &Sample) {
        let What::Count { n, speed, occupancy, .. } = sample.what else { return };
        let place = self.counts.iter().position(|count| count.sensor == sample.sensor).unwrap_or_else(|| {
            self.counts.push(Count { sensor: sample.sensor, ..Count::default() });
            self.counts.len() - 1
        });
        let count = &mut self.counts[place];
        count.vehicles += n;
        count.anybody |= n > 0.0 || occupancy > 0.0;
        if n > 0.0 && speed > 0.0 {
            count.measured += n;
            count.speeds += n * speed;
        }
        count.lanes |= if sample.lane == 0 { 0 } else { 1_u32.checked_shl(sample.lane.into()).unwrap_or(0) };
    }

    /// Holds a device against the link's others and against the probes that drive by.
    pub(crate) fn weigh(
        &self,
        sensor: u32,
        (device, site): (&Device, &Site),
        believed: impl Fn(u32) -> bool,
        bias: &mut Bias,
    ) {
        /// A probe this near passes the device at that speed, m.
        const NEAR_M: f64 = 50.0;
        let Some(own) = self.counts.iter().find(|count| count.sensor == sensor) else { return };
        let whole = |count: &&Count| count.lanes == 0 || f64::from(count.lanes.count_ones()) >= site.lanes;
        let others = self.counts.iter().filter(|count| count.sensor != sensor && believed(count.sensor));
        let (n, sum) = others.filter(whole).fold((0.0, 0.0), |(n, sum), c| (n + 1.0, sum + c.vehicles));
        if n > 0.0 && whole(&own) {
            bias.count(own.vehicles, sum / n, site);
        }
        // In a jam speeds differ from one vehicle to the next.
        let free_kmh = (site.free_kmh / 2.0) as f32;
        let own_kmh = own.speeds / own.measured;
        if device.reach_m == 0.0 && own_kmh > free_kmh {
            let near = |offset_m: f32| (f64::from(offset_m) - device.offset_m).abs() <= NEAR_M;
            let by = self.probes.iter().filter(|(offset_m, kmh)| near(*offset_m) && *kmh > free_kmh);
            by.for_each(|(_, kmh)| bias.speed(own_kmh, *kmh));
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
            let mut minute = Minute::new((i as i64 + 1) * MINUTE_MS);
            minute.drives = drives;
            let told = |sensor: u32, n: f32| {
                let what = What::Count {
                    period_s: 60.0,
                    n,
                    pcu: n,
                    mcu: n,
                    persons: n,
                    speed: 40.0,
                    occupancy: 0.0,
                };
                Sample { at: 0, sensor, lane: 0, quality: 0, what }
            };
            minute.count(&told(LOOP, at_loop));
            if let Some(n) = at_camera {
                minute.count(&told(CAMERA, n));
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

    #[test]
    fn a_loop_is_held_against_the_other_device_of_its_link_and_the_probes_that_pass_it() {
        let (site, device) = (Site::with_lanes(1.0), Device::point(150.0));
        let told = |sensor: u32, n: f32, speed: f32| {
            let what = What::Count { period_s: 60.0, n, pcu: n, mcu: n, persons: n, speed, occupancy: 0.05 };
            Sample { at: 1000, sensor, lane: 0, quality: 0, what }
        };
        let probe = |offset_m: f32, speed: f32| {
            let what = What::Probe { vehicle: 1, speed, offset_m };
            Sample { at: 1000, sensor: 9, lane: 0, quality: 0, what }
        };
        let after_two_hours = |n: f32, speed: f32, place_m: f32| {
            let samples = [told(LOOP, n, speed), told(CAMERA, 10.0, 30.0), probe(place_m, 40.0)];
            let minute = Minute::of(&samples, LATE_MS + 2000, &[], &site);
            let mut bias = Bias::default();
            (0..120).for_each(|_| minute.weigh(LOOP, (&device, &site), |_| true, &mut bias));
            bias.is_wrong(&site)
        };
        assert!(!after_two_hours(10.0, 40.0, 140.0));
        assert!(after_two_hours(5.0, 40.0, 140.0), "it counts half");
        assert!(after_two_hours(10.0, 52.0, 140.0), "it reads 30 % fast");
        assert!(!after_two_hours(10.0, 52.0, 20.0), "the probe is elsewhere");
    }
}
