//! Vehicles by class.

use std::fmt;

use model::{ClassCounts, VehicleClass};
use serde::Deserializer;
use serde::de::{Deserialize, Error, MapAccess, SeqAccess, Visitor};

use super::Number;
use super::skip::SKIP;

/// Vehicles by class; unusable as a whole when one number is, because then the sum is wrong.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub(in crate::decode) enum Counts {
    #[default]
    Absent,
    Unusable,
    Counted(ClassCounts),
}

impl<'de> Deserialize<'de> for Counts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(CountsVisitor)
    }
}

struct CountsVisitor;

impl<'de> Visitor<'de> for CountsVisitor {
    type Value = Counts;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("counts by class")
    }

    fn visit_unit<E: Error>(self) -> Result<Counts, E> {
        Ok(Counts::Absent)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Counts, E> {
        Ok(Counts::Unusable)
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Counts, E> {
        Ok(Counts::Unusable)
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Counts, E> {
        Ok(Counts::Unusable)
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Counts, E> {
        Ok(Counts::Unusable)
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<Counts, E> {
        Ok(Counts::Unusable)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Counts, A::Error> {
        SKIP.visit_seq(seq)?;
        Ok(Counts::Unusable)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Counts, A::Error> {
        let mut all = ClassCounts::default();
        let mut usable = true;
        while let Some(Class(class)) = map.next_key()? {
            match map.next_value::<Number>()?.0 {
                None => {}
                Some(n) if whole(n) => all[class] = all[class].saturating_add(n as u32),
                Some(_) => usable = false,
            }
        }
        Ok(if usable { Counts::Counted(all) } else { Counts::Unusable })
    }
}

/// Tells whether a number counts something.
pub(in crate::decode) fn whole(n: f64) -> bool {
    (0.0..=f64::from(u32::MAX)).contains(&n) && n.fract() == 0.0
}

/// A class by its name; a name that is none counts as `other`, so that the sum stays right.
struct Class(VehicleClass);

impl<'de> Deserialize<'de> for Class {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ClassVisitor;
        impl Visitor<'_> for ClassVisitor {
            type Value = Class;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a vehicle class")
            }

            fn visit_str<E: Error>(self, name: &str) -> Result<Class, E> {
                Ok(Class(class_or_other(name)))
            }
        }
        deserializer.deserialize_str(ClassVisitor)
    }
}

pub(in crate::decode) fn class_or_other(name: &str) -> VehicleClass {
    VehicleClass::ALL.into_iter().find(|class| class.name() == name).unwrap_or(VehicleClass::Other)
}
