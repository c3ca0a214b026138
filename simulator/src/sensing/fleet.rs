//! Vehicles that tell where they are: motorcycle taxis, buses, trucks.

use model::{ReadingKind, VehicleClass};
use roadnet::LinkIndex;

use super::{Look, eye};
use crate::city::{City, FLEETS, METRES_PER_DEGREE, along};
use crate::event::Fields;
use crate::random::{Draw, Stream};
use crate::traffic::Vehicle;

#[derive(Debug)]
pub(super) struct Fleets {
    /// The registry's places of the fleets, absent where a registry has none.
    sensors: [Option<u32>; 3],
}

impl Fleets {
    pub(super) fn new(city: &City) -> Self {
        Self { sensors: FLEETS.map(|id| city.registry.find(id).map(|(index, _)| index.0)) }
    }

    pub(super) fn look(&self, look: &mut Look<'_, '_>) {
        let traffic = look.traffic;
        for (i, stream) in traffic.streams().iter().enumerate() {
            for vehicle in &stream.vehicles {
                self.tell(look, LinkIndex(i as u32), vehicle);
            }
        }
    }

    fn tell(&self, look: &mut Look<'_, '_>, link: LinkIndex, vehicle: &Vehicle) {
        let measuring = &look.scenario.measuring;
        if !(look.second + vehicle.id).is_multiple_of(measuring.probe_period_s) {
            return;
        }
        let (fleet, share) = match vehicle.class {
            VehicleClass::Motorcycle => (0, measuring.probe_motorcycles),
            VehicleClass::Bus => (1, measuring.probe_buses),
            VehicleClass::Truck | VehicleClass::Trailer => (2, measuring.probe_trucks),
            _ => return,
        };
        let mut own = Draw::new(look.seed, Stream::Probe, vehicle.id, 0);
        let Some(sensor) = self.sensors[fleet].filter(|_| own.chance(share)) else { return };
        let pseudonym = format!("{:010x}", own.bits() >> 24);
        let mut draw = look.draw(Stream::Probe, vehicle.id);
        let (point, heading) = along(look.city.network.geometry(link), vehicle.at_m);
        let metres = METRES_PER_DEGREE;
        let noise = measuring.gps_noise_m;
        let lat = point.lat + noise * draw.normal() / metres;
        let lon = point.lon + noise * draw.normal() / (metres * point.lat.to_radians().cos());
        let heading = (heading + 4.0 * draw.normal()).rem_euclid(360.0);
        let moving = vehicle.speed_mps > 0.3;
        let speed_kmh = if moving {
            eye::measured_kmh(look.seed, vehicle, measuring.speed_noise, &mut draw)
        } else {
            0.0
        };
        let fields = Fields::default()
            .text("vehicle_id", &pseudonym)
            .number("lon", lon, 6)
            .number("lat", lat, 6)
            .number("heading_deg", heading.floor(), 0)
            .number("speed_kmh", speed_kmh, 1)
            .text("class", vehicle.class.name())
            .yes("in_service");
        look.say(sensor, ReadingKind::Probe, 0, fields);
    }
}
