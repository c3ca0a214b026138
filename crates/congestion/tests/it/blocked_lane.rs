//! A street with many loops and a signal, on which a lane is blocked.
//!
//! The traffic is a cellular automaton (Nagel and Schreckenberg 1992, nobody dawdles): cells of 7.5 m, steps of a second. Who cannot go
//! on changes lanes where there is room; who passes what blocks the other lane does so slowly.

use std::sync::Arc;

use congestion::{Analyzer, Changes, Config};
use model::{
    Aggregate, ClassCounts, EventKind, LinkId, Observation, Quality, Reading, Signal, SignalState, SpeedMean,
    TrafficEvent, VehicleClass,
};
use roadnet::{LinkIndex, NetworkBuilder, NewLink, Point, Registry, Sensor, SensorKind};

use crate::city::{Record, START, feed};

const LINKS: usize = 3;
const CELLS_OF_A_LINK: usize = 40;
const CELLS: usize = LINKS * CELLS_OF_A_LINK;
const CELL_M: f32 = 7.5;
/// Cells a second: 54 km/h.
const FASTEST: usize = 2;

/// On each link, cells from its start.
const LOOPS: [usize; 3] = [10, 20, 30];
const PERIOD_S: i64 = 30;

const CYCLE_S: i64 = 90;
const GREEN_S: i64 = 62;
/// Of five seconds, those in which one comes in each lane: two lanes pass them in green, one does not.
const COMES: [i64; 2] = [0, 2];

/// Where the second lane of the second link is blocked.
const BLOCKED: usize = CELLS_OF_A_LINK + 23;

/// What a loop of a lane saw in a period.
#[derive(Clone, Copy, Default)]
struct Seen {
    passed: u32,
    speeds: usize,
    covered_s: u32,
}

#[derive(Clone)]
struct Street {
    /// Speeds of those who are there.
    lanes: [[Option<usize>; CELLS]; 2],
    seen: [[Seen; LINKS * LOOPS.len()]; 2],
}

fn is_green(second: i64) -> bool {
    second % CYCLE_S < GREEN_S
}

fn loop_cell(number: usize) -> usize {
    number / LOOPS.len() * CELLS_OF_A_LINK + LOOPS[number % LOOPS.len()]
}

impl Street {
    fn new() -> Self {
        Self { lanes: [[None; CELLS]; 2], seen: [[Seen::default(); LINKS * LOOPS.len()]; 2] }
    }

    /// Returns how many cells ahead are free, to the stop line of the second link when it is red.
    fn room(&self, lane: usize, cell: usize, second: i64, blocked: bool) -> usize {
        let is_free = |ahead: usize| {
            let red = ahead == 2 * CELLS_OF_A_LINK && !is_green(second);
            let held = blocked && lane == 1 && ahead == BLOCKED;
            !red && !held && self.lanes[lane].get(ahead).is_none_or(Option::is_none)
        };
        (1..=FASTEST).take_while(|step| is_free(cell + step)).count()
    }

    fn step(&mut self, second: i64, blocked: bool) {
        self.change_lanes(second, blocked);
        let before = self.clone();
        self.lanes = [[None; CELLS]; 2];
        for (lane, cell) in (0..CELLS).flat_map(|cell| [(0, cell), (1, cell)]) {
            let Some(speed) = before.lanes[lane][cell] else { continue };
            let passes = blocked && (BLOCKED - FASTEST..=BLOCKED).contains(&cell);
            let fastest = if passes { 1 } else { FASTEST };
            let speed = (speed + 1).min(fastest).min(before.room(lane, cell, second, blocked));
            self.see(lane, cell, speed);
            if let Some(place) = self.lanes[lane].get_mut(cell + speed) {
                *place = Some(speed);
            }
        }
        if COMES.contains(&(second % 5)) {
            self.lanes.iter_mut().for_each(|lane| _ = lane[0].get_or_insert(FASTEST));
        }
    }

    fn change_lanes(&mut self, second: i64, blocked: bool) {
        for (lane, cell) in (0..CELLS).flat_map(|cell| [(0, cell), (1, cell)]) {
            let beside = 1 - lane;
            let is_stuck = self.lanes[lane][cell].is_some() && self.room(lane, cell, second, blocked) == 0;
            let mut behind = cell.saturating_sub(FASTEST)..=cell;
            let is_free = behind.all(|c| self.lanes[beside][c].is_none());
            if is_stuck && is_free && self.room(beside, cell, second, blocked) > 0 {
                self.lanes[beside][cell] = self.lanes[lane][cell].take();
            }
        }
    }

    fn see(&mut self, lane: usize, cell: usize, speed: usize) {
        for (number, seen) in self.seen[lane].iter_mut().enumerate() {
            let at = loop_cell(number);
            if cell < at && cell + speed >= at {
                seen.passed += 1;
                seen.speeds += speed;
            }
            seen.covered_s += u32::from(cell + speed == at);
        }
    }
}

