//! Which ways are roads, of what class, and for whom.

use model::{ClassSet, VehicleClass};

use super::map::Tags;
use super::values;
use crate::RoadClass;
use crate::import::defaults::Ramp;

/// A way that vehicles may use.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Road {
    pub(super) class: RoadClass,
    pub(super) ramp: Ramp,
    pub(super) allowed: ClassSet,
}

/// What `highway=*` means for vehicles before any access tag is read.
#[derive(Clone, Copy)]
enum Meaning {
    /// Open to all vehicles.
    Open(RoadClass),
    /// Made for others: open to the vehicles that a tag names.
    Named,
    /// No road, or not yet, or no longer.
    Never,
}

/// Narrower than this no car passes (a small car and its mirrors are 1.9 m wide).
const CAR_NEEDS_M: f32 = 2.0;
/// Narrower than this no lorry or bus passes.
const LORRY_NEEDS_M: f32 = 2.75;

/// Returns the road that a way is, or why it is none.
pub(super) fn road(tags: &Tags) -> Result<Road, String> {
    let highway = tags.get("highway").unwrap_or_default();
    if tags.is("area", "yes") {
        return Err(format!("ways highway={highway} that are areas"));
    }
    let (name, ramp) = highway.strip_suffix("_link").map_or((highway, Ramp::No), |name| (name, Ramp::Yes));
    let (class, allowed) = match meaning(name) {
        Meaning::Never => return Err(format!("ways highway={highway}: no road for vehicles")),
        Meaning::Named => (RoadClass::Alley, allowed(tags, ClassSet::NONE)),
        Meaning::Open(class) => (class, allowed(tags, usual(tags, name))),
    };
    let allowed = squeezed(tags, allowed);
    if !allowed.iter().any(|class| !matches!(class, VehicleClass::Bicycle | VehicleClass::TwoWheeler)) {
        return Err(match meaning(name) {
            Meaning::Named => format!("ways highway={highway} that no tag opens to motor vehicles"),
            _ => format!("ways highway={highway} closed to motor vehicles by access tags or width"),
        });
    }
    // What cars can't use is an alley, whatever it is called: a Vietnamese ngõ or hẻm is often drawn as residential.
    let four_wheels = [VehicleClass::Car, VehicleClass::Van, VehicleClass::Bus, VehicleClass::Truck];
    let for_cars = four_wheels.into_iter().any(|class| allowed.contains(class));
    let class = match (for_cars, class) {
        (false, RoadClass::Unclassified | RoadClass::Residential | RoadClass::Service) => RoadClass::Alley,
        (true, RoadClass::Alley) => RoadClass::Service,
        _ => class,
    };
    Ok(Road { class, ramp, allowed })
}

fn meaning(highway: &str) -> Meaning {
    match highway {
        "living_street" => Meaning::Open(RoadClass::Residential),
        "road" => Meaning::Open(RoadClass::Unclassified),
        "busway" => Meaning::Open(RoadClass::Service),
        "path" | "footway" | "pedestrian" | "cycleway" | "bridleway" | "track" => Meaning::Named,
        other => match RoadClass::from_name(other) {
            None | Some(RoadClass::Alley) => Meaning::Never,
            Some(class) => Meaning::Open(class),
        },
    }
}

/// Who uses an open road when no access tag says otherwise.
fn usual(tags: &Tags, highway: &str) -> ClassSet {
    use VehicleClass::{Bicycle, Bus, Car, Motorcycle, Other, Trailer, Truck, TwoWheeler, Van};
    let motor = ClassSet::of(&[Motorcycle, TwoWheeler, Car, Van, Bus, Truck, Trailer, Other]);
    match highway {
        "busway" => ClassSet::of(&[Bus]),
        "motorway" => motor,
        _ if tags.is("motorroad", "yes") => motor,
        // Between houses: no lorry turns into it.
        "service" if tags.is("service", "alley") => {
            ClassSet::of(&[Motorcycle, Bicycle, TwoWheeler, Car, Van, Other])
        }
        _ => motor.with(Bicycle),
    }
}

/// Applies access tags, general ones first, so that a special one overrides it:
/// <https://wiki.openstreetmap.org/wiki/Key:access>.
fn allowed(tags: &Tags, usual: ClassSet) -> ClassSet {
    let may = |class: VehicleClass, keys: &[&str]| {
        let told = ["access", "vehicle"].iter().chain(keys).rev().find_map(|key| open(tags.get(key)?));
        told.unwrap_or(usual.contains(class))
    };
    // A way made for walkers opens to what is named, not to all because `access=yes` stands on it.
    let may = |class: VehicleClass, keys: &[&str]| {
        if usual.is_empty() {
            keys.iter().rev().find_map(|key| open(tags.get(key)?)) == Some(true)
        } else {
            may(class, keys)
        }
    };
    let table: [(VehicleClass, &[&[&str]]); 7] = [
        (VehicleClass::Motorcycle, &[&["motor_vehicle", "motorcycle"], &["motor_vehicle", "moped"]]),
        (VehicleClass::Bicycle, &[&["bicycle"]]),
        (VehicleClass::Car, &[&["motor_vehicle", "motorcar"]]),
        (VehicleClass::Van, &[&["motor_vehicle", "motorcar", "goods"]]),
        (VehicleClass::Bus, &[&["motor_vehicle", "psv", "bus"]]),
        (VehicleClass::Truck, &[&["motor_vehicle", "hgv"]]),
        (VehicleClass::Trailer, &[&["motor_vehicle", "hgv", "trailer"]]),
    ];
    let set = table.into_iter().fold(ClassSet::NONE, |set, (class, ways)| {
        if ways.iter().any(|keys| may(class, keys)) { set.with(class) } else { set }
    });
    let two_wheels = set.contains(VehicleClass::Motorcycle) || set.contains(VehicleClass::Bicycle);
    let set = if two_wheels { set.with(VehicleClass::TwoWheeler) } else { set };
    // What a device can't name drives where cars drive.
    if set.contains(VehicleClass::Car) { set.with(VehicleClass::Other) } else { set }
}

