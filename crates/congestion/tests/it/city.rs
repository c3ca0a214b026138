//! The smallest city that has everything: a chain of streets with signals and crossings over several partitions, loops,
//! cameras and a fleet.

use std::sync::Arc;

use congestion::{Analyzer, Changes, Config};
use model::{
    Aggregate, ClassCounts, ClassSet, LinkId, Observation, Probe, Quality, Queue, Reading, SensorId, Signal,
    SignalState, SpeedMean, Timestamp, TravelTime, VehicleClass,
};
use roadnet::{
    Defaults, LinkIndex, Network, NetworkBuilder, NewLink, Point, Registry, RoadClass, Sensor, SensorKind,
};

/// 2026-11-23T00:00:00Z.
pub(crate) const START: Timestamp = Timestamp::from_millis(1_795_392_000_000);

/// Log partitions of the city.
pub(crate) const PARTITIONS: u32 = 4;

pub(crate) struct City {
    pub(crate) network: Arc<Network>,
    pub(crate) registry: Arc<Registry>,
}

/// Twelve links in a row, each 300 m by its map and about 2 km apart on the globe, so that they fall into several partitions; the
/// last third is an expressway.
pub(crate) fn city() -> City {
    const LINKS: usize = 12;
    let mut builder = NetworkBuilder::default();
    let point = |i: usize| Point { lon: 106.6 + 0.02 * i as f64, lat: 20.85 };
    let nodes: Vec<_> = (0..=LINKS).map(|i| builder.add_node(format!("n{i}"), point(i), true)).collect();
    for i in 0..LINKS {
        let expressway = i >= 8;
        let (id, ends) = (LinkId::from(format!("l{i}").as_str()), vec![point(i), point(i + 1)]);
        let link = NewLink {
            length_m: Some(300.0),
            class: if expressway { RoadClass::Motorway } else { RoadClass::Primary },
            // The map has no limit for the last one.
            defaults: Defaults { speed_limit: i == LINKS - 1, ..Defaults::default() },
            allowed: ClassSet::of(&[VehicleClass::Motorcycle, VehicleClass::Car]),
            signal_at_end: i % 2 == 0 && !expressway,
            ..NewLink::street(id, nodes[i], nodes[i + 1], ends)
        };
        builder.add_link(link).expect("the link is sound");
    }
    let mut sensors = vec![sensor("fleet", SensorKind::ProbeFleet, None, 10.0)];
    for i in 0..LINKS {
        match i % 3 {
            0 => sensors.push(sensor(&format!("loop-{i}"), SensorKind::Loop, Some(i), 30.0)),
            1 => sensors.push(sensor(&format!("cam-{i}"), SensorKind::AreaCamera, Some(i), 30.0)),
            _ => {}
        }
    }
    // In the jam a camera watches the stop line behind a loop, and the signal there tells its changes.
    let stop_line = sensor("cam-6", SensorKind::AreaCamera, Some(6), 30.0);
    sensors.push(Sensor { offset_m: Some(250.0), ..stop_line });
    sensors.push(sensor("signal-6", SensorKind::Signal, Some(6), 0.0));
    // They know vehicles again: nobody counts on the last link.
    sensors.extend([9, 11].map(|i| sensor(&format!("plates-{i}"), SensorKind::Bluetooth, Some(i), 0.0)));
    City { network: Arc::new(builder.build()), registry: Arc::new(Registry::new(sensors)) }
}

fn sensor(id: &str, kind: SensorKind, link: Option<usize>, period_s: f32) -> Sensor {
    Sensor {
        id: id.into(),
        kind,
        link: link.map(|i| LinkIndex(i as u32)),
        offset_m: link.map(|_| 150.0),
        lane: None,
        point: None,
        heading_deg: None,
        length_m: if kind == SensorKind::AreaCamera { 50.0 } else { 0.0 },
        period_s: Some(period_s),
        format: "native".into(),
    }
}

