use super::*;
use roadnet::{LinkIndex, RoadClass};

/// Returns how many links a walk along legal turns reaches from the first one.
fn reached(network: &Network) -> usize {
    let mut seen = vec![false; network.links().len()];
    let mut todo = vec![LinkIndex(0)];
    while let Some(link) = todo.pop() {
        if !std::mem::replace(&mut seen[link.index()], true) {
            todo.extend_from_slice(network.downstream(link));
        }
    }
    seen.into_iter().filter(|&s| s).count()
}

#[test]
fn the_demo_city_is_one_connected_network_of_the_promised_size() {
    let city = demo().unwrap();
    let links = city.network.links();
    assert!((300..=800).contains(&links.len()), "{} links", links.len());
    let reached = reached(&city.network);
    assert!(reached as f64 > 0.99 * links.len() as f64, "{reached} of {} links reached", links.len());
    assert!(links.iter().all(|link| link.length_m > 20.0), "too short");
}

#[test]
fn the_demo_city_has_the_streets_bridges_and_ports_that_people_know() {
    let city = demo().unwrap();
    for name in [
        "Nguyễn Bỉnh Khiêm",
        "Lê Hồng Phong",
        "Lạch Tray",
        "Cầu Bính",
        "Cầu Hoàng Văn Thụ",
        "Cầu Rào",
        "Cầu Rào 2",
        "Cầu Niệm",
        "Đình Vũ",
        "Tân Vũ - Lạch Huyện",
        "Quốc lộ 5",
        "Cao tốc Hà Nội - Hải Phòng",
        "Cầu Đất",
    ] {
        assert!(city.network.links().iter().any(|link| link.name == name), "{name} is missing");
    }
    assert!(city.zones.iter().any(|zone| zone.kind == ZoneKind::Port));
    assert!(city.network.links().iter().any(|link| link.class == RoadClass::Alley));
    assert!(city.title.contains("schematic"), "the title says what it is not");
}

#[test]
fn one_way_streets_of_the_demo_city_have_one_direction() {
    let city = demo().unwrap();
    let cau_dat = city.network.links().iter().filter(|link| link.name == "Cầu Đất");
    assert!(cau_dat.clone().count() > 0 && cau_dat.clone().all(|link| link.id.as_str().ends_with('f')));
}

#[test]
fn every_crossing_of_the_cam_river_is_a_bridge() {
    let city = demo().unwrap();
    // West of 106.65 the river turns away from the town and the national road stays on its bank.
    let north = |node| {
        let at = city.network.node(node).point;
        at.lat > 20.8705 && at.lon > 106.65
    };
    let crossing = city.network.links().iter().filter(|link| north(link.from) != north(link.to));
    assert!(crossing.clone().count() >= 4 && crossing.clone().all(|link| link.bridge));
}

#[test]
fn the_same_seed_makes_the_same_city_and_another_seed_another() {
    let make = |seed| synthetic(seed, 2000).unwrap();
    assert_eq!(make(5).network.version(), make(5).network.version());
    assert_ne!(make(5).network.version(), make(6).network.version());
}

#[test]
fn a_made_up_city_has_about_the_size_that_was_asked_for_and_hangs_together() {
    for asked in [200, 3000, 20_000] {
        let city = synthetic(1, asked).unwrap();
        let links = city.network.links().len();
        assert!((links as f64 / asked as f64 - 1.0).abs() < 0.25, "{links} for {asked}");
        assert!(reached(&city.network) as f64 > 0.9 * links as f64);
        assert!(city.zones.iter().any(|zone| zone.kind == ZoneKind::Port));
    }
    assert!(matches!(synthetic(1, 10), Err(PlanError::TooSmall { .. })));
}
