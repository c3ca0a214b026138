//! Vehicles: what they are and how much road they take.

use model::VehicleClass;

/// One vehicle on a link, or waiting to enter the first one.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Vehicle {
    /// Never given twice in a run.
    pub id: u64,
    /// What it is.
    pub class: VehicleClass,
    /// Of its front, from the link's start, metres.
    pub at_m: f64,
    /// Where it was a step ago; below 0 when it was on another link.
    pub was_m: f64,
    /// Over the last step, m/s.
    pub speed_mps: f64,
    /// The tree of routes that it follows.
    pub(crate) tree: u16,
    /// What it did before it came onto its link in the step that runs.
    pub(crate) arriving: Option<Arriving>,
    /// How long it has stood first in line with its way on blocked.
    pub(crate) blocked_s: u16,
}

/// The part of a step before a vehicle came onto a link, and what is left of it.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Arriving {
    /// Left for this link.
    pub(crate) seconds: f64,
    /// Driven on the link before.
    pub(crate) metres_before: f64,
}

impl Vehicle {
    /// Returns the share of capacity that it takes, in motorcycle units.
    pub fn mcu(&self) -> f64 {
        mcu(self.class)
    }
}

/// Returns motorcycle units: car 3.4, bus 10.5, bicycle 1.4 were measured in Hanoi (ASCE Journal of Transportation
/// Engineering 138(6), 2012); van, truck and trailer are set between and beyond them by length.
pub(crate) fn mcu(class: VehicleClass) -> f64 {
    match class {
        VehicleClass::Motorcycle | VehicleClass::TwoWheeler | VehicleClass::Pedestrian => 1.0,
        VehicleClass::Bicycle => 1.4,
        VehicleClass::Car | VehicleClass::Other => 3.4,
        VehicleClass::Van => 5.0,
        VehicleClass::Bus => 10.5,
        VehicleClass::Truck => 8.5,
        VehicleClass::Trailer => 13.0,
    }
}

/// Returns the length from bumper to bumper, metres.
pub(crate) fn length_m(class: VehicleClass) -> f64 {
    match class {
        VehicleClass::Motorcycle | VehicleClass::TwoWheeler => 1.9,
        VehicleClass::Bicycle | VehicleClass::Pedestrian => 1.7,
        VehicleClass::Car | VehicleClass::Other => 4.4,
        VehicleClass::Van => 5.5,
        VehicleClass::Bus => 11.0,
        VehicleClass::Truck => 8.5,
        VehicleClass::Trailer => 16.0,
    }
}
