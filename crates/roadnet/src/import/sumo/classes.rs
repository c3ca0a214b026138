//! SUMO's vehicle classes in our words.

use model::{ClassSet, VehicleClass};

/// Which of our classes stands for each of SUMO's. Those that never meet on a road (rail, ship, drone, pedestrian) are
/// not here.
const TABLE: [(&str, VehicleClass); 16] = [
    ("motorcycle", VehicleClass::Motorcycle),
    ("moped", VehicleClass::Motorcycle),
    ("scooter", VehicleClass::Bicycle),
    ("bicycle", VehicleClass::Bicycle),
    ("passenger", VehicleClass::Car),
    ("private", VehicleClass::Car),
    ("taxi", VehicleClass::Car),
    ("evehicle", VehicleClass::Car),
    ("hov", VehicleClass::Car),
    ("delivery", VehicleClass::Van),
    ("bus", VehicleClass::Bus),
    ("coach", VehicleClass::Bus),
    ("truck", VehicleClass::Truck),
    ("trailer", VehicleClass::Trailer),
    ("emergency", VehicleClass::Other),
    ("authority", VehicleClass::Other),
];

/// Returns who may use a lane. A class counts as allowed when one of SUMO's that it stands for is; a lane that only
/// emergency vehicles or authorities may use is no road.
pub(super) fn allowed(allow: Option<&str>, disallow: Option<&str>) -> ClassSet {
    let named = |list: &str, name: &str| list.split_whitespace().any(|word| word == name || word == "all");
    let may = |name: &str| match (allow, disallow) {
        (Some(list), _) if !list.trim().is_empty() => named(list, name),
        (_, Some(list)) => !named(list, name),
        _ => true,
    };
    let of = |wanted: fn(VehicleClass) -> bool| {
        TABLE
            .iter()
            .filter(|(name, class)| wanted(*class) && may(name))
            .fold(ClassSet::NONE, |set, e| set.with(e.1))
    };
    let known = of(|class| class != VehicleClass::Other);
    let two_wheels = known.contains(VehicleClass::Motorcycle) || known.contains(VehicleClass::Bicycle);
    let known = if two_wheels { known.with(VehicleClass::TwoWheeler) } else { known };
    // What a device can't name drives where cars drive.
    if known.contains(VehicleClass::Car) { known.with(VehicleClass::Other) } else { known }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(set: ClassSet) -> Vec<&'static str> {
        set.iter().map(VehicleClass::name).collect()
    }

    #[test]
    fn allow_and_disallow_say_who_may_pass() {
        assert_eq!(names(allowed(Some("bus bicycle"), None)), ["bicycle", "two_wheeler", "bus"]);
        assert_eq!(names(allowed(Some("pedestrian"), None)), [""; 0]);
        assert_eq!(names(allowed(Some("emergency"), None)), [""; 0]);
        assert_eq!(names(allowed(None, Some("all"))), [""; 0]);
        assert_eq!(
            names(allowed(None, Some("truck trailer pedestrian"))),
            ["motorcycle", "bicycle", "two_wheeler", "car", "van", "bus", "other"]
        );
        assert_eq!(allowed(None, None), allowed(Some("all"), None));
        assert_eq!(names(allowed(None, None)).len(), 9, "all but those on foot");
    }
}
