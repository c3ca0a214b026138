//! Cameras over the last metres before a stop line: who comes into view, the space-mean speed in it, and the queue.
//! They raise alerts too: about incidents on their link, and now and then about nothing.

use model::{ReadingKind, VehicleClass};
use roadnet::LinkIndex;

use super::{Look, eye, phase};
use crate::city::City;
use crate::event::Fields;
use crate::random::{Draw, Stream};
use crate::traffic::{self, STANDING_MPS, Vehicle};

/// A camera repeats an alert so often while what it saw is still there.
const ALERT_EVERY_S: u64 = 60;
const DAY_S: f64 = 86_400.0;

#[derive(Debug)]
pub(super) struct Camera {
    sensor: u32,
    link: LinkIndex,
    /// Where its view begins.
    from_m: f64,
    period_s: u64,
    phase_s: u64,
    counts: [u32; 10],
    metres: f64,
    seconds: f64,
    queue_m: f64,
}

impl Camera {
    pub(super) fn new(city: &City, seed: u64, sensor: u32, link: LinkIndex) -> Self {
        let device = &city.registry.sensors()[sensor as usize];
        let end_m = f64::from(device.offset_m.unwrap_or(city.network.link(link).length_m));
        let period_s = device.period_s.map_or(30, |s| s as u64).max(1);
        Self {
            sensor,
            link,
            from_m: (end_m - f64::from(device.length_m)).max(0.0),
            period_s,
            phase_s: phase(seed, sensor, period_s),
            counts: [0; 10],
            metres: 0.0,
            seconds: 0.0,
            queue_m: 0.0,
        }
    }

    pub(super) fn look(&mut self, look: &mut Look<'_, '_>) {
        let stream = &look.traffic.streams()[self.link.index()];
        for (vehicle, _) in eye::passed(stream, self.from_m) {
            if let Some(class) = self.recognised(look, vehicle) {
                self.counts[class.index()] += 1;
            }
        }
        let (mut first, mut last) = (None, None);
        for vehicle in stream.vehicles.iter().take_while(|v| v.at_m >= self.from_m) {
            self.metres += vehicle.speed_mps * traffic::STEP_S;
            self.seconds += traffic::STEP_S;
            if vehicle.speed_mps < STANDING_MPS {
                first = first.or(Some(vehicle.at_m));
                last = Some(vehicle.at_m - traffic::vehicle_length_m(vehicle.class));
            }
        }
        if let (Some(first), Some(last)) = (first, last) {
            self.queue_m = self.queue_m.max(first - last.max(self.from_m));
        }
        if (look.second + self.phase_s).is_multiple_of(self.period_s) && look.second > 0 {
            self.report(look);
        }
        self.alert(look);
    }

    /// Returns what the camera takes the vehicle for; `None` when it misses it.
    fn recognised(&self, look: &Look<'_, '_>, vehicle: &Vehicle) -> Option<VehicleClass> {
        let measuring = &look.scenario.measuring;
        let mut draw = Draw::new(look.seed, Stream::Count, vehicle.id, u64::from(self.sensor));
        if draw.chance(measuring.camera_miss) {
            return None;
        }
        let confused = draw.chance(measuring.camera_confusion);
        Some(match vehicle.class {
            VehicleClass::Motorcycle if confused => VehicleClass::Bicycle,
            VehicleClass::Bicycle if confused => VehicleClass::Motorcycle,
            VehicleClass::Car if confused => VehicleClass::Van,
            VehicleClass::Van if confused => VehicleClass::Car,
            VehicleClass::Trailer if confused => VehicleClass::Truck,
            class => class,
        })
    }

    fn report(&mut self, look: &mut Look<'_, '_>) {
        let mut draw = look.draw(Stream::Queue, u64::from(self.sensor));
        let queue_m = (self.queue_m * (1.0 + 0.06 * draw.normal())).max(0.0);
        let mut fields = Fields::default().integer("period_s", self.period_s).counts("counts", &self.counts);
        if self.seconds >= 1.0 {
            let noise = 1.0 + look.scenario.measuring.speed_noise * draw.normal();
            let speed_kmh = (self.metres / self.seconds * 3.6 * noise).max(0.0);
            fields = fields.number("speed_kmh", speed_kmh, 1).text("speed_mean", "space");
        }
        look.say(self.sensor, ReadingKind::Aggregate, 0, fields.number("queue_m", queue_m, 1));
        self.report_queue(look, queue_m);
        self.counts = [0; 10];
        (self.metres, self.seconds, self.queue_m) = (0.0, 0.0, 0.0);
    }

    fn report_queue(&self, look: &mut Look<'_, '_>, queue_m: f64) {
        let stream = &look.traffic.streams()[self.link.index()];
        let mut in_view = [0; 10];
        let mut standing = 0;
        for vehicle in stream.vehicles.iter().take_while(|v| v.at_m >= self.from_m) {
            in_view[vehicle.class.index()] += 1;
            standing += u64::from(vehicle.speed_mps < STANDING_MPS);
        }
        let fields = Fields::default()
            .integer("period_s", self.period_s)
            .number("queue_m", queue_m, 1)
            .integer("stopped", standing)
            .counts("class_counts", &in_view);
        look.say(self.sensor, ReadingKind::Queue, 0, fields);
    }

    fn alert(&self, look: &mut Look<'_, '_>) {
        // The run begins after the warm-up, incidents are planned in the traffic's own seconds.
        let now = look.traffic.second().saturating_sub(1);
        let entity = u64::from(self.sensor);
        let seen = look.traffic.incidents().iter().filter(|i| i.link == self.link && i.is_on(now)).any(|i| {
            let mut draw = Draw::new(look.seed, Stream::Incident, entity, i.start_s);
            let noticed = draw.chance(look.scenario.measuring.alert_share);
            let after = i.start_s + 15 + draw.below(40) as u64;
            noticed && now >= after && (now - after).is_multiple_of(ALERT_EVERY_S)
        });
        let mut draw = look.draw(Stream::Incident, entity);
        let imagined = draw.chance(look.scenario.measuring.false_alerts_per_day / DAY_S);
        if seen || imagined {
            let confidence = if seen { draw.between(0.7, 0.97) } else { draw.between(0.4, 0.75) };
            let fields =
                Fields::default().text("type", "stopped_vehicle").number("confidence", confidence, 2);
            look.say(self.sensor, ReadingKind::Alert, 0, fields);
        }
    }
}
