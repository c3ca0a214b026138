//! The smallest city that shows something: a row of streets, each one tile's worth of links away from the next.

use model::{ClassSet, LevelOfService, LinkId, LinkState, Source, Timestamp, VehicleClass};
use roadnet::{Defaults, Network, NetworkBuilder, NewLink, Point, Registry, RoadClass, Sensor, SensorKind};

/// Links of the usual city, `s0` to `s199`: `s<i>` runs 10 m to the east at longitude 106 + i / 1000 degrees.
pub(crate) const LINKS: usize = 200;

/// Everything in a test happens around this instant.
pub(crate) const NOON: Timestamp = Timestamp::from_millis(1_763_791_200_000);

pub(crate) fn network(links: usize) -> Network {
    let mut builder = NetworkBuilder::default();
    for i in 0..links {
        let ends = [0.0, 0.0001].map(|step| Point { lon: 106.0 + i as f64 / 1000.0 + step, lat: 20.8 });
        let [from, to] = ends.map(|end| builder.add_node(format!("n{}", end.lon), end, false));
        builder
            .add_link(NewLink {
                class: if i % 2 == 0 { RoadClass::Primary } else { RoadClass::Alley },
                defaults: Defaults { lanes: true, ..Defaults::default() },
                allowed: ClassSet::of(&[VehicleClass::Motorcycle, VehicleClass::Car]),
                name: format!("Đường {i}").into(),
                ..NewLink::street(LinkId::from(format!("s{i}").as_str()), from, to, ends.to_vec())
            })
            .unwrap();
    }
    builder.build()
}

/// One loop on every tenth link, `loop-0` to `loop-19`.
pub(crate) fn registry(network: &Network) -> Registry {
    let sensor = |i: usize| Sensor {
        id: format!("loop-{i}").as_str().into(),
        kind: if i == 0 { SensorKind::Camera } else { SensorKind::Loop },
        link: network.find(&format!("s{}", i * 10)),
        offset_m: Some(5.0),
        lane: None,
        point: Some(Point { lon: 106.0 + i as f64 / 100.0, lat: 20.8 }),
        heading_deg: None,
        length_m: 0.0,
        period_s: Some(30.0),
        format: "native".into(),
    };
    Registry::new((0..LINKS / 10).map(sensor).collect())
}

/// A state of `s<link>`, as good or bad as its speed, `after_ms` after noon.
pub(crate) fn state(link: usize, speed_kmh: f32, after_ms: i64) -> LinkState {
    LinkState {
        speed_kmh: Some(speed_kmh),
        level_of_service: Some(LevelOfService::of_share(f64::from(speed_kmh) / 50.0)),
        source: if link.is_multiple_of(3) { Source::Observed } else { Source::Estimated },
        ..LinkState::unknown(LinkId::from(format!("s{link}").as_str()), NOON + after_ms)
    }
}
