//! Radars: each vehicle that passes.

use model::ReadingKind;
use roadnet::LinkIndex;

use super::{Look, eye};
use crate::city::City;
use crate::event::Fields;
use crate::random::{Draw, Stream};
use crate::traffic::vehicle_length_m;

#[derive(Debug)]
pub(super) struct Radar {
    sensor: u32,
    link: LinkIndex,
    at_m: f64,
    lanes: u8,
    last_s: Option<f64>,
}

impl Radar {
    pub(super) fn new(city: &City, sensor: u32, link: LinkIndex) -> Self {
        let device = &city.registry.sensors()[sensor as usize];
        Self {
            sensor,
            link,
            at_m: f64::from(device.offset_m.unwrap_or(0.0)),
            lanes: (city.network.link(link).lanes.round() as u8).max(1),
            last_s: None,
        }
    }

    pub(super) fn look(&mut self, look: &mut Look<'_, '_>) {
        let traffic = look.traffic;
        let stream = &traffic.streams()[self.link.index()];
        for (vehicle, share) in eye::passed(stream, self.at_m) {
            let mut draw = Draw::new(look.seed, Stream::Count, vehicle.id, u64::from(self.sensor));
            if draw.chance(look.scenario.measuring.camera_miss) {
                continue;
            }
            let noise = look.scenario.measuring.speed_noise;
            let speed_kmh = eye::measured_kmh(look.seed, vehicle, noise, &mut draw);
            let length_m = vehicle_length_m(vehicle.class) * (1.0 + 0.05 * draw.normal());
            let now_s = look.second as f64 + share;
            let mut fields = Fields::default()
                .integer("lane", u64::from(eye::lane(look.seed, vehicle, self.link.0, self.lanes)))
                .text("class", vehicle.class.name())
                .number("speed_kmh", speed_kmh, 1)
                .number("length_m", length_m, 1);
            if let Some(last) = self.last_s {
                fields = fields.number("headway_s", (now_s - last).max(0.0), 2);
            }
            self.last_s = Some(now_s);
            look.say_within(self.sensor, ReadingKind::Passage, share, fields);
        }
    }
}
