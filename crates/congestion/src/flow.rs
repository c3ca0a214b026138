//! Flow from counts: vehicles over the time in which they were counted, the newest weighing most.

use crate::Config;
use crate::sample::{Sample, What};
use crate::site::Site;

/// Sums of vehicles, PCU, MCU and persons, and of the time that was watched.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Flow {
    vehicles: [f64; 4],
    seconds: f64,
}

impl Flow {
    pub(crate) fn add(&mut self, vehicles: [f64; 4], seconds: f64) {
        self.vehicles.iter_mut().zip(vehicles).for_each(|(sum, more)| *sum += more);
        self.seconds += seconds;
    }

    /// Returns vehicles, PCU, MCU and persons per hour; `None` when nobody watched.
    pub(crate) fn per_hour(&self) -> Option<[f64; 4]> {
        (self.seconds > 0.0).then(|| self.vehicles.map(|n| n / self.seconds * 3600.0))
    }
}

/// Vehicles that were told one by one: their devices tell no period, so the time that they watched is from the first that
/// they told (or the window's start) to now. A device that has told nothing for the whole window may be dead, so it says
/// nothing.
pub(crate) struct Passages {
    now: i64,
    long_s: f64,
    short_s: f64,
    watched_before: bool,
    /// By sensor, in order of appearance.
    devices: Vec<Device>,
}

struct Device {
    sensor: u32,
    first_at: i64,
    newest_at: i64,
    /// The one lane of which it told; 0 where it told of the whole width, or of several.
    lane: u8,
    vehicles: [f64; 4],
}

/// The first vehicle says little of the flow: it counts as if it had been awaited that long, s.
const LEAST_WATCHED_S: f64 = 30.0;

/// The newest vehicles may still be on their way here for that long, s.
const MESSAGE_S: f64 = 5.0;

impl Passages {
    /// `watched_before`: passages were told before the window began.
    pub(crate) fn new(now: i64, watched_before: bool, config: &Config) -> Self {
        let (long_s, short_s) = (config.long_window_s, config.short_window_s);
        Self { now, long_s, short_s, watched_before, devices: Vec::new() }
    }

    /// Takes the passages of a window, oldest first.
    pub(crate) fn take(&mut self, sample: &Sample) {
        let What::Passage { pcu, mcu, persons, .. } = sample.what else { return };
        let age_s = self.age_s(sample.at);
        let fresh = if age_s > self.long_s { 0.0 } else { (-age_s / self.short_s).exp2() };
        let place = self.devices.iter().position(|d| d.sensor == sample.sensor).unwrap_or_else(|| {
            self.devices.push(Device {
                sensor: sample.sensor,
                first_at: sample.at,
                newest_at: sample.at,
                lane: sample.lane,
                vehicles: [0.0; 4],
            });
            self.devices.len() - 1
        });
        let device = &mut self.devices[place];
        device.newest_at = device.newest_at.max(sample.at);
        if device.lane != sample.lane {
            device.lane = 0;
        }
        let units = [1.0, f64::from(pcu), f64::from(mcu), f64::from(persons)];
        device.vehicles.iter_mut().zip(units).for_each(|(sum, unit)| *sum += unit * fresh);
    }

    pub(crate) fn add_to(&self, flow: &mut Flow, site: &Site) {
        for device in &self.devices {
            let silent_s = self.age_s(device.newest_at);
            if silent_s > self.long_s {
                continue;
            }
            let first_s = if self.watched_before { self.long_s } else { self.age_s(device.first_at) };
            let from_s = first_s.clamp(LEAST_WATCHED_S, self.long_s);
            let seconds = self.weighted_s(from_s) - self.weighted_s(silent_s.min(MESSAGE_S));
            let lanes = if device.lane == 0 { 1.0 } else { site.lanes };
            flow.add(device.vehicles.map(|n| n * lanes), seconds);
        }
    }

    fn age_s(&self, at: i64) -> f64 {
        ((self.now - at) as f64 / 1000.0).max(0.0)
    }

    /// The time up to that age, each second weighted as a vehicle in it.
    fn weighted_s(&self, age_s: f64) -> f64 {
        self.short_s / std::f64::consts::LN_2 * (1.0 - (-age_s / self.short_s).exp2())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flow_vph(seconds: impl Iterator<Item = f64>, now_s: f64) -> Option<f64> {
        let site = Site::with_lanes(2.0);
        let mut passages = Passages::new((now_s * 1000.0) as i64, false, &Config::default());
        for s in seconds {
            let what = What::Passage { pcu: 0.3, mcu: 1.0, persons: 1.3, speed: 30.0 };
            passages.take(&Sample { at: (s * 1000.0) as i64, sensor: 1, lane: 0, quality: 0, what });
        }
        let mut flow = Flow::default();
        passages.add_to(&mut flow, &site);
        flow.per_hour().map(|[vehicles, ..]| vehicles)
    }

    #[test]
    fn six_hundred_in_a_minute_are_36000_an_hour() {
        let flow = flow_vph((0..600).map(|i| 1000.0 + f64::from(i) / 10.0), 1060.0).unwrap();
        assert!((flow / 36_000.0 - 1.0).abs() < 0.02, "{flow}");
    }

    #[test]
    fn messages_on_their_way_lower_no_flow() {
        let flow = flow_vph((0..600).map(|i| 1000.0 + f64::from(i) / 10.0), 1064.0).unwrap();
        assert!((flow / 36_000.0 - 1.0).abs() < 0.02, "{flow}");
    }

    #[test]
    fn one_vehicle_is_no_flood_and_a_device_that_fell_silent_says_nothing() {
        assert!(flow_vph([1000.0].into_iter(), 1000.0).unwrap() < 250.0);
        assert_eq!(flow_vph([1000.0].into_iter(), 1301.0), None);
    }
}