impl City {
    pub(crate) fn analyzer(&self, partitions: &[u32]) -> Analyzer {
        Analyzer::new(self.network.clone(), self.registry.clone(), Config::default(), partitions, PARTITIONS)
    }

    pub(crate) fn whole(&self) -> Analyzer {
        self.analyzer(&(0..PARTITIONS).collect::<Vec<_>>())
    }

    pub(crate) fn partition_of(&self, observation: &Observation) -> u32 {
        let link = self.network.find(observation.link.as_str()).expect("a link of the city");
        self.network.partition(link, PARTITIONS)
    }
}

/// One record of a partition's log.
#[derive(Clone, Debug)]
pub(crate) enum Record {
    Marker(Timestamp),
    Reading(Observation),
}

impl Record {
    pub(crate) fn received_at(&self) -> Timestamp {
        match self {
            Self::Marker(at) => *at,
            Self::Reading(observation) => observation.received_at,
        }
    }
}

pub(crate) fn feed(analyzer: &mut Analyzer, partition: u32, record: &Record, into: &mut Changes) {
    let changes = analyzer.advance(partition, record.received_at());
    into.states.extend(changes.states);
    into.events.extend(changes.events);
    into.forecasts.extend(changes.forecasts);
    if let Record::Reading(observation) = record {
        analyzer.observe(partition, observation);
    }
}

/// What a seed makes of a reading: SplitMix64, so that a failing case can be read.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % n
    }
}

/// Readings of some minutes of traffic, each with a delay of its own, and the markers that ingest writes: one log a partition.
pub(crate) fn logs(city: &City, seed: u64, minutes: i64) -> Vec<Vec<Record>> {
    let mut dice = Dice(seed);
    let mut logs: Vec<Vec<Record>> = vec![Vec::new(); PARTITIONS as usize];
    for second in (0..minutes * 60).step_by(10) {
        for i in 0..12 {
            for observation in readings(i, second, &mut dice) {
                logs[city.partition_of(&observation) as usize].push(Record::Reading(observation));
            }
        }
    }
    for log in &mut logs {
        log.extend((0..minutes * 60 * 4).map(|i| Record::Marker(START.plus_millis(i * 250))));
        log.sort_by_key(Record::received_at);
    }
    logs
}

/// The same minutes, but from the fifth to the twelfth somebody stands on the loop of the tenth link, and nobody passes it.
pub(crate) fn blocked_logs(city: &City, seed: u64, minutes: i64) -> Vec<Vec<Record>> {
    let mut logs = logs(city, seed, minutes);
    let (since, until) = (START.plus_millis(300_000), START.plus_millis(720_000));
    for record in logs.iter_mut().flatten() {
        let Record::Reading(observation) = record else { continue };
        if observation.sensor.as_str() == "loop-9" && (since..until).contains(&observation.at) {
            let covered = 0.95 + (observation.at.as_millis() / 30_000 % 5) as f32 / 100.0;
            observation.reading = Reading::Aggregate(Aggregate {
                counts: Some(ClassCounts::default()),
                occupancy: Some(covered),
                ..Aggregate::default()
            });
        }
    }
    logs
}

fn readings(link: usize, second: i64, dice: &mut Dice) -> Vec<Observation> {
    // The middle of the city jams after a while.
    readings_of(link, second, (4..8).contains(&link) && second > 240, dice)
}

/// A day and more with a jam in the middle of the city for a quarter of each and a half hours, a reading a minute; of some links the last
/// twenty minutes tell nothing.
pub(crate) fn day_log(city: &City, seed: u64, seconds: i64) -> Vec<(u32, Record)> {
    let mut dice = Dice(seed);
    let mut log = Vec::new();
    for second in (60..seconds).step_by(60) {
        let rush = second / 900 % 6 == 1;
        for link in (0..12).filter(|link| second < seconds - 1200 || ![3, 4, 7].contains(link)) {
            for mut observation in readings_of(link, second, rush && (3..8).contains(&link), &mut dice) {
                observation.received_at = observation.at.plus_millis(500 + dice.below(8000) as i64);
                log.push((city.partition_of(&observation), Record::Reading(observation)));
            }
        }
    }
    let markers = (1..seconds / 5).map(|i| Record::Marker(START.plus_millis(i * 5000 + 1)));
    log.extend(markers.flat_map(|marker| (0..PARTITIONS).map(move |partition| (partition, marker.clone()))));
    log.sort_by_key(|(_, record)| record.received_at());
    log
}

