//! The same logs give the same bytes.

use std::sync::Arc;

use congestion::{Analyzer, Changes, Config, PartsConfig, RestoreError};
use model::{EventKind, Forecast, LinkState, TrafficEvent};
use proptest::prelude::*;
use roadnet::{LinkIndex, Registry};

use crate::city::{City, Dice, PARTITIONS, Record, START, blocked_logs, city, day_log, feed};

/// Minutes of traffic in a case: enough for windows to move and queues to open.
const MINUTES: i64 = 9;

/// What came out, in an order that does not tell who was fed first.
#[derive(Debug, PartialEq)]
struct Outcome {
    states: Vec<LinkState>,
    events: Vec<TrafficEvent>,
    forecasts: Vec<Forecast>,
    checkpoint: Vec<u8>,
}

fn outcome(analyzer: &Analyzer, mut changes: Changes) -> Outcome {
    changes.states.sort_by(|a, b| (a.valid_at, &a.link, a.source).cmp(&(b.valid_at, &b.link, b.source)));
    changes.events.sort_by(|a, b| (a.at, &a.id, a.revision).cmp(&(b.at, &b.id, b.revision)));
    changes.forecasts.sort_by(|a, b| (a.made_at, &a.link).cmp(&(b.made_at, &b.link)));
    let Changes { states, events, forecasts } = changes;
    Outcome { states, events, forecasts, checkpoint: analyzer.checkpoint() }
}

/// Feeds the logs in an order that the dice choose, each log in its own order.
fn fold(mut analyzer: Analyzer, logs: &[Vec<Record>], dice: &mut Dice) -> Outcome {
    let mut changes = Changes::default();
    let mut at = vec![0; logs.len()];
    while let Some(first) = (0..logs.len()).find(|&p| at[p] < logs[p].len()) {
        let pick = dice.below(PARTITIONS.into()) as usize;
        let partition = if at[pick] < logs[pick].len() { pick } else { first };
        for _ in 0..=dice.below(400) {
            let Some(record) = logs[partition].get(at[partition]) else { break };
            feed(&mut analyzer, partition as u32, record, &mut changes);
            at[partition] += 1;
        }
    }
    outcome(&analyzer, changes)
}

