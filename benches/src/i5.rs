//! `bench i5 --data DIR`: every third station of an interstate is hidden, and its speed estimated from the others.
//!
//! The kept stations' readings go through the real analyser as they would come in: nothing of a step is known before it is
//! over. The estimate of a step is what the analyser says of the link a minute after the step's end, before the next reading.
//! Beside it, from the same readings: linear interpolation between the next stations up- and downstream, and adaptive smoothing
//! alone (Treiber and Helbing 2002, sigma 0.6 km, tau 1.1 min, only looking back).

mod baselines;
mod score;

use std::path::Path;
use std::sync::Arc;

use anyhow::Result;
use congestion::{Analyzer, Config};
use model::{
    Aggregate, ClassCounts, ClassSet, LinkId, LinkState, Observation, Quality, Reading, SpeedMean,
    VehicleClass,
};
use roadnet::{LinkIndex, Network, NetworkBuilder, NewLink, Point, Registry, RoadClass, Sensor};

use crate::corridor::{Corridor, STEP_MS, Step};
use crate::fixture::loop_on;
use score::{Estimate, Estimates, Fold, Score};

/// What the map says of the free-flow speed where it is one for the whole road, km/h.
const MAP_KMH: f64 = 105.0;

/// How long after a step's end its estimate is taken, ms: the analyser smooths expressways once a minute.
const WAIT_MS: i64 = 65_000;

/// Prints the table, or that there is no data.
pub(crate) fn report(folder: Option<&Path>) -> Result<String> {
    let Some(folder) = folder else {
        return Ok("i5: no data; name the folder with --data (it is not part of the project)\n".to_owned());
    };
    let corridor = Corridor::read(folder)?;
    let folds = |estimates: &dyn Fn(Fold) -> Result<Estimates>| {
        let score = |fold: Fold| Ok(Score::of(&corridor, &estimates(fold)?));
        Fold::ALL.into_iter().map(score).collect::<Result<Vec<Score>>>()
    };
    let mut table = Score::header();
    for map in [Map::Calibrated, Map::OneSpeed] {
        table += &Score::rows(map.name(), &folds(&|fold| ours(&corridor, &map, fold))?);
    }
    let linear = folds(&|fold| Ok(baselines::linear(&corridor, fold)))?;
    let smoothed = folds(&|fold| Ok(baselines::smoothed(&corridor, fold)))?;
    table += &Score::rows("linear interpolation", &linear);
    table += &Score::rows("adaptive smoothing alone", &smoothed);
    Ok(table)
}

/// What the map knows of free-flow speeds.
enum Map {
    /// Those of the chain's table, which were calibrated on each station's own past.
    Calibrated,
    OneSpeed,
}

impl Map {
    fn name(&self) -> &'static str {
        match self {
            Self::Calibrated => "luong, free speeds of the chain's table",
            Self::OneSpeed => "luong, one free speed for the road",
        }
    }
}

fn ours(corridor: &Corridor, map: &Map, fold: Fold) -> Result<Estimates> {
    let network = Arc::new(network(corridor, map)?);
    let kept = network.indices().filter(|link| !fold.hides(link.index()));
    let registry = Arc::new(Registry::new(kept.map(|link| detector(&network, link)).collect()));
    let mut analyzer = Analyzer::new(network.clone(), registry, Config::default(), &[0], 1);
    let mut estimates = Vec::new();
    for step in &corridor.steps {
        analyzer.advance(0, step.at);
        for link in network.indices().filter(|link| !fold.hides(link.index())) {
            if let Some(observation) = observation(&network, link, step) {
                analyzer.observe(0, &observation);
            }
        }
        analyzer.advance(0, step.at.plus_millis(WAIT_MS));
        let states = analyzer.snapshot().enumerate();
        estimates.push(states.map(|(place, state)| fold.hides(place).then(|| estimate(&state))?).collect());
    }
    Ok(estimates)
}

fn estimate(state: &LinkState) -> Option<Estimate> {
    let [speed_kmh, lo_kmh, hi_kmh] =
        [state.speed_kmh?, state.speed_lo_kmh?, state.speed_hi_kmh?].map(f64::from);
    Some(Estimate { speed_kmh, interval_kmh: Some((lo_kmh, hi_kmh)), congested: state.congested })
}

/// One link a station, from midway to the station before to midway to the one after.
fn network(corridor: &Corridor, map: &Map) -> Result<Network> {
    /// Stations at one place are drawn apart by that much, km.
    const LEAST_KM: f64 = 0.02;
    let mut builder = NetworkBuilder::default();
    let stations = &corridor.stations;
    let mut end_km = stations[0].x_km - 0.5;
    let point = |km: f64| Point { lon: -117.0, lat: 33.0 + km / 111.2 };
    let mut before = builder.add_node("start", point(end_km), false);
    for (place, station) in stations.iter().enumerate() {
        let next_km = stations.get(place + 1).map_or(station.x_km + 1.0, |next| next.x_km);
        let start_km = end_km;
        end_km = ((station.x_km + next_km) / 2.0).max(start_km + LEAST_KM);
        let node = builder.add_node(format!("after {}", station.id), point(end_km), false);
        let free_kmh = match map {
            Map::Calibrated => station.free_kmh,
            Map::OneSpeed => MAP_KMH,
        };
        let (id, ends) = (LinkId::from(station.id.as_str()), vec![point(start_km), point(end_km)]);
        builder.add_link(NewLink {
            length_m: Some(((end_km - start_km) * 1000.0) as f32),
            class: RoadClass::Motorway,
            lanes: station.lanes as f32,
            width_m: (3.6 * station.lanes) as f32,
            speed_limit_kmh: free_kmh as f32,
            allowed: ClassSet::of(&[VehicleClass::Car, VehicleClass::Truck]),
            ..NewLink::street(id, before, node, ends)
        })?;
        before = node;
    }
    Ok(builder.build())
}

fn detector(network: &Network, link: LinkIndex) -> Sensor {
    loop_on(network, link, network.link(link).id.as_str(), STEP_MS as f32 / 1000.0)
}

fn observation(network: &Network, link: LinkIndex, step: &Step) -> Option<Observation> {
    const STEPS_AN_HOUR: f64 = 12.0;
    let seen = step.seen.get(link.index()).filter(|seen| !seen.speed_kmh.is_nan())?;
    let count = (seen.flow_vph / STEPS_AN_HOUR).round() as u32;
    Some(Observation {
        sensor: network.link(link).id.as_str().into(),
        link: network.link(link).id.clone(),
        seq: None,
        at: step.at,
        period_s: Some(STEP_MS as f32 / 1000.0),
        lane: None,
        offset_m: None,
        received_at: step.at,
        quality: Quality::GOOD,
        reading: Reading::Aggregate(Aggregate {
            counts: Some(ClassCounts::from_iter([(VehicleClass::Car, count)])),
            speed_kmh: Some(seen.speed_kmh as f32),
            // PeMS takes it from flow and occupancy.
            speed_mean: Some(SpeedMean::Space),
            occupancy: Some(seen.occupancy as f32),
            queue_m: None,
            headway_s: None,
        }),
    })
}