fn readings_of(link: usize, second: i64, jam: bool, dice: &mut Dice) -> Vec<Observation> {
    let mut readings = Vec::new();
    let speed_kmh = if jam { 3.0 } else { 35.0 } + dice.below(80) as f32 / 10.0;
    if second % 30 == 0 {
        let mut count = || (if jam { 2 } else { 8 }) + dice.below(5) as u32;
        let [at_loop, at_camera] = [count(), count()].map(|count| passed(count, speed_kmh, jam));
        if link.is_multiple_of(3) {
            readings.push(reading(&format!("loop-{link}"), link, second, at_loop, dice));
        }
        if link % 3 == 1 || link == 6 {
            let name = format!("cam-{link}");
            readings.push(reading(&name, link, second, at_camera, dice));
            let queue_m = if jam { 50.0 } else { dice.below(20) as f32 };
            let queue = Queue { queue_m: Some(queue_m), ..Queue::default() };
            readings.push(reading(&name, link, second, Reading::Queue(queue), dice));
        }
    }
    if link == 6 && second % 60 == if jam { 10 } else { 30 } {
        readings.push(signal(SignalState::Red, link, second, dice));
    }
    if link == 6 && second % 60 == 0 {
        readings.push(signal(SignalState::Green, link, second, dice));
    }
    if link == 11 && second % 60 == 0 {
        let dice = &mut Dice(second as u64);
        let travel = TravelTime {
            from_sensor: "plates-9".into(),
            to_sensor: "plates-11".into(),
            seconds: 50.0 + dice.below(20) as f32,
            vehicles: Some(1 + dice.below(4) as u32),
        };
        readings.push(reading("plates-11", link, second, Reading::TravelTime(travel), dice));
    }
    if dice.below(3) == 0 {
        let probe = Probe {
            vehicle: format!("v{}", dice.below(5)).as_str().into(),
            lon: 106.6,
            lat: 20.85,
            heading_deg: None,
            speed_kmh: Some(speed_kmh),
            class: None,
            in_service: None,
        };
        readings.push(reading("fleet", link, second, Reading::Probe(probe), dice));
    }
    readings
}

fn passed(count: u32, speed_kmh: f32, jam: bool) -> Reading {
    Reading::Aggregate(Aggregate {
        counts: Some(ClassCounts::from_iter([(VehicleClass::Motorcycle, count)])),
        speed_kmh: (count > 0).then_some(speed_kmh),
        speed_mean: Some(SpeedMean::Time),
        occupancy: Some(if jam { 0.6 } else { 0.05 }),
        ..Aggregate::default()
    })
}

fn signal(state: SignalState, link: usize, second: i64, dice: &mut Dice) -> Observation {
    let changed = Signal { group: "1".into(), state, cycle_s: None };
    reading(&format!("signal-{link}"), link, second, Reading::Signal(changed), dice)
}

fn reading(sensor: &str, link: usize, second: i64, reading: Reading, dice: &mut Dice) -> Observation {
    let at = START.plus_millis(second * 1000);
    // Mostly seconds, now and then a minute: late readings are the rule.
    let delay_ms = if dice.below(20) == 0 { 60_000 } else { 500 + dice.below(8_000) as i64 };
    Observation {
        sensor: SensorId::from(sensor),
        link: LinkId::from(format!("l{link}").as_str()),
        // Fleets number over all their vehicles: second and link make it one.
        seq: Some(second as u64 * 100 + link as u64),
        at,
        period_s: Some(30.0),
        lane: None,
        offset_m: None,
        received_at: at.plus_millis(delay_ms),
        quality: Quality::GOOD,
        reading,
    }
}
