//! Vehicle classes and counts by class.

use std::fmt;
use std::ops::{Index, IndexMut};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What a device takes a road user for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[repr(u8)]
pub enum VehicleClass {
    /// Two wheels and an engine.
    Motorcycle,
    /// Two wheels, no engine.
    Bicycle,
    /// Two wheels; the device can't tell whether there is an engine.
    TwoWheeler,
    /// Passenger car.
    Car,
    /// Light goods vehicle or minibus.
    Van,
    /// Bus or coach.
    Bus,
    /// Rigid lorry.
    Truck,
    /// Lorry with a trailer: the container traffic of a port.
    Trailer,
    /// On foot.
    Pedestrian,
    /// None of these, or not told.
    Other,
}

/// A text that names no [`VehicleClass`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown vehicle class {0:?}")]
pub struct UnknownClass(pub String);

impl VehicleClass {
    /// All classes, in the order of their indices.
    pub const ALL: [Self; 10] = [
        Self::Motorcycle,
        Self::Bicycle,
        Self::TwoWheeler,
        Self::Car,
        Self::Van,
        Self::Bus,
        Self::Truck,
        Self::Trailer,
        Self::Pedestrian,
        Self::Other,
    ];

    /// Returns the class's place in [`VehicleClass::ALL`].
    pub const fn index(self) -> usize {
        self as usize
    }

    /// Returns the name that native events and files use.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Motorcycle => "motorcycle",
            Self::Bicycle => "bicycle",
            Self::TwoWheeler => "two_wheeler",
            Self::Car => "car",
            Self::Van => "van",
            Self::Bus => "bus",
            Self::Truck => "truck",
            Self::Trailer => "trailer",
            Self::Pedestrian => "pedestrian",
            Self::Other => "other",
        }
    }
}

impl FromStr for VehicleClass {
    type Err = UnknownClass;

    fn from_str(name: &str) -> Result<Self, UnknownClass> {
        Self::ALL.into_iter().find(|class| class.name() == name).ok_or_else(|| UnknownClass(name.to_owned()))
    }
}

impl fmt::Display for VehicleClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A set of classes, as one bit each.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
pub struct ClassSet(pub u16);

impl ClassSet {
    /// No class.
    pub const NONE: Self = Self(0);

    /// Returns the set of the given classes.
    pub fn of(classes: &[VehicleClass]) -> Self {
        classes.iter().fold(Self::NONE, |set, &class| set.with(class))
    }

    /// Returns this set and `class`.
    #[must_use]
    pub const fn with(self, class: VehicleClass) -> Self {
        Self(self.0 | 1 << class.index())
    }

    /// Tells whether `class` is in the set.
    pub const fn contains(self, class: VehicleClass) -> bool {
        self.0 & 1 << class.index() != 0
    }

    /// Tells whether no class is in the set.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Yields the classes of the set in their order.
    pub fn iter(self) -> impl Iterator<Item = VehicleClass> {
        VehicleClass::ALL.into_iter().filter(move |&class| self.contains(class))
    }
}

/// Vehicles by class.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct ClassCounts([u32; 10]);

impl ClassCounts {
    /// Returns the number of all vehicles.
    pub fn total(&self) -> u32 {
        self.0.iter().fold(0, |sum: u32, &count| sum.saturating_add(count))
    }

    /// Yields the classes that were seen, with their counts.
    pub fn iter(&self) -> impl Iterator<Item = (VehicleClass, u32)> {
        VehicleClass::ALL.into_iter().zip(self.0).filter(|&(_, count)| count > 0)
    }

    /// Adds the counts of `other`.
    pub fn add(&mut self, other: &Self) {
        for (mine, theirs) in self.0.iter_mut().zip(other.0) {
            *mine = mine.saturating_add(theirs);
        }
    }
}

impl Index<VehicleClass> for ClassCounts {
    type Output = u32;

    fn index(&self, class: VehicleClass) -> &u32 {
        &self.0[class.index()]
    }
}

impl IndexMut<VehicleClass> for ClassCounts {
    fn index_mut(&mut self, class: VehicleClass) -> &mut u32 {
        &mut self.0[class.index()]
    }
}

impl FromIterator<(VehicleClass, u32)> for ClassCounts {
    fn from_iter<I: IntoIterator<Item = (VehicleClass, u32)>>(counts: I) -> Self {
        let mut all = Self::default();
        for (class, count) in counts {
            all[class] = all[class].saturating_add(count);
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_is_found_by_its_name() {
        for class in VehicleClass::ALL {
            assert_eq!(class.name().parse(), Ok(class));
            assert_eq!(VehicleClass::ALL[class.index()], class);
        }
    }

    #[test]
    fn a_set_holds_what_was_put_in() {
        let set = ClassSet::of(&[VehicleClass::Bus, VehicleClass::Motorcycle]);
        assert_eq!(set.iter().collect::<Vec<_>>(), [VehicleClass::Motorcycle, VehicleClass::Bus]);
    }
}
