//! Units per vehicle, by class.

use model::{ClassCounts, VehicleClass};
use serde::{Deserialize, Serialize};

/// Units per vehicle, by class.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UnitTable {
    /// Two wheels and an engine.
    pub motorcycle: f64,
    /// Two wheels, no engine.
    pub bicycle: f64,
    /// Passenger car.
    pub car: f64,
    /// Light goods vehicle or minibus.
    pub van: f64,
    /// Bus or coach.
    pub bus: f64,
    /// Rigid lorry.
    pub truck: f64,
    /// Lorry with a trailer.
    pub trailer: f64,
}

/// TCVN 4054:2005, flat and rolling terrain: bicycle 0.2, motorcycle 0.3, two-axle truck and small bus 2.0, larger ones 2.5, trailer
/// 4.0.
pub(super) const PCU: UnitTable =
    UnitTable { motorcycle: 0.3, bicycle: 0.2, car: 1.0, van: 1.0, bus: 2.5, truck: 2.0, trailer: 4.0 };

/// Motorcycle equivalents measured in Hanoi (ASCE J. Transp. Eng., 10.1061/(ASCE)TE.1943-5436.0000382): car 3.4, minibus 8.3, bus
/// 10.5, bicycle 1.4. No source was found for container lorries: 13 is an estimate from their length beside a bus.
pub(super) const MCU: UnitTable =
    UnitTable { motorcycle: 1.0, bicycle: 1.4, car: 3.4, van: 3.4, bus: 10.5, truck: 8.3, trailer: 13.0 };

/// [estimate] No count for these streets was at hand. Motorcycle and car: the middle of what surveys of Asian cities usually find
/// (1.2 to 1.4, 1.6 to 2.0); a bus half full; lorries seldom more than the driver.
pub(super) const PERSONS: UnitTable =
    UnitTable { motorcycle: 1.3, bicycle: 1.0, car: 1.8, van: 2.0, bus: 25.0, truck: 1.3, trailer: 1.2 };

impl UnitTable {
    /// Returns the units of one vehicle; `None` for those that are no vehicles.
    pub fn of(&self, class: VehicleClass) -> Option<f64> {
        match class {
            VehicleClass::Motorcycle | VehicleClass::TwoWheeler => Some(self.motorcycle),
            VehicleClass::Bicycle => Some(self.bicycle),
            VehicleClass::Car | VehicleClass::Other => Some(self.car),
            VehicleClass::Van => Some(self.van),
            VehicleClass::Bus => Some(self.bus),
            VehicleClass::Truck => Some(self.truck),
            VehicleClass::Trailer => Some(self.trailer),
            VehicleClass::Pedestrian => None,
        }
    }

    pub(crate) fn sum(&self, counts: &ClassCounts) -> f64 {
        counts.iter().filter_map(|(class, n)| Some(self.of(class)? * f64::from(n))).sum()
    }

    pub(super) fn by_class(&self) -> [(&'static str, f64); 7] {
        [
            ("motorcycle", self.motorcycle),
            ("bicycle", self.bicycle),
            ("car", self.car),
            ("van", self.van),
            ("bus", self.bus),
            ("truck", self.truck),
            ("trailer", self.trailer),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bus_weighs_what_the_tables_say() {
        let bus = ClassCounts::from_iter([(VehicleClass::Bus, 2)]);
        assert_eq!((PCU.sum(&bus), MCU.sum(&bus)), (5.0, 21.0));
    }
}
