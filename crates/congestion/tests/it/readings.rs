//! What each kind of reading does, alone and mixed with any other.

use congestion::{Analyzer, Changes, Config};
use model::{
    Aggregate, ClassCounts, EventKind, LinkState, Observation, Passage, Probe, Quality, Queue, Reading,
    Signal, SignalState, Source, SpeedMean, Timestamp, TrafficEvent, TravelTime, VehicleClass,
};
use proptest::prelude::*;

use crate::city::{City, Dice, PARTITIONS, Record, START, city, feed, logs};

/// A city that is told what a test wants, second by second.
struct Stage {
    city: City,
    analyzer: Analyzer,
    events: Vec<TrafficEvent>,
    states: Vec<LinkState>,
    seq: u64,
}

impl Stage {
    fn new() -> Self {
        let city = city();
        let analyzer = city.whole();
        Self { city, analyzer, events: Vec::new(), states: Vec::new(), seq: 1_000_000 }
    }

    /// The jam of the usual city, until that second.
    fn after_usual_traffic(seconds: i64) -> Self {
        let mut stage = Self::new();
        for (partition, log) in logs(&stage.city, 3, seconds / 60).iter().enumerate() {
            for record in log.iter().filter(|r| r.received_at() <= START.plus_millis(seconds * 1000)) {
                feed(&mut stage.analyzer, partition as u32, record, &mut Changes::default());
            }
        }
        stage.pass(seconds as f64);
        stage
    }

    fn tell(&mut self, second: f64, sensor: &str, link: &str, reading: Reading) {
        self.tell_with(second, sensor, link, reading, |_| {});
    }

    fn tell_with(
        &mut self,
        second: f64,
        sensor: &str,
        link: &str,
        reading: Reading,
        change: impl FnOnce(&mut Observation),
    ) {
        let at = START.plus_millis((second * 1000.0) as i64);
        self.seq += 1;
        let mut observation = Observation {
            sensor: sensor.into(),
            link: link.into(),
            seq: Some(self.seq),
            at,
            period_s: matches!(reading, Reading::Aggregate(_)).then_some(30.0),
            lane: None,
            offset_m: None,
            received_at: at,
            quality: Quality::GOOD,
            reading,
        };
        change(&mut observation);
        let partition = self.city.partition_of(&observation);
        let mut changes = Changes::default();
        feed(&mut self.analyzer, partition, &Record::Reading(observation), &mut changes);
        self.keep(changes);
    }

    /// Lets the clocks of all partitions pass that second.
    fn pass(&mut self, second: f64) {
        let at = START.plus_millis((second * 1000.0) as i64 + 1);
        for partition in 0..PARTITIONS {
            let changes = self.analyzer.advance(partition, at);
            self.keep(changes);
        }
    }

    fn keep(&mut self, changes: Changes) {
        self.states.extend(changes.states);
        self.events.extend(changes.events);
    }

    fn state(&self, link: &str) -> LinkState {
        self.analyzer.snapshot().find(|state| state.link.as_str() == link).expect("a link of the city")
    }
}

fn passage(class: VehicleClass, speed_kmh: Option<f32>) -> Reading {
    Reading::Passage(Passage { class, speed_kmh, length_m: None, headway_s: None, wrong_way: false })
}

fn aggregate(cars: u32, speed_kmh: f32) -> Aggregate {
    Aggregate {
        counts: Some(ClassCounts::from_iter([(VehicleClass::Car, cars)])),
        speed_kmh: Some(speed_kmh),
        occupancy: Some(0.05),
        ..Aggregate::default()
    }
}

pub(crate) fn probe(vehicle: &str, speed_kmh: f32) -> Reading {
    Reading::Probe(Probe {
        vehicle: vehicle.into(),
        lon: 106.6,
        lat: 20.85,
        heading_deg: None,
        speed_kmh: Some(speed_kmh),
        class: None,
        in_service: None,
    })
}

fn signal() -> Reading {
    Reading::Signal(Signal { group: "g".into(), state: SignalState::Green, cycle_s: None })
}

