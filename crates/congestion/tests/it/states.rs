//! What single readings do to states.

use congestion::Changes;
use model::{
    Aggregate, ClassCounts, EventChange, EventKind, LevelOfService, LinkState, Observation, Quality, Reading,
    Source, Timestamp, VehicleClass,
};

use crate::city::{PARTITIONS, Record, START, city, feed, logs};

fn state(analyzer: &congestion::Analyzer, link: &str) -> LinkState {
    analyzer.snapshot().find(|state| state.link.as_str() == link).expect("a link of the city")
}

/// Feeds all logs up to that second and closes the boundary there.
pub(crate) fn until(second: i64, change: impl Fn(&mut Observation)) -> congestion::Analyzer {
    folded(second, change).0
}

fn folded(second: i64, change: impl Fn(&mut Observation)) -> (congestion::Analyzer, Changes) {
    let city = city();
    let mut analyzer = city.whole();
    let mut changes = Changes::default();
    let end = START.plus_millis(second * 1000);
    for (partition, log) in logs(&city, 3, 12.max(second / 60 + 1)).iter().enumerate() {
        for record in log.iter().filter(|record| record.received_at() <= end) {
            let mut record = record.clone();
            if let Record::Reading(observation) = &mut record {
                change(observation);
            }
            feed(&mut analyzer, partition as u32, &record, &mut changes);
        }
        let last = analyzer.advance(partition as u32, end.plus_millis(1));
        changes.events.extend(last.events);
    }
    (analyzer, changes)
}

#[test]
fn a_jam_is_congested_and_free_flow_is_not() {
    let analyzer = until(600, |_| {});
    let (jam, free) = (state(&analyzer, "l6"), state(&analyzer, "l0"));
    assert_eq!((jam.congested, free.congested), (Some(true), Some(false)));
    assert_eq!(jam.level_of_service, Some(LevelOfService::F));
    assert!(jam.speed_kmh.unwrap() < 15.0 && free.speed_kmh.unwrap() > 25.0);
}

#[test]
fn a_queue_is_traced_to_its_head_and_told_once_until_it_changes() {
    let (_, changes) = folded(700, |_| {});
    let queues: Vec<_> = changes.events.iter().filter(|e| e.kind == EventKind::Queue).collect();
    let first = queues[0];
    assert_eq!((first.revision, first.change), (1, EventChange::Opened));
    // The jam ends at l7, behind which traffic runs.
    let last = queues.iter().rev().find(|e| e.change != EventChange::Cleared).expect("an open queue");
    assert_eq!(last.head_link.as_ref().map(|link| link.as_str()), Some("l7"));
    assert_eq!(last.tail_link.as_ref().map(|link| link.as_str()), Some("l4"));
    assert!(last.confidence.is_some_and(|p| (0.4..=1.0).contains(&p)), "{:?}", last.confidence);
    let (vehicles, persons) = (last.delay_veh_h.expect("counted"), last.delay_person_h.expect("counted"));
    assert!(persons > 1.2 * vehicles && persons < 25.0 * vehicles, "{persons} person h of {vehicles} veh h");
    let mut names: Vec<_> = queues.iter().map(|e| (&e.id, e.revision)).collect();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), queues.len(), "(id, revision) names a change");
}

#[test]
fn a_queue_that_fills_its_link_is_told_as_spillback_with_the_links_that_it_blocks() {
    let (_, changes) = folded(700, |o| {
        if let Reading::Queue(queue) = &mut o.reading
            && o.link.as_str() == "l7"
            && o.at > START.plus_millis(300_000)
        {
            queue.queue_m = Some(300.0);
        }
    });
    let spillbacks: Vec<_> = changes.events.iter().filter(|e| e.kind == EventKind::Spillback).collect();
    assert_eq!(spillbacks.len(), 1);
    assert_eq!(spillbacks[0].link.as_ref().map(|link| link.as_str()), Some("l7"));
    assert_eq!(spillbacks[0].links, ["l6".into()]);
    assert_eq!(spillbacks[0].blocks_in_s, Some(0.0));
}

