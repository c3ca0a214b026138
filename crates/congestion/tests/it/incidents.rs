//! What is told of something that blocks the road.

use congestion::{Analyzer, Changes, Config, IncidentConfig};
use model::{
    Alert, AlertKind, EventChange, EventKind, Observation, Quality, Reading, Timestamp, TrafficEvent,
};

use crate::city::{PARTITIONS, Record, START, blocked_logs, city, feed};
use crate::readings::probe;

/// Minutes of usual traffic, in which somebody stands on the loop of the tenth link for seven.
const MINUTES: i64 = 20;

fn reading(sensor: &str, link: &str, second: i64, reading: Reading) -> Observation {
    let at = START.plus_millis(second * 1000);
    Observation {
        sensor: sensor.into(),
        link: link.into(),
        seq: Some(1_000_000 + second as u64),
        at,
        period_s: None,
        lane: None,
        offset_m: None,
        received_at: at.plus_millis(2000),
        quality: Quality::GOOD,
        reading,
    }
}

/// Returns what is told of incidents on a link, with readings beside the usual ones.
fn told(link: &str, budget: f64, more: Vec<Observation>) -> Vec<TrafficEvent> {
    let city = city();
    let incident =
        IncidentConfig { false_alarms_per_day_per_1000_links: budget, ..IncidentConfig::default() };
    let config = Config { incident, ..Config::default() };
    let owned: Vec<u32> = (0..PARTITIONS).collect();
    let mut analyzer = Analyzer::new(city.network.clone(), city.registry.clone(), config, &owned, PARTITIONS);
    let mut logs = blocked_logs(&city, 3, MINUTES);
    for observation in more {
        logs[city.partition_of(&observation) as usize].push(Record::Reading(observation));
    }
    let mut changes = Changes::default();
    for (partition, log) in logs.iter_mut().enumerate() {
        log.sort_by_key(Record::received_at);
        log.iter().for_each(|record| feed(&mut analyzer, partition as u32, record, &mut changes));
    }
    let on_link = |event: &TrafficEvent| event.link.as_ref().is_some_and(|l| l.as_str() == link);
    changes.events.into_iter().filter(|e| e.kind == EventKind::Incident && on_link(e)).collect()
}

fn second(at: Timestamp) -> i64 {
    (at - START) / 1000
}

#[test]
fn a_detector_that_nobody_leaves_before_a_free_road_is_told_and_cleared() {
    let told = told("l9", 50.0, Vec::new());
    let changes: Vec<EventChange> = told.iter().map(|event| event.change).collect();
    assert_eq!(changes.first(), Some(&EventChange::Opened));
    assert_eq!(changes.last(), Some(&EventChange::Cleared));
    let opened = &told[0];
    assert!((330..540).contains(&second(opened.at)), "{}", second(opened.at));
    assert!(opened.detail.contains("has not moved"), "{}", opened.detail);
    assert!(opened.confidence >= Some(0.5));
    assert!(second(told[told.len() - 1].at) > 1000);
    assert!(
        told.iter().zip(1..).all(|(event, revision)| event.revision == revision && event.id == opened.id)
    );
}

#[test]
fn no_budget_is_no_incident_and_a_small_one_takes_more_evidence() {
    assert!(told("l9", 0.0, Vec::new()).is_empty());
    assert!(told("l9", 0.1, Vec::new()).is_empty());
}

#[test]
fn an_alarm_of_a_device_about_a_stopped_vehicle_is_told_and_others_are_not() {
    let alert = |kind| {
        let alert = Reading::Alert(Alert { kind, confidence: Some(0.9) });
        told("l1", 50.0, vec![reading("cam-1", "l1", 200, alert)])
    };
    let stopped = alert(AlertKind::StoppedVehicle);
    assert_eq!(second(stopped[0].at), 205);
    assert!(stopped[0].detail.contains("alarm"));
    assert!(alert(AlertKind::WrongWay).is_empty());
}

#[test]
fn a_device_that_raises_alarms_all_the_time_is_heard_less_and_less() {
    let alert = || Reading::Alert(Alert { kind: AlertKind::StoppedVehicle, confidence: Some(0.9) });
    let many = (0..60).map(|i| reading("cam-1", "l1", i * 15, alert())).collect();
    let told = told("l1", 50.0, many);
    let last = told.iter().rfind(|event| event.change != EventChange::Cleared).unwrap();
    assert!(told[0].confidence > Some(0.8) && last.confidence < Some(0.3), "{last:?}");
}

#[test]
fn a_vehicle_that_stands_where_many_passed_is_told_and_one_that_waits_at_the_end_is_not() {
    let seen = |vehicle: &str, second: i64, offset_m: f32, speed_kmh: f32| {
        let mut reading = reading("fleet", "l1", second, probe(vehicle, speed_kmh));
        reading.offset_m = Some(offset_m);
        reading
    };
    let stands_at = |offset_m: f32| {
        // Many pass, and then one stays.
        let passed = (0..20).flat_map(|i| {
            (0..3)
                .map(move |step| (format!("passer{i}"), 30 + i * 12 + step * 10, 50.0 + 100.0 * step as f32))
        });
        let mut more: Vec<Observation> = passed.map(|(name, at, x)| seen(&name, at, x, 36.0)).collect();
        more.extend((0..18).map(|step| seen("stayer", 360 + step * 10, offset_m, 0.0)));
        more.iter_mut().zip(0..).for_each(|(reading, i)| reading.seq = Some(2_000_000 + i));
        told("l1", 50.0, more)
    };
    let told = stands_at(120.0);
    assert!(told[0].detail.contains("stood"), "{told:?}");
    assert!(second(told[0].at) < 560);
    assert!(stands_at(280.0).is_empty());
}
