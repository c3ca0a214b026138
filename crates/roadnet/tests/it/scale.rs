//! How large networks behave. The figures are printed; run with `--release -- --nocapture` to read them.

use std::time::Instant;

use model::{ClassSet, VehicleClass};
use roadnet::{Defaults, Network, NetworkBuilder, NewLink, Point, RoadClass};

/// A grid of two-way streets, each with a vertex in its middle.
fn city(side: u32) -> Network {
    let mut builder = NetworkBuilder::default();
    let place = |x: u32, y: u32| Point { lon: 106.0 + f64::from(x) * 1e-3, lat: 20.0 + f64::from(y) * 1e-3 };
    let nodes: Vec<_> = (0..side * side)
        .map(|i| builder.add_node(format!("{i}"), place(i % side, i / side), false))
        .collect();
    let mut add = |(x, y): (u32, u32), (to_x, to_y): (u32, u32)| {
        let (a, b) = (place(x, y), place(to_x, to_y));
        let middle = Point { lon: (a.lon + b.lon) / 2.0 + 1e-5, lat: (a.lat + b.lat) / 2.0 };
        let [from, to] = [(x, y), (to_x, to_y)].map(|(x, y)| nodes[(y * side + x) as usize]);
        let new = NewLink {
            id: format!("w{x}.{y}-{to_x}.{to_y}").as_str().into(),
            from,
            to,
            geometry: vec![a, middle, b],
            length_m: None,
            class: RoadClass::Residential,
            lanes: 1.0,
            width_m: 3.0,
            speed_limit_kmh: 30.0,
            defaults: Defaults::default(),
            allowed: ClassSet::of(&[VehicleClass::Motorcycle, VehicleClass::Car]),
            name: "Đường Trần Phú".into(),
            signal_at_end: false,
            gives_way: None,
            roundabout: false,
            bridge: false,
            tunnel: false,
            conditions: Vec::new(),
        };
        builder.add_link(new).expect("each link has its own name");
    };
    for y in 0..side {
        for x in 0..side {
            for next in [(x + 1, y), (x, y + 1)].into_iter().filter(|&(x, y)| x < side && y < side) {
                add((x, y), next);
                add(next, (x, y));
            }
        }
    }
    builder.build()
}

#[test]
fn a_large_city_is_written_and_loaded_and_searched() {
    // 100,000 links where it is quick; without optimisation a twentieth, and no figure is worth a thing.
    let optimised = !cfg!(debug_assertions);
    let side = if optimised { 159 } else { 37 };
    let network = city(side);
    let mut file = Vec::new();
    network.write(&mut file).unwrap();
    let start = Instant::now();
    let back = Network::read(file.as_slice()).unwrap();
    let took = start.elapsed();
    println!("{} links: {} bytes, loaded in {took:?}", back.links().len(), file.len());
    assert_eq!(back.version(), network.version());
    assert!(took.as_secs_f64() < 1.0 || !optimised, "{took:?}");

    let searches = if optimised { 20_000_u32 } else { 500 };
    let start = Instant::now();
    let mut found = 0;
    for i in 0..searches {
        let spread = |step: u32| f64::from(i.wrapping_mul(step) % 30_000) * 1e-6;
        let here = Point { lon: 106.0 + spread(7_919), lat: 20.0 + spread(104_729) };
        found += back.locate(here, 30.0, Some(90.0)).len();
    }
    println!("a search of 30 m with a heading: {:?}", start.elapsed() / searches);
    assert!(found > searches as usize / 10);
}
