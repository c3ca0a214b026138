//! The smallest city that shows it: one road, both directions, and a few sensors.

use std::sync::Arc;

use ingest::{ClockMode, Normaliser, Rules};
use model::Timestamp;
use roadnet::{Network, NetworkBuilder, NewLink, Point, Registry, Sensor, SensorKind};

/// When the golden events happened.
pub(crate) const NOW: Timestamp = Timestamp::from_millis(1_795_330_831_000);

/// A street of Hải Phòng, 0.004° (416 m) long, from west to east as `w1.0f` and back as `w1.0b`.
pub(crate) fn network() -> Arc<Network> {
    let mut builder = NetworkBuilder::default();
    let (west, east) = (Point { lon: 106.68, lat: 20.86 }, Point { lon: 106.684, lat: 20.86 });
    let a = builder.add_node("a", west, false);
    let b = builder.add_node("b", east, true);
    for (id, from, to, geometry) in [("w1.0f", a, b, vec![west, east]), ("w1.0b", b, a, vec![east, west])] {
        builder
            .add_link(NewLink {
                name: "Trần Phú".into(),
                signal_at_end: from == a,
                ..NewLink::street(id.into(), from, to, geometry)
            })
            .unwrap();
    }
    Arc::new(builder.build())
}

/// `loop-1` on `w1.0f` (30 s), `bt-1` and `bt-2` (the second placed), `fleet` of probes, `store` on no link.
pub(crate) fn registry(network: &Network) -> Arc<Registry> {
    let link = network.find("w1.0f");
    let sensor = |id: &str, kind, placed: bool, period_s| Sensor {
        id: id.into(),
        kind,
        link: link.filter(|_| placed),
        offset_m: placed.then_some(120.0),
        lane: None,
        point: None,
        heading_deg: None,
        length_m: 0.0,
        period_s,
        format: "native".into(),
    };
    Arc::new(Registry::new(vec![
        sensor("loop-1", SensorKind::Loop, true, Some(30.0)),
        sensor("bt-1", SensorKind::Bluetooth, false, None),
        sensor("bt-2", SensorKind::Bluetooth, true, None),
        sensor("fleet", SensorKind::ProbeFleet, false, None),
        sensor("store", SensorKind::Loop, false, None),
    ]))
}

pub(crate) fn normaliser(rules: Rules, mode: ClockMode) -> Normaliser {
    let network = network();
    let registry = registry(&network);
    Normaliser::new(network, registry, rules, mode)
}