#[test]
fn a_queue_that_grows_evenly_is_warned_of_before_it_fills_its_link() {
    let begins = START.plus_millis(300_000);
    let (_, changes) = folded(900, |o| {
        if let Reading::Queue(queue) = &mut o.reading
            && o.link.as_str() == "l7"
            && o.at > begins
        {
            // A metre a second on a link of 300 m.
            queue.queue_m = Some(((o.at - begins) as f32 / 1000.0).min(300.0));
        }
    });
    let told: Vec<_> = changes.events.iter().filter(|e| e.kind == EventKind::Spillback).collect();
    let (warning, block) = (told[0], told[1]);
    assert_eq!((warning.change, block.change), (EventChange::Opened, EventChange::Updated));
    assert_eq!((&warning.id, warning.revision, block.revision), (&block.id, 1, 2));
    assert_eq!(block.blocks_in_s, Some(0.0));
    let ahead_s = (block.at - warning.at) as f32 / 1000.0;
    let said_s = warning.blocks_in_s.expect("a warning says how long it takes");
    assert!(ahead_s >= 60.0 && (said_s - ahead_s).abs() < 90.0, "said {said_s} s, took {ahead_s} s");
    assert!(warning.confidence < block.confidence);
}

#[test]
fn a_silent_and_a_stuck_sensor_are_named_and_no_other() {
    let (_, changes) = folded(700, |o| {
        if o.sensor.as_str() == "loop-0" && o.at > START.plus_millis(200_000) {
            // Its link's name is not of this network: nothing of it arrives any more.
            o.link = "elsewhere".into();
        }
        if let ("cam-1", Reading::Aggregate(aggregate)) = (o.sensor.as_str(), &mut o.reading) {
            (aggregate.speed_kmh, aggregate.occupancy) = (Some(31.3), Some(0.07));
            aggregate.counts = Some(ClassCounts::from_iter([(VehicleClass::Car, 4)]));
        }
    });
    let faults = changes.events.iter().filter(|e| e.kind == EventKind::SensorFault);
    let mut named: Vec<_> =
        faults.map(|e| (e.sensor.clone().expect("a sensor"), e.detail.as_str())).collect();
    named.sort();
    let names: Vec<_> = named.iter().map(|(sensor, detail)| (sensor.as_str(), &detail[..5])).collect();
    assert_eq!(names, [("cam-1", "stuck"), ("loop-0", "silen")]);
}

#[test]
fn a_loop_that_sees_nobody_is_named_and_moves_its_link_no_more() {
    let blind = |o: &mut Observation| {
        if let ("loop-3", Reading::Aggregate(aggregate)) = (o.sensor.as_str(), &mut o.reading)
            && o.at > START.plus_millis(600_000)
        {
            *aggregate = Aggregate {
                counts: Some(ClassCounts::default()),
                occupancy: Some(0.0),
                ..Aggregate::default()
            };
        }
    };
    let (analyzer, changes) = folded(2000, blind);
    let faults: Vec<_> = changes.events.iter().filter(|e| e.kind == EventKind::SensorFault).collect();
    let names: Vec<_> =
        faults.iter().map(|e| (e.sensor.as_ref().map(|s| s.as_str()), &e.detail[..5])).collect();
    assert_eq!(names, [(Some("loop-3"), "blind")]);
    let state = state(&analyzer, "l3");
    assert!(state.quality.has(Quality::SENSOR_SUSPECT), "{state:?}");
    assert!(state.flow_vph.is_none_or(|flow| flow > 100.0), "{state:?}");
}

#[test]
fn a_link_without_sensors_is_estimated_and_says_so() {
    let analyzer = until(600, |o| {
        // Nobody drives on l11 with a fleet's device.
        if o.link.as_str() == "l11" {
            o.link = "l10".into();
        }
    });
    let state = state(&analyzer, "l11");
    assert_eq!((state.source, state.age_s), (Source::Estimated, None));
    assert!(state.speed_kmh.is_some() && state.flow_vph.is_some());
}

#[test]
fn every_interval_holds_its_speed() {
    for state in until(600, |_| {}).snapshot() {
        let (lo, v, hi) =
            (state.speed_lo_kmh.unwrap(), state.speed_kmh.unwrap(), state.speed_hi_kmh.unwrap());
        assert!(lo <= v && v <= hi, "{}: {lo} {v} {hi}", state.link);
    }
}

