//! Which way a way may be driven, and by whom.

use model::{ClassSet, VehicleClass};

use super::Side;
use super::map::Tags;

/// Who may drive along a way's nodes and who against them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Directions {
    pub(super) forward: ClassSet,
    pub(super) backward: ClassSet,
    pub(super) kind: Kind,
    /// The side that has all lanes of a one-way road; forward on others.
    pub(super) main: Side,
}

/// How the two directions came about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    TwoWay,
    /// One direction has all lanes; the other, if any, is for those whom a tag exempts.
    OneWay,
    /// One way at a time, which the map can't tell: taken as two-way.
    Changing,
}

/// Tags that exempt a class from a one-way street.
const EXEMPTIONS: [(&str, VehicleClass); 6] = [
    ("oneway:motorcycle", VehicleClass::Motorcycle),
    ("oneway:moped", VehicleClass::Motorcycle),
    ("oneway:bicycle", VehicleClass::Bicycle),
    ("oneway:psv", VehicleClass::Bus),
    ("oneway:bus", VehicleClass::Bus),
    ("oneway:motorcar", VehicleClass::Car),
];

pub(super) fn directions(tags: &Tags, allowed: ClassSet) -> Directions {
    let exempt = exempt(tags, allowed);
    match oneway(tags) {
        OneWay::No => {
            Directions { forward: allowed, backward: allowed, kind: Kind::TwoWay, main: Side::Forward }
        }
        OneWay::Changing => {
            Directions { forward: allowed, backward: allowed, kind: Kind::Changing, main: Side::Forward }
        }
        OneWay::Forward => {
            Directions { forward: allowed, backward: exempt, kind: Kind::OneWay, main: Side::Forward }
        }
        OneWay::Backward => {
            Directions { forward: exempt, backward: allowed, kind: Kind::OneWay, main: Side::Backward }
        }
    }
}

enum OneWay {
    No,
    Forward,
    Backward,
    Changing,
}

fn oneway(tags: &Tags) -> OneWay {
    match tags.get("oneway") {
        Some("yes" | "true" | "1") => OneWay::Forward,
        Some("-1" | "reverse") => OneWay::Backward,
        Some("reversible" | "alternating") => OneWay::Changing,
        Some("no" | "false" | "0") => OneWay::No,
        _ if is_roundabout(tags) || tags.is("highway", "motorway") => OneWay::Forward,
        _ => OneWay::No,
    }
}

pub(super) fn is_roundabout(tags: &Tags) -> bool {
    matches!(tags.get("junction"), Some("roundabout" | "circular"))
}

fn exempt(tags: &Tags, allowed: ClassSet) -> ClassSet {
    let exempt = EXEMPTIONS.iter().filter(|(key, class)| tags.is(key, "no") && allowed.contains(*class));
    let set = exempt.fold(ClassSet::NONE, |set, (_, class)| set.with(*class));
    // A direction for bicycles alone is no road for vehicles.
    match (set.contains(VehicleClass::Motorcycle), set.iter().any(|class| class != VehicleClass::Bicycle)) {
        (true, _) => set.with(VehicleClass::TwoWheeler),
        (false, true) => set,
        (false, false) => ClassSet::NONE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(tags: &[(&str, &str)]) -> (bool, bool, Kind) {
        let tags: Tags = tags.iter().copied().collect();
        let found = directions(
            &tags,
            ClassSet::of(&[VehicleClass::Motorcycle, VehicleClass::Bicycle, VehicleClass::Car]),
        );
        (!found.forward.is_empty(), !found.backward.is_empty(), found.kind)
    }

    #[test]
    fn oneway_tags_and_what_implies_them() {
        assert_eq!(of(&[("highway", "primary")]), (true, true, Kind::TwoWay));
        assert_eq!(of(&[("oneway", "yes")]), (true, false, Kind::OneWay));
        assert_eq!(of(&[("oneway", "yes"), ("oneway:bicycle", "no")]), (true, false, Kind::OneWay));
        assert_eq!(of(&[("oneway", "-1")]), (false, true, Kind::OneWay));
        assert_eq!(of(&[("highway", "motorway")]), (true, false, Kind::OneWay));
        assert_eq!(of(&[("highway", "motorway"), ("oneway", "no")]), (true, true, Kind::TwoWay));
        assert_eq!(of(&[("junction", "roundabout")]), (true, false, Kind::OneWay));
        assert_eq!(of(&[("oneway", "reversible")]), (true, true, Kind::Changing));
        assert_eq!(of(&[("oneway", "alternating")]), (true, true, Kind::Changing));
    }

    #[test]
    fn motorcycles_may_be_exempt_from_a_one_way_street() {
        let tags: Tags =
            [("oneway", "yes"), ("oneway:motorcycle", "no"), ("oneway:bicycle", "no")].into_iter().collect();
        let found = directions(&tags, ClassSet::of(&[VehicleClass::Motorcycle, VehicleClass::Car]));
        let names: Vec<_> = found.backward.iter().map(VehicleClass::name).collect();
        assert_eq!(names, ["motorcycle", "two_wheeler"], "bicycles are not allowed at all here");
    }
}
