//! Vehicle classes and counts.

use model::{ClassCounts, VehicleClass};

use crate::{DecodeError, v1};

pub(crate) fn class_message(class: VehicleClass) -> v1::VehicleClass {
    match class {
        VehicleClass::Motorcycle => v1::VehicleClass::Motorcycle,
        VehicleClass::Bicycle => v1::VehicleClass::Bicycle,
        VehicleClass::TwoWheeler => v1::VehicleClass::TwoWheeler,
        VehicleClass::Car => v1::VehicleClass::Car,
        VehicleClass::Van => v1::VehicleClass::Van,
        VehicleClass::Bus => v1::VehicleClass::Bus,
        VehicleClass::Truck => v1::VehicleClass::Truck,
        VehicleClass::Trailer => v1::VehicleClass::Trailer,
        VehicleClass::Pedestrian => v1::VehicleClass::Pedestrian,
        VehicleClass::Other => v1::VehicleClass::Other,
    }
}

/// `None` = not told.
pub(crate) fn class(value: i32) -> Result<Option<VehicleClass>, DecodeError> {
    let message =
        v1::VehicleClass::try_from(value).map_err(|_| DecodeError::out_of_range("vehicle class", value))?;
    Ok(match message {
        v1::VehicleClass::Unspecified => None,
        v1::VehicleClass::Motorcycle => Some(VehicleClass::Motorcycle),
        v1::VehicleClass::Bicycle => Some(VehicleClass::Bicycle),
        v1::VehicleClass::TwoWheeler => Some(VehicleClass::TwoWheeler),
        v1::VehicleClass::Car => Some(VehicleClass::Car),
        v1::VehicleClass::Van => Some(VehicleClass::Van),
        v1::VehicleClass::Bus => Some(VehicleClass::Bus),
        v1::VehicleClass::Truck => Some(VehicleClass::Truck),
        v1::VehicleClass::Trailer => Some(VehicleClass::Trailer),
        v1::VehicleClass::Pedestrian => Some(VehicleClass::Pedestrian),
        v1::VehicleClass::Other => Some(VehicleClass::Other),
    })
}

pub(crate) fn counts_message(counts: &ClassCounts) -> Vec<v1::ClassCount> {
    counts.iter().map(|(class, count)| v1::ClassCount { class: class_message(class).into(), count }).collect()
}

pub(crate) fn counts(messages: &[v1::ClassCount]) -> Result<ClassCounts, DecodeError> {
    messages.iter().map(|m| Ok((class(m.class)?.unwrap_or(VehicleClass::Other), m.count))).collect()
}