fn plain(city: &City, logs: &[Vec<Record>]) -> Outcome {
    let mut analyzer = city.whole();
    let mut changes = Changes::default();
    for (partition, log) in logs.iter().enumerate() {
        log.iter().for_each(|record| feed(&mut analyzer, partition as u32, record, &mut changes));
    }
    outcome(&analyzer, changes)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6, ..ProptestConfig::default() })]

    #[test]
    fn any_interleaving_of_partitions_gives_the_same_bytes(seed: u64) {
        let city = city();
        let logs = blocked_logs(&city, seed, MINUTES);
        let one = plain(&city, &logs);
        prop_assert!(!one.events.is_empty(), "the case shows queues");
        prop_assert!(!one.forecasts.is_empty(), "the case shows forecasts");
        let incident = one.events.iter().any(|event| event.kind == EventKind::Incident);
        prop_assert!(incident, "the case shows an incident");
        prop_assert!(one == fold(city.whole(), &logs, &mut Dice(seed ^ 1)));
    }

    #[test]
    fn a_crash_at_any_point_changes_nothing(seed: u64, point in 0.0f64..1.0) {
        let city = city();
        let logs = blocked_logs(&city, seed, MINUTES);
        let whole = plain(&city, &logs);
        let cuts: Vec<usize> = logs.iter().map(|log| (log.len() as f64 * point) as usize).collect();
        let mut before = city.whole();
        let mut changes = Changes::default();
        for (partition, log) in logs.iter().enumerate() {
            log[..cuts[partition]].iter().for_each(|r| feed(&mut before, partition as u32, r, &mut changes));
        }
        let bytes = before.checkpoint();
        let mut after =
            Analyzer::restore(city.network.clone(), city.registry.clone(), Config::default(), &bytes).unwrap();
        prop_assert_eq!(&bytes, &after.checkpoint());
        for (partition, log) in logs.iter().enumerate() {
            log[cuts[partition]..].iter().for_each(|r| feed(&mut after, partition as u32, r, &mut changes));
        }
        prop_assert!(whole == outcome(&after, changes));
    }

    #[test]
    fn who_looks_at_every_link_at_each_boundary_finds_what_was_left_out_unchanged(seed: u64) {
        let city = city();
        let logs = blocked_logs(&city, seed, MINUTES);
        // What is to be looked at again is no part of a checkpoint: who is restored begins with everything.
        let everything = |analyzer: &mut Analyzer| {
            let bytes = analyzer.checkpoint();
            let (network, registry) = (city.network.clone(), city.registry.clone());
            *analyzer = Analyzer::restore(network, registry, Config::default(), &bytes).unwrap();
        };
        let mut analyzer = city.whole();
        let mut changes = Changes::default();
        let mut records: Vec<(u32, &Record)> =
            (0..).zip(&logs).flat_map(|(p, log)| log.iter().map(move |record| (p, record))).collect();
        records.sort_by_key(|(_, record)| record.received_at());
        let mut boundary = START;
        for (partition, record) in records {
            if record.received_at() > boundary {
                boundary = record.received_at().floor(5000).plus_millis(5000);
                everything(&mut analyzer);
            }
            feed(&mut analyzer, partition, record, &mut changes);
        }
        prop_assert!(plain(&city, &logs) == outcome(&analyzer, changes));
    }

    #[test]
    fn what_arrives_twice_counts_once(seed: u64) {
        let city = city();
        let mut logs = blocked_logs(&city, seed, MINUTES);
        let once = plain(&city, &logs);
        let mut dice = Dice(seed ^ 2);
        for log in &mut logs {
            let again: Vec<Record> = log
                .iter()
                .filter(|record| matches!(record, Record::Reading(_)) && dice.below(4) == 0)
                .cloned()
                .collect();
            for mut record in again {
                if let Record::Reading(observation) = &mut record {
                    observation.received_at = observation.received_at.plus_millis(40_000);
                }
                log.push(record);
            }
            log.sort_by_key(Record::received_at);
        }
        let twice = plain(&city, &logs);
        // Repetitions come after the end of the log, too, and move its clock on: only what was before is the same.
        let until = |outcome: &Outcome| {
            let end = START.plus_millis(MINUTES * 60_000);
            outcome.states.iter().filter(|s| s.valid_at < end).cloned().collect::<Vec<_>>()
        };
        prop_assert!(until(&once) == until(&twice));
    }
}

#[test]
fn owners_of_one_partition_each_on_a_thread_of_its_own_tell_of_counted_links_what_one_owner_of_all_does() {
    let city = city();
    let logs = blocked_logs(&city, 7, MINUTES);
    let mut apart: Vec<LinkState> = std::thread::scope(|scope| {
        let owners: Vec<_> = (0..PARTITIONS)
            .map(|partition| {
                let (city, log) = (&city, &logs[partition as usize]);
                scope.spawn(move || {
                    let mut analyzer = city.analyzer(&[partition]);
                    let mut changes = Changes::default();
                    log.iter().for_each(|record| feed(&mut analyzer, partition, record, &mut changes));
                    counted(outcome(&analyzer, changes))
                })
            })
            .collect();
        owners.into_iter().flat_map(|owner| owner.join().unwrap()).collect()
    });
    apart.sort_by(|a, b| (a.valid_at, &a.link, a.source).cmp(&(b.valid_at, &b.link, b.source)));
    let together = counted(plain(&city, &logs));
    assert!(together.len() > 100);
    assert_eq!(together, apart);
}

/// The states of links with a loop or a camera, once those have reported: they wait for no other partition.
fn counted(outcome: Outcome) -> Vec<LinkState> {
    let from = START.plus_millis(120_000);
    let counts =
        |state: &LinkState| state.link.as_str()[1..].parse::<u32>().expect("l and a number") % 3 != 2;
    outcome.states.into_iter().filter(|state| counts(state) && state.valid_at > from).collect()
}