/// Names what a reader could not use.
fn nonsense(state: &LinkState) -> Option<String> {
    let numbers = [
        ("speed", state.speed_kmh, 60.0),
        ("lo", state.speed_lo_kmh, 60.0),
        ("hi", state.speed_hi_kmh, 61.0),
        ("flow", state.flow_vph, f32::MAX),
        ("flow_pcuph", state.flow_pcuph, f32::MAX),
        ("flow_mcuph", state.flow_mcuph, f32::MAX),
        ("density", state.density_vpkm, f32::MAX),
        ("travel_time", state.travel_time_s, f32::MAX),
        ("delay", state.delay_s, f32::MAX),
        ("queue", state.queue_m, 50_000.0),
        ("age", state.age_s, 86_400.0),
    ];
    let wrong =
        numbers.into_iter().find(|(_, value, most)| value.is_some_and(|v| !(0.0..=*most).contains(&v)));
    wrong.map(|(what, value, _)| format!("{} has {what} {value:?}", state.link))
}

/// A reading of any kind, some of whose numbers no device should send.
fn any_reading(dice: &mut Dice) -> Reading {
    const NUMBERS: [f32; 12] =
        [0.0, 0.01, 0.5, 1.0, 7.0, 33.0, 250.0, 1e30, -4.0, f32::NAN, f32::INFINITY, f32::NEG_INFINITY];
    let classes = VehicleClass::ALL;
    let class = classes[dice.below(classes.len() as u64) as usize];
    let mut number = || Some(NUMBERS[dice.below(12) as usize]).filter(|_| dice.below(5) > 0);
    let (a, b, c) = (number(), number(), number());
    match dice.below(6) {
        0 => Reading::Aggregate(Aggregate {
            counts: (dice.below(4) > 0).then(|| ClassCounts::from_iter([(class, dice.below(40) as u32)])),
            speed_kmh: a,
            speed_mean: (dice.below(2) > 0).then_some(SpeedMean::Time),
            occupancy: b,
            queue_m: c,
            headway_s: None,
        }),
        1 => passage(class, a),
        2 => probe("v", a.unwrap_or(f32::NAN)),
        3 => Reading::Queue(Queue { queue_m: a, ..Queue::default() }),
        4 => signal(),
        _ => Reading::Aggregate(aggregate(dice.below(30) as u32, dice.below(60) as f32)),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, ..ProptestConfig::default() })]

    #[test]
    fn every_told_number_is_one_whatever_the_sensors_say(seed: u64) {
        let mut dice = Dice(seed);
        let mut stage = Stage::new();
        for i in 0..800 {
            let link = dice.below(12);
            let sensor = match dice.below(5) {
                0 => format!("loop-{}", link / 3 * 3),
                1 => format!("cam-{}", link / 3 * 3 + 1),
                2 => "fleet".to_owned(),
                3 => "nobody".to_owned(),
                _ => format!("cam-{}", dice.below(4) * 3 + 1),
            };
            let reading = any_reading(&mut dice);
            let period_s = [Some(30.0), None, Some(0.0), Some(f32::NAN), Some(1e-30)][dice.below(5) as usize];
            let lane = [None, Some(1), Some(2)][dice.below(3) as usize];
            stage.tell_with(f64::from(i), &sensor, &format!("l{link}"), reading, |o| {
                (o.period_s, o.lane, o.offset_m) = (period_s, lane, Some(f32::NAN));
            });
        }
        stage.pass(800.0);
        stage.pass(9000.0);
        let told: Vec<LinkState> = stage.states.iter().cloned().chain(stage.analyzer.snapshot()).collect();
        prop_assert!(told.len() > 100);
        prop_assert_eq!(told.iter().find_map(nonsense), None);
        for event in &stage.events {
            prop_assert!(event.queue_m.is_none_or(f32::is_finite) && event.delay_veh_h.is_none_or(f32::is_finite));
        }
    }
}

#[test]
fn a_passage_that_a_camera_tells_leaves_the_city_as_it_is() {
    let mut stage = Stage::after_usual_traffic(300);
    let before = stage.state("l0");
    stage.tell(300.1, "cam-1", "l1", passage(VehicleClass::Motorcycle, Some(31.0)));
    stage.pass(600.0);
    for state in stage.analyzer.snapshot() {
        assert_eq!(nonsense(&state), None);
        assert!(state.speed_kmh.is_some_and(|v| v < 50.0), "{state:?}");
    }
    assert_eq!(before.speed_kmh.map(f32::is_finite), Some(true));
}

