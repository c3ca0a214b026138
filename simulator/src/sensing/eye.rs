//! Which vehicles pass a place, in which lane, at what speed.

use model::VehicleClass;

use crate::random::{Draw, Stream};
use crate::traffic::{self, Vehicle};

/// Yields the vehicles whose front passed the place in the last step, first one first, with the share of the step
/// after which it did.
pub(super) fn passed(stream: &traffic::Stream, place_m: f64) -> impl Iterator<Item = (&Vehicle, f64)> {
    let near = stream.vehicles.partition_point(|v| v.at_m >= place_m + 40.0);
    stream
        .vehicles
        .range(near..)
        .take_while(move |v| v.at_m >= place_m)
        .filter(move |v| v.was_m < place_m)
        .map(move |v| {
            let from = v.was_m.max(0.0);
            (v, ((place_m - from) / (v.at_m - from).max(1e-6)).clamp(0.0, 1.0))
        })
}

/// Returns how long the vehicle covered a detector of `detector_m` that begins at the place, in the last step.
pub(super) fn covered_s(vehicle: &Vehicle, place_m: f64, detector_m: f64) -> f64 {
    let (from, to) = (vehicle.was_m.max(0.0), vehicle.at_m);
    let until = place_m + detector_m + traffic::vehicle_length_m(vehicle.class);
    if to - from < 0.01 {
        return if (place_m..until).contains(&to) { traffic::STEP_S } else { 0.0 };
    }
    (to.min(until) - from.max(place_m)).max(0.0) / (to - from) * traffic::STEP_S
}

/// Returns the lane in which it drives, 1 at the kerb: motorcycles keep to the kerb, heavy vehicles too, cars to the
/// middle; the same vehicle on the same link in the same lane always.
pub(super) fn lane(seed: u64, vehicle: &Vehicle, link: u32, lanes: u8) -> u8 {
    if lanes <= 1 {
        return 1;
    }
    let mut draw = Draw::new(seed, Stream::Lane, vehicle.id, u64::from(link));
    let kerb = match vehicle.class {
        VehicleClass::Motorcycle | VehicleClass::TwoWheeler => 0.60,
        VehicleClass::Bicycle | VehicleClass::Pedestrian => 0.95,
        VehicleClass::Bus | VehicleClass::Truck | VehicleClass::Trailer => 0.55,
        _ => 0.15,
    };
    if draw.chance(kerb) { 1 } else { 2 + draw.below(usize::from(lanes) - 1) as u8 }
}

/// Returns the speed that a device measures of it, km/h: the driver's own habit about the stream's speed, and noise.
pub(super) fn measured_kmh(seed: u64, vehicle: &Vehicle, noise: f64, draw: &mut Draw) -> f64 {
    let habit = 1.0 + 0.12 * Draw::new(seed, Stream::Speed, vehicle.id, 0).normal();
    let measured = vehicle.speed_mps * 3.6 * habit.clamp(0.6, 1.5) * (1.0 + noise * draw.normal());
    measured.clamp(1.0, 180.0)
}