#[test]
fn a_checkpoint_for_something_else_is_refused_in_words() {
    let city = city();
    let bytes = city.whole().checkpoint();
    let restore = |config: Config, bytes: &[u8]| {
        Analyzer::restore(city.network.clone(), city.registry.clone(), config, bytes).map(|_| ())
    };
    let other = Config { lateness_s: 900.0, ..Config::default() };
    let refused = restore(other, &bytes).unwrap_err();
    assert!(refused.to_string().contains("another configuration"), "{refused}");
    let mut sensors = city.registry.sensors().to_vec();
    sensors.iter_mut().find(|sensor| sensor.id.as_str() == "loop-9").unwrap().link = Some(LinkIndex(10));
    let moved = Arc::new(Registry::new(sensors));
    let refused = Analyzer::restore(city.network.clone(), moved, Config::default(), &bytes).unwrap_err();
    assert!(refused.to_string().contains("another sensor registry"), "{refused}");
    assert_eq!(restore(Config::default(), b"hello"), Err(RestoreError::NotACheckpoint));
    let cut = restore(Config::default(), &bytes[..bytes.len() / 2]).unwrap_err();
    assert!(matches!(cut, RestoreError::Damaged(_)), "{cut}");
    let mut newer = bytes;
    newer[8] = 99;
    assert_eq!(restore(Config::default(), &newer), Err(RestoreError::Format { found: 99 }));
}

#[test]
fn what_signals_two_devices_of_a_link_and_two_counters_say_has_a_say() {
    let city = city();
    let logs = blocked_logs(&city, 5, 18);
    let run = |parts: PartsConfig| {
        let config = Config { parts, ..Config::default() };
        let all: Vec<u32> = (0..PARTITIONS).collect();
        let (network, registry) = (city.network.clone(), city.registry.clone());
        fold(Analyzer::new(network, registry, config, &all, PARTITIONS), &logs, &mut Dice(1)).states
    };
    let whole = run(PartsConfig::default());
    let all = PartsConfig::default;
    assert!(whole != run(PartsConfig { conservation: false, ..all() }), "conservation");
    assert!(whole != run(PartsConfig { signal_splits: false, ..all() }), "signal_splits");
    assert!(whole != run(PartsConfig { signal_delay: false, ..all() }), "signal_delay");
    assert!(whole != run(PartsConfig { variances: false, ..all() }), "variances");
}

#[test]
fn a_crash_after_a_day_whose_usual_is_known_changes_nothing() {
    const SECONDS: i64 = 26 * 3600;
    let city = city();
    let log = day_log(&city, 7, SECONDS);
    let restored = |bytes: &[u8]| {
        Analyzer::restore(city.network.clone(), city.registry.clone(), Config::default(), bytes).unwrap()
    };
    // Ten minutes after some have fallen silent, until what is usual has been another twice.
    let from = START.plus_millis((SECONDS - 600) * 1000);
    let before = log.partition_point(|(_, record)| record.received_at() <= from);
    let (mut unbroken, mut changes) = (city.whole(), Changes::default());
    log[..before]
        .iter()
        .for_each(|(partition, record)| feed(&mut unbroken, *partition, record, &mut changes));
    let mut crashed = restored(&unbroken.checkpoint());
    let (mut told, mut told_after) = (Changes::default(), Changes::default());
    let mut boundary = from;
    for (partition, record) in &log[before..] {
        if record.received_at() > boundary {
            boundary = record.received_at().floor(5000).plus_millis(5000);
            let bytes = crashed.checkpoint();
            crashed = restored(&bytes);
            assert!(unbroken.checkpoint() == bytes, "at {boundary:?}");
        }
        feed(&mut unbroken, *partition, record, &mut told);
        feed(&mut crashed, *partition, record, &mut told_after);
    }
    assert!(told.states.iter().any(|state| state.source == model::Source::Estimated));
    assert!(outcome(&unbroken, told) == outcome(&crashed, told_after));
}