#[test]
fn passages_alone_make_a_counting_sensor_with_the_right_flow() {
    let mut stage = Stage::new();
    for i in 0..600 {
        stage.tell(f64::from(i) / 10.0, "loop-3", "l3", passage(VehicleClass::Motorcycle, Some(32.0)));
    }
    stage.pass(60.0);
    let state = stage.state("l3");
    let flow_vph = state.flow_vph.expect("a flow");
    assert!((flow_vph / 36_000.0 - 1.0).abs() < 0.03, "{flow_vph}");
    assert!((state.flow_pcuph.expect("a flow") / flow_vph - 0.3).abs() < 0.01);
    assert_eq!(state.source, Source::Observed);
    assert!(state.speed_kmh.is_some_and(|v| (20.0..45.0).contains(&v)), "{state:?}");
}

#[test]
fn vehicles_that_a_device_counts_and_tells_one_by_one_count_once() {
    let told = |passages: bool| {
        let mut stage = Stage::new();
        for period in 1..=4 {
            for i in 0..10 {
                if passages {
                    let at = f64::from(period * 30 - 29) + f64::from(i);
                    stage.tell(at, "loop-3", "l3", passage(VehicleClass::Car, Some(32.0)));
                }
            }
            stage.tell(f64::from(period * 30), "loop-3", "l3", Reading::Aggregate(aggregate(10, 32.0)));
        }
        stage.pass(120.0);
        let state = stage.state("l3");
        (state.flow_vph, state.speed_kmh)
    };
    assert_eq!(told(false).0, Some(1200.0));
    assert_eq!(told(true), told(false));
}

#[test]
fn an_hour_after_its_last_reading_a_jam_is_not_told_any_more() {
    let mut stage = Stage::after_usual_traffic(720);
    assert_eq!(stage.state("l7").congested, Some(true));
    // Its signal still speaks, and so does a loop four links from it.
    for second in (750..=720 + 3600).step_by(30) {
        stage.tell(
            f64::from(second),
            "loop-3",
            "l3",
            Reading::Aggregate(aggregate(4, 40.0 + (second % 7) as f32)),
        );
        stage.tell(f64::from(second), "signal-7", "l7", signal());
        stage.pass(f64::from(second));
        if second == 1350 {
            assert_eq!(stage.state("l7").congested, Some(true), "ten minutes are no reason to forget a jam");
        }
    }
    let state = stage.state("l7");
    assert_eq!((state.congested, state.source), (Some(false), Source::Estimated));
}

#[test]
fn when_all_sensors_fall_silent_the_city_is_unknown_and_not_green() {
    let silent = |state: &LinkState| {
        state.source == Source::None
            && state.speed_kmh.or(state.flow_vph).or(state.queue_m).or(state.delay_s).is_none()
            && (state.level_of_service, state.congested) == (None, None)
            && state.free_flow_speed_kmh == Some(50.0)
    };
    let mut stage = Stage::new();
    stage.pass(0.0);
    stage.pass(60.0);
    assert!(stage.analyzer.snapshot().all(|state| silent(&state)), "nothing was heard yet");
    let mut stage = Stage::after_usual_traffic(600);
    assert!(stage.analyzer.snapshot().all(|state| state.source != Source::None));
    (605..1300).step_by(5).for_each(|second| stage.pass(f64::from(second)));
    for state in stage.analyzer.snapshot() {
        assert!(silent(&state), "{state:?}");
    }
    let last = stage.states.iter().rev().find(|s| s.link.as_str() == "l0").expect("news of l0");
    assert_eq!(last.source, Source::None, "it is told, too");
}