#[test]
fn a_clock_that_is_two_days_ahead_moves_no_clock_but_its_own() {
    let usual = until(600, |_| {});
    let wrong = until(600, |o| {
        if o.sensor.as_str() == "loop-0" {
            o.at = o.at.plus_millis(2 * 86_400_000);
        }
    });
    for link in ["l1", "l3", "l6", "l10"] {
        assert_eq!(state(&usual, link), state(&wrong, link));
    }
}

#[test]
fn a_clock_that_is_90_seconds_behind_is_put_right() {
    let usual = state(&until(600, |_| {}), "l0");
    let wrong = state(
        &until(600, |o| {
            if o.sensor.as_str() == "loop-0" {
                o.at = o.at.plus_millis(-90_000);
            }
        }),
        "l0",
    );
    assert!((usual.flow_vph.unwrap() - wrong.flow_vph.unwrap()).abs() < 0.2 * usual.flow_vph.unwrap());
}

#[test]
fn a_late_reading_updates_its_own_window() {
    let city = city();
    let mut analyzer = city.whole();
    let link = "l0";
    let partition = city.network.partition(city.network.find(link).unwrap(), PARTITIONS);
    let logs = logs(&city, 5, 6);
    let readings: Vec<&Record> = logs[partition as usize]
        .iter()
        .filter(|r| matches!(r, Record::Reading(o) if o.sensor.as_str() == "loop-0"))
        .collect();
    let at = |ms: i64| START.plus_millis(ms);
    let (held, passed) = readings.split_last().unwrap();
    let mut changes = Changes::default();
    passed.iter().for_each(|record| feed(&mut analyzer, partition, record, &mut changes));
    let all = |analyzer: &mut congestion::Analyzer, time: Timestamp| {
        (0..PARTITIONS).for_each(|p| drop(analyzer.advance(p, time)));
    };
    all(&mut analyzer, at(430_001));
    let before = state(&analyzer, link);
    let Record::Reading(held) = held else { unreachable!("filtered above") };
    let late = Observation { received_at: at(430_100), ..held.clone() };
    feed(&mut analyzer, partition, &Record::Reading(late), &mut changes);
    all(&mut analyzer, at(430_251));
    let after = state(&analyzer, link);
    assert_ne!(before.flow_vph, after.flow_vph);
    assert_eq!(after.age_s, Some((at(430_250) - held.at) as f32 / 1000.0));
}

#[test]
fn a_reading_that_is_later_than_the_lateness_counts_for_nothing() {
    let mut analyzer = until(700, |_| {});
    let before = state(&analyzer, "l0");
    let city = city();
    let partition = city.network.partition(city.network.find("l0").unwrap(), PARTITIONS);
    let probe = logs(&city, 3, 1).concat().into_iter().find_map(|record| match record {
        Record::Reading(o) if o.sensor.as_str() == "loop-0" => Some(o),
        _ => None,
    });
    let mut old = probe.unwrap();
    old.seq = Some(9_999_999);
    old.received_at = START.plus_millis(700_001);
    analyzer.observe(partition, &old);
    analyzer.advance(partition, START.plus_millis(700_251));
    let after = state(&analyzer, "l0");
    assert_eq!((before.flow_vph, before.speed_kmh), (after.flow_vph, after.speed_kmh));
}

#[test]
fn free_flow_is_the_posted_limit_and_where_there_is_none_what_is_driven() {
    let analyzer = until(1800, |_| {});
    let kmh = |link: &str| state(&analyzer, link).free_flow_speed_kmh.expect("always told");
    assert_eq!(kmh("l10"), 50.0);
    // Speeds there are 35 to 43 km/h.
    assert!((37.0..43.0).contains(&kmh("l11")), "{}", kmh("l11"));
    let foretold = analyzer.forecasts().into_iter().find(|forecast| forecast.link.as_str() == "l11");
    let foretold_kmh = foretold.expect("probes drive there").free_flow_speed_kmh;
    assert!((37.0..43.0).contains(&foretold_kmh), "a forecast is judged by the same: {foretold_kmh}");
}