/// Tells whether a value lets general traffic in; `None` for values that say nothing.
fn open(value: &str) -> Option<bool> {
    match value.split(';').next().unwrap_or_default().trim() {
        "yes" | "designated" | "permissive" | "official" | "public" | "destination" | "customers"
        | "delivery" | "residents" | "permit" | "discouraged" => Some(true),
        "no" | "private" | "agricultural" | "forestry" | "military" | "emergency" | "use_sidepath"
        | "dismount" | "restricted" => Some(false),
        _ => None,
    }
}

/// Takes away who is too wide.
fn squeezed(tags: &Tags, allowed: ClassSet) -> ClassSet {
    use VehicleClass::{Bus, Car, Other, Trailer, Truck, Van};
    let width =
        ["maxwidth:physical", "maxwidth", "width"].iter().find_map(|key| values::width_m(tags.get(key)?));
    let wide: &[VehicleClass] = match width {
        Some(width) if width < CAR_NEEDS_M => &[Car, Van, Bus, Truck, Trailer, Other],
        Some(width) if width < LORRY_NEEDS_M => &[Bus, Truck, Trailer],
        _ => &[],
    };
    ClassSet(allowed.0 & !ClassSet::of(wide).0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(tags: &[(&str, &str)]) -> Result<(RoadClass, String), String> {
        let tags: Tags = tags.iter().copied().collect();
        let road = road(&tags)?;
        Ok((road.class, road.allowed.iter().map(VehicleClass::name).collect::<Vec<_>>().join(" ")))
    }

    const ALL: &str = "motorcycle bicycle two_wheeler car van bus truck trailer other";
    const TWO_WHEELS: &str = "motorcycle bicycle two_wheeler";

    #[test]
    fn alleys_for_motorcycles_are_roads() {
        let alley = |allowed: &str| Ok((RoadClass::Alley, allowed.to_owned()));
        let motor_two = "motorcycle two_wheeler";
        assert_eq!(of(&[("highway", "path"), ("motorcycle", "yes")]), alley(motor_two));
        assert_eq!(
            of(&[("highway", "footway"), ("motorcycle", "designated"), ("bicycle", "yes")]),
            alley(TWO_WHEELS)
        );
        assert_eq!(of(&[("highway", "footway"), ("moped", "yes")]), alley(motor_two));
        let narrow = [("highway", "residential"), ("motor_vehicle", "no"), ("motorcycle", "yes")];
        assert_eq!(of(&narrow), alley(TWO_WHEELS));
        assert_eq!(of(&[("highway", "service"), ("service", "alley"), ("width", "1.5")]), alley(TWO_WHEELS));
        assert_eq!(
            of(&[
                ("highway", "residential"),
                ("motorcar", "no"),
                ("goods", "no"),
                ("hgv", "no"),
                ("bus", "no")
            ]),
            alley(TWO_WHEELS)
        );
    }

    #[test]
    fn roads_are_open_unless_tags_close_them() {
        assert_eq!(of(&[("highway", "primary_link")]), Ok((RoadClass::Primary, ALL.into())));
        assert_eq!(of(&[("highway", "living_street")]), Ok((RoadClass::Residential, ALL.into())));
        let cars = "motorcycle bicycle two_wheeler car van other";
        assert_eq!(
            of(&[("highway", "service"), ("service", "alley")]),
            Ok((RoadClass::Service, cars.into()))
        );
        let buses = [("highway", "service"), ("access", "no"), ("bus", "yes")];
        assert_eq!(of(&buses), Ok((RoadClass::Service, "bus".into())));
        let no_lorries = [("highway", "tertiary"), ("hgv", "no")];
        assert_eq!(
            of(&no_lorries),
            Ok((RoadClass::Tertiary, "motorcycle bicycle two_wheeler car van bus other".into()))
        );
        let express = [("highway", "motorway"), ("motorcycle", "no"), ("moped", "no")];
        assert_eq!(of(&express), Ok((RoadClass::Motorway, "car van bus truck trailer other".into())));
        assert_eq!(
            of(&[("highway", "residential"), ("access", "destination")]),
            Ok((RoadClass::Residential, ALL.into()))
        );
        assert_eq!(
            of(&[("highway", "track"), ("motor_vehicle", "yes")]).map(|road| road.0),
            Ok(RoadClass::Service)
        );
    }

    #[test]
    fn what_is_no_road_says_why() {
        let why = |tags: &[(&str, &str)]| of(tags).unwrap_err();
        assert_eq!(
            why(&[("highway", "footway")]),
            "ways highway=footway that no tag opens to motor vehicles"
        );
        assert_eq!(
            why(&[("highway", "footway"), ("access", "yes")]),
            "ways highway=footway that no tag opens to motor vehicles"
        );
        assert_eq!(why(&[("highway", "construction")]), "ways highway=construction: no road for vehicles");
        assert_eq!(
            why(&[("highway", "service"), ("access", "private")]),
            "ways highway=service closed to motor vehicles by access tags or width"
        );
        assert_eq!(why(&[("highway", "service"), ("area", "yes")]), "ways highway=service that are areas");
    }
}