#[test]
fn who_was_seen_for_a_day_and_falls_silent_is_told_by_its_profile_and_a_crash_changes_nothing() {
    const DAY_S: i64 = 26 * 3600;
    let mut stage = Stage::new();
    for second in (60..=DAY_S).step_by(60) {
        // Exactly the same again and again would be a stuck device.
        let speed_kmh = 20.0 + (second % 120) as f32 / 1000.0;
        stage.tell(second as f64, "loop-0", "l0", Reading::Aggregate(aggregate(3, speed_kmh)));
    }
    stage.pass(DAY_S as f64);
    assert_eq!(stage.state("l0").source, Source::Observed);
    stage.pass((DAY_S + 1230) as f64);
    let state = stage.state("l0");
    assert_eq!((state.source, state.flow_vph, state.age_s), (Source::Profile, None, None));
    let [slow, speed, fast] = [state.speed_lo_kmh, state.speed_kmh, state.speed_hi_kmh].map(Option::unwrap);
    assert!(slow < speed && speed < fast && (12.0..25.0).contains(&speed), "{state:?}");
    assert_eq!(stage.state("l9").source, Source::None, "nobody has ever seen it");
    let (city, bytes) = (&stage.city, stage.analyzer.checkpoint());
    let (network, registry) = (city.network.clone(), city.registry.clone());
    let mut restored = Analyzer::restore(network, registry, Config::default(), &bytes).unwrap();
    let at = START.plus_millis((DAY_S + 2000) * 1000);
    for partition in 0..PARTITIONS {
        assert_eq!(stage.analyzer.advance(partition, at).states, restored.advance(partition, at).states);
    }
    assert!(stage.analyzer.snapshot().eq(restored.snapshot()));
}

const HOUR_S: i64 = 3600;

/// Two days and an hour in which traffic stands in the second hour of each day where a loop is told to see that; on the third day the others
/// go on.
fn two_days(config: Config, silent: bool) -> Stage {
    let mut stage = Stage::new();
    let (network, registry) = (stage.city.network.clone(), stage.city.registry.clone());
    let all: Vec<u32> = (0..PARTITIONS).collect();
    stage.analyzer = Analyzer::new(network, registry, config, &all, PARTITIONS);
    for second in (60..=49 * HOUR_S + 1800).step_by(60) {
        // Exactly the same again and again would be a stuck device.
        let chance = (second % 120) as f32 / 1000.0;
        stage.tell(second as f64, "loop-0", "l0", Reading::Aggregate(aggregate(3, 44.0 + chance)));
        if second < 48 * HOUR_S || !silent {
            let is_rush = second / HOUR_S % 24 == 1;
            let (cars, speed_kmh) = if is_rush { (1, 5.0) } else { (3, 45.0) };
            stage.tell(
                second as f64,
                "loop-3",
                "l3",
                Reading::Aggregate(aggregate(cars, speed_kmh + chance)),
            );
        }
        if second == 49 * HOUR_S - 300 {
            stage.pass(second as f64);
            stage.states = stage.analyzer.snapshot().collect();
        }
    }
    stage.pass((49 * HOUR_S + 1800) as f64);
    stage
}

fn speed_kmh(state: &LinkState) -> f32 {
    state.speed_kmh.expect("a speed")
}

#[test]
fn a_link_that_has_fallen_silent_is_estimated_by_what_is_usual_of_it_at_that_hour() {
    let stage = two_days(Config::default(), true);
    let (before, rush) = (&stage.states[3], stage.state("l3"));
    assert_eq!((before.source, rush.source), (Source::Estimated, Source::Estimated));
    let [before, rush] = [before, &rush].map(speed_kmh);
    assert!(rush < 0.7 * before, "{rush} in the rush hour, {before} before it");
}

#[test]
fn a_jam_that_comes_each_day_at_that_hour_is_no_news_to_its_neighbours() {
    let usual = two_days(Config::default(), false);
    let mut config = Config::default();
    config.parts.weekly = false;
    let other = two_days(config, false);
    let [expected, news] = [&usual, &other].map(|stage| speed_kmh(&stage.state("l4")));
    assert_eq!(usual.state("l3").congested, Some(true));
    assert!(
        expected > news + 0.5,
        "{expected} beside a jam that was expected, {news} beside one that was not"
    );
}