fn network_and_sensors() -> (roadnet::Network, Vec<Sensor>) {
    let mut builder = NetworkBuilder::default();
    let point = |i: usize| Point { lon: 106.6 + 0.0029 * i as f64, lat: 20.85 };
    let nodes: Vec<_> = (0..=LINKS).map(|i| builder.add_node(format!("n{i}"), point(i), true)).collect();
    for i in 0..LINKS {
        let id = LinkId::from(format!("l{i}").as_str());
        let street = NewLink::street(id, nodes[i], nodes[i + 1], vec![point(i), point(i + 1)]);
        let length_m = Some(CELLS_OF_A_LINK as f32 * CELL_M);
        builder
            .add_link(NewLink { length_m, lanes: 2.0, signal_at_end: i == 1, ..street })
            .expect("the link is sound");
    }
    let sensor = |id: String, kind: SensorKind, link: usize, cell: usize| Sensor {
        id: id.as_str().into(),
        kind,
        link: Some(LinkIndex(link as u32)),
        offset_m: Some(cell as f32 * CELL_M),
        lane: None,
        point: None,
        heading_deg: None,
        length_m: 0.0,
        period_s: (kind == SensorKind::Loop).then_some(PERIOD_S as f32),
        format: "native".into(),
    };
    let loops = (0..LINKS * LOOPS.len()).map(|n| (n, n / LOOPS.len(), LOOPS[n % LOOPS.len()]));
    let mut sensors: Vec<Sensor> =
        loops.map(|(n, link, cell)| sensor(format!("loop-{n}"), SensorKind::Loop, link, cell)).collect();
    sensors.push(sensor("signal".to_owned(), SensorKind::Signal, 1, CELLS_OF_A_LINK));
    (builder.build(), sensors)
}

fn observation(second: i64, sensor: &str, link: usize, lane: Option<u8>, reading: Reading) -> Observation {
    let at = START.plus_millis(second * 1000);
    Observation {
        sensor: sensor.into(),
        link: format!("l{link}").as_str().into(),
        seq: None,
        at,
        period_s: matches!(reading, Reading::Aggregate(_)).then_some(PERIOD_S as f32),
        lane,
        offset_m: None,
        received_at: at.plus_millis(2000),
        quality: Quality::GOOD,
        reading,
    }
}

fn told_by(seen: &Seen) -> Reading {
    let speed_kmh = seen.speeds as f32 / seen.passed as f32 * CELL_M * 3.6;
    Reading::Aggregate(Aggregate {
        counts: Some(ClassCounts::from_iter([(VehicleClass::Car, seen.passed)])),
        speed_kmh: (seen.passed > 0).then_some(speed_kmh.max(1.0)),
        speed_mean: Some(SpeedMean::Time),
        occupancy: Some(seen.covered_s as f32 / PERIOD_S as f32),
        ..Aggregate::default()
    })
}

/// Returns the incidents that are told until that second, when the lane is blocked from the other one on.
fn incidents(seconds: i64, blocked_s: i64) -> Vec<TrafficEvent> {
    let (network, sensors) = network_and_sensors();
    let registry = Arc::new(Registry::new(sensors));
    let mut analyzer = Analyzer::new(Arc::new(network), registry, Config::default(), &[0], 1);
    let (mut street, mut changes) = (Street::new(), Changes::default());
    for second in 0..seconds {
        street.step(second, second >= blocked_s);
        let mut readings = Vec::new();
        if is_green(second) != is_green(second + CYCLE_S - 1) {
            let state = if is_green(second) { SignalState::Green } else { SignalState::Red };
            let changed = Reading::Signal(Signal { group: "1".into(), state, cycle_s: None });
            readings.push(observation(second, "signal", 1, None, changed));
        }
        if (second + 1) % PERIOD_S == 0 {
            for (number, lane) in (0..LINKS * LOOPS.len()).flat_map(|n| [(n, 0), (n, 1)]) {
                let seen = std::mem::take(&mut street.seen[lane][number]);
                let (name, link) = (format!("loop-{number}"), number / LOOPS.len());
                readings.push(observation(second + 1, &name, link, Some(lane as u8 + 1), told_by(&seen)));
            }
        }
        readings.into_iter().for_each(|r| feed(&mut analyzer, 0, &Record::Reading(r), &mut changes));
    }
    changes.events.into_iter().filter(|event| event.kind == EventKind::Incident).collect()
}

#[test]
fn a_lane_that_is_blocked_is_told_within_two_minutes_and_a_hundred_ordinary_reds_are_not() {
    const BLOCKED_S: i64 = 100 * CYCLE_S;
    let told = incidents(BLOCKED_S + 300, BLOCKED_S);
    let first = told.first().expect("it is told");
    assert_eq!(first.link.as_ref().map(LinkId::as_str), Some("l1"), "{told:?}");
    let after_s = (first.at - START) / 1000 - BLOCKED_S;
    assert!((0..=120).contains(&after_s), "{after_s} s: {}", first.detail);
    let last = told.last().expect("it is told");
    assert!(
        last.detail.contains("has not moved") && last.detail.contains("fewer than usual"),
        "{}",
        last.detail
    );
}
