//! How important a SUMO edge is.

use crate::RoadClass;

/// Returns the class that the edge's type names (`highway.primary_link`), else a guess, and whether it is one.
pub(super) fn of(kind: &str, speed_limit_kmh: f32, lanes: usize) -> (RoadClass, bool) {
    match named(kind) {
        Some(class) => (class, false),
        None => (guess(speed_limit_kmh, lanes), true),
    }
}

fn named(kind: &str) -> Option<RoadClass> {
    let name = kind.split(['|', ';']).find_map(|part| part.strip_prefix("highway."))?;
    match name.strip_suffix("_link").unwrap_or(name) {
        "living_street" => Some(RoadClass::Residential),
        "track" | "unsurfaced" => Some(RoadClass::Service),
        "path" | "footway" | "pedestrian" | "cycleway" => Some(RoadClass::Alley),
        "road" => Some(RoadClass::Unclassified),
        other => RoadClass::from_name(other),
    }
}

/// A guess by what is usual in Vietnam: 50 km/h in built-up areas, 60 where the directions are divided, more outside;
/// above 80 km/h a road has no crossings at grade.
fn guess(speed_limit_kmh: f32, lanes: usize) -> RoadClass {
    match speed_limit_kmh {
        limit if limit > 80.5 => RoadClass::Motorway,
        limit if limit > 60.5 => RoadClass::Trunk,
        limit if limit > 50.5 && lanes >= 2 => RoadClass::Primary,
        _ if lanes >= 2 => RoadClass::Secondary,
        limit if limit > 30.5 => RoadClass::Tertiary,
        _ => RoadClass::Residential,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_type_names_the_class_and_else_speed_and_lanes_do() {
        assert_eq!(of("highway.primary_link", 40.0, 1), (RoadClass::Primary, false));
        assert_eq!(of("highway.residential|highway.service", 30.0, 1), (RoadClass::Residential, false));
        assert_eq!(of("", 90.0, 3), (RoadClass::Motorway, true));
        assert_eq!(of("", 50.0, 2), (RoadClass::Secondary, true));
        assert_eq!(of("E45", 40.0, 1), (RoadClass::Tertiary, true));
    }
}