#[test]
fn a_guess_is_carried_six_turns_and_no_queue_is_told_that_nobody_sees() {
    let mut stage = Stage::new();
    for second in (30..=900).step_by(30) {
        let speed_kmh = 4.0 + (second % 60) as f32 / 100.0;
        stage.tell(f64::from(second), "loop-0", "l0", Reading::Aggregate(aggregate(3, speed_kmh)));
        stage.pass(f64::from(second));
    }
    let sources: Vec<_> = stage.analyzer.snapshot().map(|state| state.source).collect();
    assert_eq!(sources[0], Source::Observed);
    assert!(sources[1..=6].iter().all(|&source| source == Source::Estimated), "{sources:?}");
    assert!(sources[7..].iter().all(|&source| source == Source::None), "{sources:?}");
    for event in stage.events.iter().filter(|event| event.kind == EventKind::Queue) {
        assert!(event.links.iter().any(|link| link.as_str() == "l0"), "{event:?}");
    }
}

/// A jam that only probes see: nobody counts anywhere.
fn jam_without_counts() -> Stage {
    let mut stage = Stage::new();
    for second in (0..600).step_by(5) {
        for link in ["l4", "l5", "l6"] {
            stage.tell(f64::from(second), "fleet", link, probe(&format!("v{}", second % 3), 1.5));
        }
    }
    stage.pass(600.0);
    stage
}

#[test]
fn a_queue_whose_length_nobody_can_know_is_not_told() {
    let state = jam_without_counts().state("l5");
    assert_eq!(state.congested, Some(true));
    assert_eq!((state.queue_m, state.flow_vph), (None, None));
}

#[test]
fn the_time_lost_in_a_queue_is_not_told_where_no_flow_is_known() {
    let lost = |stage: &Stage| {
        let queues = stage.events.iter().filter(|e| e.kind == EventKind::Queue);
        queues.map(|e| e.delay_veh_h).collect::<Vec<_>>()
    };
    let unknown = lost(&jam_without_counts());
    assert!(!unknown.is_empty() && unknown.iter().all(Option::is_none), "{unknown:?}");
}

#[test]
fn a_queue_in_an_aggregate_is_a_queue() {
    let told = |queue_m: Option<f32>| {
        let mut stage = Stage::new();
        for second in (30..=120).step_by(30) {
            let reading = Aggregate { queue_m, ..aggregate(5, 20.0) };
            stage.tell(f64::from(second), "cam-4", "l4", Reading::Aggregate(reading));
        }
        stage.pass(120.0);
        stage.state("l4").queue_m
    };
    assert_eq!(told(Some(31.0)), Some(31.0));
    assert_ne!(told(None), Some(31.0));
}

#[test]
fn a_time_mean_is_slower_than_the_space_mean_of_the_same_number() {
    let told = |speed_mean| {
        let mut stage = Stage::new();
        for second in (30..=300).step_by(30) {
            let speed_kmh = 30.0 + (second % 60) as f32 / 100.0;
            let reading = Aggregate { speed_mean: Some(speed_mean), ..aggregate(10, speed_kmh) };
            stage.tell(f64::from(second), "loop-9", "l9", Reading::Aggregate(reading));
        }
        stage.pass(300.0);
        stage.state("l9").speed_kmh.expect("a speed")
    };
    let (time, space) = (told(SpeedMean::Time), told(SpeedMean::Space));
    assert!(time < space && time > 0.97 * space, "{time} {space}");
}

#[test]
fn a_partition_that_runs_ahead_keeps_only_what_changed() {
    let mut stage = Stage::new();
    stage.tell(0.0, "fleet", "l2", probe("v", 20.0));
    let partition = stage.city.network.partition(stage.city.network.find("l2").expect("a link"), PARTITIONS);
    let mut bytes_at = |second: i64| {
        stage.analyzer.advance(partition, START.plus_millis(second * 1000 + 1));
        stage.analyzer.checkpoint().len()
    };
    // The probe grows older, but tells the same: its age alone is no reason for another copy of 88 bytes, beside the 104 of what is
    // typical that each boundary keeps.
    let (before, after) = (bytes_at(40), bytes_at(100));
    let copies = 12;
    assert!(after > before && after - before < copies * 108, "{} bytes", after - before);
}

