//! A made-up city, its devices, and what they say.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Result;
use model::{Aggregate, ClassCounts, Observation, Quality, Reading, SpeedMean, Timestamp, VehicleClass};
use roadnet::{LinkIndex, Network, Registry, Sensor, SensorKind};

/// Any seed will do; the same for all parts.
const SEED: u64 = 7;

pub(crate) struct City {
    pub(crate) network: Arc<Network>,
    pub(crate) registry: Arc<Registry>,
}

/// Returns a city of about that many links, with a loop in the middle of each.
pub(crate) fn city(links: usize) -> Result<City> {
    let network = simulator::city::synthetic(SEED, links)?.network;
    Ok(city_with_loops(Arc::new(network), 1, 1))
}

/// Returns that city with loops on `with` links of each `of`.
pub(crate) fn city_with_loops(network: Arc<Network>, of: u32, with: u32) -> City {
    let equipped = network.indices().filter(|link| link.0 % of < with);
    let sensors = equipped.map(|link| loop_on(&network, link, &loop_id(link), 30.0)).collect();
    City { registry: Arc::new(Registry::new(sensors)), network }
}

/// Returns a loop over all lanes in the middle of a link.
pub(crate) fn loop_on(network: &Network, link: LinkIndex, id: &str, period_s: f32) -> Sensor {
    Sensor {
        id: id.into(),
        kind: SensorKind::Loop,
        link: Some(link),
        offset_m: Some(network.link(link).length_m / 2.0),
        lane: None,
        point: None,
        heading_deg: None,
        length_m: 0.0,
        period_s: Some(period_s),
        format: "native".into(),
    }
}

fn loop_id(link: LinkIndex) -> String {
    format!("loop-{:06}", link.0)
}

pub(crate) fn topic(link: LinkIndex) -> String {
    format!("luong/v1/{}/aggregate", loop_id(link))
}

/// The contract's example, about 190 bytes.
pub(crate) fn payload(seq: u64, at: Timestamp) -> String {
    let (motorcycles, speed) = (seq % 60, 20 + seq % 25);
    format!(
        r#"{{"seq":{seq},"at":"{at}","period_s":30,"lane":1,"counts":{{"motorcycle":{motorcycles},"car":12,"bus":1}},"speed_kmh":{speed}.4,"speed_mean":"time","occupancy":0.31}}"#
    )
}

/// The same, as it stands in the log.
pub(crate) fn observation(network: &Network, link: LinkIndex, seq: u64, at: Timestamp) -> Observation {
    Observation {
        sensor: loop_id(link).as_str().into(),
        link: network.link(link).id.clone(),
        seq: Some(seq),
        at,
        period_s: Some(30.0),
        lane: Some(1),
        offset_m: Some(network.link(link).length_m / 2.0),
        received_at: at,
        quality: Quality::GOOD,
        reading: reading(seq, 0),
    }
}

/// What a loop counts: about what is usual there, off from it by what chance makes of so many. One that told the same again and again would
/// be stuck, and not believed.
pub(crate) fn reading(usual: u64, period: u64) -> Reading {
    let mean = (1 + usual % 60) as f64;
    // Evenly spread from -1 to 1, which has a variance of a third: that of a count is its mean.
    let chance = mixed(usual, period) as f64 / (1_u64 << 31) as f64 - 1.0;
    let motorcycles = (mean + chance * (3.0 * mean).sqrt()).round().max(0.0) as u32;
    let counts = [(VehicleClass::Motorcycle, motorcycles), (VehicleClass::Car, 12), (VehicleClass::Bus, 1)];
    Reading::Aggregate(Aggregate {
        counts: Some(ClassCounts::from_iter(counts)),
        speed_kmh: Some(20.4 + (usual % 25 + period % 3) as f32),
        speed_mean: Some(SpeedMean::Time),
        occupancy: Some(0.31),
        queue_m: None,
        headway_s: None,
    })
}

/// A number below 2^32 that says nothing of the two that it follows from.
fn mixed(one: u64, other: u64) -> u64 {
    let mixed = ((one << 32) ^ other).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (mixed ^ (mixed >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9) >> 32
}

pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(since.as_millis() as i64)
}
