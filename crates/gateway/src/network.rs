//! The road network as the services answer it.

use roadnet::{LinkIndex, Network, Point, RoadClass};
use wire::v1;

/// Returns a link as the services answer it.
pub(crate) fn link_message(network: &Network, index: LinkIndex) -> v1::Link {
    let link = network.link(index);
    v1::Link {
        link_id: link.id.to_string(),
        from_node_id: network.node(link.from).id.to_string(),
        to_node_id: network.node(link.to).id.to_string(),
        name: link.name.to_string(),
        road_class: road_class(link.class).into(),
        length_m: f64::from(link.length_m),
        lanes: f64::from(link.lanes),
        width_m: f64::from(link.width_m),
        speed_limit_kmh: f64::from(link.speed_limit_kmh),
        lanes_default: link.defaults.lanes,
        width_default: link.defaults.width,
        speed_limit_default: link.defaults.speed_limit,
        allowed_classes: link
            .allowed
            .iter()
            .fold(0, |bits, class| bits | 1 << i32::from(vehicle_class(class))),
        signal_at_end: link.signal_at_end,
        geometry: differences(network.geometry(index)),
        downstream_link_ids: network
            .downstream(index)
            .iter()
            .map(|&next| network.link(next).id.to_string())
            .collect(),
        roundabout: link.roundabout,
        bridge: link.bridge,
        tunnel: link.tunnel,
    }
}

/// Returns a road class as the services answer it.
pub(crate) fn road_class(class: RoadClass) -> v1::RoadClass {
    match class {
        RoadClass::Motorway => v1::RoadClass::Motorway,
        RoadClass::Trunk => v1::RoadClass::Trunk,
        RoadClass::Primary => v1::RoadClass::Primary,
        RoadClass::Secondary => v1::RoadClass::Secondary,
        RoadClass::Tertiary => v1::RoadClass::Tertiary,
        RoadClass::Unclassified => v1::RoadClass::Unclassified,
        RoadClass::Residential => v1::RoadClass::Residential,
        RoadClass::Service => v1::RoadClass::Service,
        RoadClass::Alley => v1::RoadClass::Alley,
    }
}

fn vehicle_class(class: model::VehicleClass) -> v1::VehicleClass {
    use model::VehicleClass as Class;
    match class {
        Class::Motorcycle => v1::VehicleClass::Motorcycle,
        Class::Bicycle => v1::VehicleClass::Bicycle,
        Class::TwoWheeler => v1::VehicleClass::TwoWheeler,
        Class::Car => v1::VehicleClass::Car,
        Class::Van => v1::VehicleClass::Van,
        Class::Bus => v1::VehicleClass::Bus,
        Class::Truck => v1::VehicleClass::Truck,
        Class::Trailer => v1::VehicleClass::Trailer,
        Class::Pedestrian => v1::VehicleClass::Pedestrian,
        Class::Other => v1::VehicleClass::Other,
    }
}

/// Returns vertices in 1e-7 degrees, each but the first as a difference to the one before.
fn differences(line: &[Point]) -> Vec<i32> {
    let fixed = |degrees: f64| (degrees * 1e7).round() as i32;
    let mut before = (0, 0);
    line.iter()
        .flat_map(|vertex| {
            let (lon, lat) = (fixed(vertex.lon), fixed(vertex.lat));
            let step = [lon.wrapping_sub(before.0), lat.wrapping_sub(before.1)];
            before = (lon, lat);
            step
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vertices_are_differences_to_the_one_before() {
        let line = [Point { lon: 106.68, lat: 20.86 }, Point { lon: 106.6799999, lat: 20.8600002 }];
        assert_eq!(differences(&line), [1_066_800_000, 208_600_000, -1, 2]);
    }
}