#[test]
fn a_state_says_what_is_doubtful_about_its_readings() {
    let quality = |stage: &Stage| stage.state("l3").quality;
    let mut stage = Stage::new();
    stage.tell(30.0, "loop-3", "l3", Reading::Aggregate(aggregate(5, 30.0)));
    stage.pass(31.0);
    assert_eq!(quality(&stage), Quality::GOOD);
    stage.tell_with(60.0, "loop-3", "l3", Reading::Aggregate(aggregate(5, 31.0)), |o| {
        o.quality = Quality::VALUE_REMOVED;
    });
    stage.pass(61.0);
    assert_eq!(quality(&stage), Quality::VALUE_REMOVED);
    stage.pass(140.0);
    assert_eq!(quality(&stage), Quality::VALUE_REMOVED.with(Quality::STALE));

    let mut stuck = Stage::new();
    for second in (30..=600).step_by(30) {
        stuck.tell(f64::from(second), "loop-3", "l3", Reading::Aggregate(aggregate(5, 30.0)));
    }
    stuck.pass(605.0);
    assert_eq!(quality(&stuck), Quality::SENSOR_SUSPECT);
    let last: Timestamp = stuck.states.last().expect("news").valid_at;
    assert!(last > START);
}

/// What is told of l11 and of l10 after a pair from l9 to l11 has told times for some minutes.
fn after_pair_times(seconds: impl Fn(u32) -> Option<f32>, vehicles: u32) -> (LinkState, LinkState) {
    let mut stage = Stage::after_usual_traffic(600);
    for (i, second) in (610..=700).step_by(30).enumerate() {
        if let Some(seconds) = seconds(i as u32) {
            let travel = TravelTime {
                from_sensor: "plates-9".into(),
                to_sensor: "plates-11".into(),
                seconds,
                vehicles: Some(vehicles),
            };
            stage.tell(f64::from(second), "plates-11", "l11", Reading::TravelTime(travel));
        }
        stage.pass(f64::from(second));
    }
    stage.pass(715.0);
    (stage.state("l11"), stage.state("l10"))
}

#[test]
fn a_travel_time_that_is_longer_than_the_known_links_explain_slows_the_unknown_one() {
    let (without, known_without) = after_pair_times(|_| None, 0);
    let (slow, known_slow) = after_pair_times(|_| Some(300.0), 5);
    assert_eq!(slow.congested, Some(true), "{slow:?}");
    assert!(slow.speed_kmh.unwrap() < 0.5 * without.speed_kmh.unwrap(), "{slow:?} {without:?}");
    assert_eq!(known_slow, known_without);
}

#[test]
fn one_vehicle_that_stopped_on_the_way_makes_no_jam() {
    let (without, _) = after_pair_times(|_| None, 0);
    let (usual, _) = after_pair_times(|_| Some(90.0), 3);
    let (stopped, _) = after_pair_times(|i| Some(if i == 1 { 2000.0 } else { 90.0 }), 3);
    let share = |a: &LinkState, b: &LinkState| a.speed_kmh.unwrap() / b.speed_kmh.unwrap();
    assert!((share(&stopped, &usual) - 1.0).abs() < 0.1, "{stopped:?} {usual:?}");
    let (alone, _) = after_pair_times(|i| (i == 1).then_some(2000.0), 1);
    assert!((share(&alone, &without) - 1.0).abs() < 0.1, "{alone:?} {without:?}");
}

#[test]
fn a_bus_at_its_stop_makes_no_jam_and_a_car_that_stands_does() {
    let speed_kmh = |class: Option<VehicleClass>| {
        let mut stage = Stage::after_usual_traffic(600);
        for second in (600..660).step_by(10) {
            if let Some(class) = class {
                let Reading::Probe(standing) = probe("b", 0.0) else { unreachable!("a probe is one") };
                let reading = Reading::Probe(Probe { class: Some(class), ..standing });
                stage.tell(f64::from(second), "fleet", "l2", reading);
            }
        }
        stage.pass(665.0);
        stage.state("l2").speed_kmh.expect("a speed")
    };
    let (nobody, bus, car) =
        (speed_kmh(None), speed_kmh(Some(VehicleClass::Bus)), speed_kmh(Some(VehicleClass::Car)));
    assert!((bus - nobody).abs() < 0.5 && car < 0.8 * nobody, "{nobody} {bus} {car}");
}
