//! Bluetooth matchers: some vehicles are recognised at one device and again at the next.

use std::collections::BTreeMap;

use model::ReadingKind;
use roadnet::{LinkIndex, SensorKind};

use super::{Look, eye};
use crate::city::City;
use crate::event::Fields;
use crate::random::{Draw, Stream};

/// How often a device reports its matches.
const PERIOD_S: u64 = 60;
/// Who takes longer has stopped on the way.
const LONGEST_S: u64 = 1800;

#[derive(Debug)]
pub(super) struct Matchers {
    devices: Vec<Matcher>,
    /// Per vehicle: where and when it was seen last.
    seen: BTreeMap<u64, (u32, f64)>,
}

#[derive(Debug)]
struct Matcher {
    sensor: u32,
    link: LinkIndex,
    at_m: f64,
    /// Per device before: seconds summed up, and of how many.
    matches: BTreeMap<u32, (f64, u32)>,
}

impl Matchers {
    pub(super) fn new(city: &City) -> Self {
        let devices = city
            .registry
            .sensors()
            .iter()
            .enumerate()
            .filter(|(_, sensor)| sensor.kind == SensorKind::Bluetooth)
            .filter_map(|(i, sensor)| {
                let at_m = f64::from(sensor.offset_m.unwrap_or(0.0));
                Some(Matcher { sensor: i as u32, link: sensor.link?, at_m, matches: BTreeMap::new() })
            })
            .collect();
        Self { devices, seen: BTreeMap::new() }
    }

    pub(super) fn look(&mut self, look: &mut Look<'_, '_>) {
        for device in &mut self.devices {
            device.look(look, &mut self.seen);
        }
        if look.second.is_multiple_of(PERIOD_S) {
            let now = look.second as f64;
            self.seen.retain(|_, (_, at)| now - *at < LONGEST_S as f64);
        }
    }
}

impl Matcher {
    fn look(&mut self, look: &mut Look<'_, '_>, seen: &mut BTreeMap<u64, (u32, f64)>) {
        let traffic = look.traffic;
        for (vehicle, share) in eye::passed(&traffic.streams()[self.link.index()], self.at_m) {
            let mut draw = Draw::new(look.seed, Stream::Matching, vehicle.id, 0);
            if !draw.chance(look.scenario.measuring.bluetooth_share) {
                continue;
            }
            let now = look.second as f64 + share;
            if let Some((from, at)) = seen.insert(vehicle.id, (self.sensor, now))
                && from != self.sensor
            {
                let sum = self.matches.entry(from).or_default();
                *sum = (sum.0 + now - at, sum.1 + 1);
            }
        }
        let phase = u64::from(self.sensor) % PERIOD_S;
        if (look.second + phase).is_multiple_of(PERIOD_S) {
            self.report(look);
        }
    }

    fn report(&mut self, look: &mut Look<'_, '_>) {
        let sensors = look.city.registry.sensors();
        for (lane, (from, (seconds, n))) in std::mem::take(&mut self.matches).into_iter().enumerate() {
            let fields = Fields::default()
                .integer("period_s", PERIOD_S)
                .text("from_sensor", sensors[from as usize].id.as_str())
                .text("to_sensor", sensors[self.sensor as usize].id.as_str())
                .number("seconds", seconds / f64::from(n), 1)
                .integer("n", u64::from(n));
            look.say(self.sensor, ReadingKind::TravelTime, lane as u8, fields);
        }
    }
}
