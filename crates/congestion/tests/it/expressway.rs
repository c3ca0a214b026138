//! An expressway whose links are short: how far along it a detector is heard.

use std::sync::Arc;

use congestion::{Analyzer, Config};
use model::{
    Aggregate, ClassCounts, ClassSet, LinkId, Observation, Quality, Reading, Source, SpeedMean, VehicleClass,
};
use roadnet::{LinkIndex, Network, NetworkBuilder, NewLink, Point, Registry, RoadClass, Sensor, SensorKind};

use crate::city::START;

/// Links of 150 m in a row; a loop on the first and one on the last.
const LINKS: usize = 20;

fn road() -> Network {
    let mut builder = NetworkBuilder::default();
    let point = |i: usize| Point { lon: 106.6 + 0.0014 * i as f64, lat: 20.85 };
    let nodes: Vec<_> = (0..=LINKS).map(|i| builder.add_node(format!("n{i}"), point(i), false)).collect();
    for i in 0..LINKS {
        let (id, ends) = (LinkId::from(format!("l{i}").as_str()), vec![point(i), point(i + 1)]);
        let link = NewLink {
            length_m: Some(150.0),
            class: RoadClass::Motorway,
            speed_limit_kmh: 90.0,
            allowed: ClassSet::of(&[VehicleClass::Car]),
            ..NewLink::street(id, nodes[i], nodes[i + 1], ends)
        };
        builder.add_link(link).expect("the link is sound");
    }
    builder.build()
}

fn detector(link: usize) -> Sensor {
    Sensor {
        id: format!("loop-{link}").as_str().into(),
        kind: SensorKind::Loop,
        link: Some(LinkIndex(link as u32)),
        offset_m: Some(75.0),
        lane: None,
        point: None,
        heading_deg: None,
        length_m: 0.0,
        period_s: Some(30.0),
        format: "native".into(),
    }
}

fn passing(link: usize, second: i64, speed_kmh: f32) -> Observation {
    let at = START.plus_millis(second * 1000);
    let counts = ClassCounts::from_iter([(VehicleClass::Car, 10)]);
    let aggregate = Aggregate {
        counts: Some(counts),
        speed_kmh: Some(speed_kmh + (second % 7) as f32 / 10.0),
        speed_mean: Some(SpeedMean::Space),
        occupancy: Some(0.05),
        queue_m: None,
        headway_s: None,
    };
    Observation {
        sensor: format!("loop-{link}").as_str().into(),
        link: format!("l{link}").as_str().into(),
        seq: None,
        at,
        period_s: Some(30.0),
        lane: None,
        offset_m: Some(75.0),
        received_at: at.plus_millis(2000),
        quality: Quality::GOOD,
        reading: Reading::Aggregate(aggregate),
    }
}

#[test]
fn between_detectors_an_expressway_is_estimated_however_short_its_links_are() {
    let registry = Registry::new(vec![detector(0), detector(LINKS - 1)]);
    let mut analyzer = Analyzer::new(Arc::new(road()), Arc::new(registry), Config::default(), &[0], 1);
    for second in (30..=1200).step_by(30) {
        for link in [0, LINKS - 1] {
            let observation = passing(link, second, 80.0);
            analyzer.advance(0, observation.received_at);
            analyzer.observe(0, &observation);
        }
    }
    analyzer.advance(0, START.plus_millis(1_260_000));
    let middle = analyzer.snapshot().nth(LINKS / 2).unwrap();
    assert_eq!(middle.source, Source::Estimated, "nine turns from either detector");
    assert!((70.0..90.0).contains(&middle.speed_kmh.unwrap()), "{:?}", middle.speed_kmh);
}
