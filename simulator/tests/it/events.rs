//! Files of events and of the truth.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use flate2::read::GzDecoder;
use model::{ReadingKind, Timestamp};
use serde_json::Value;
use simulator::{Faults, Field, Measuring, Options, Run, Scenario};

use super::{short, written};

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn unzipped(path: &Path) -> String {
    let mut text = String::new();
    GzDecoder::new(File::open(path).unwrap()).read_to_string(&mut text).unwrap();
    text
}

#[test]
fn the_same_seed_writes_the_same_bytes_and_another_seed_others() {
    let once = written(short("haiphong-demo", 120, 7));
    assert!(once == written(short("haiphong-demo", 120, 7)), "the same seed wrote other bytes");
    assert!(once != written(short("haiphong-demo", 120, 8)), "another seed wrote the same bytes");
}

#[test]
fn every_line_is_an_event_with_its_names_and_times_in_order_of_arrival() {
    let run = short("rush-hour", 420, 1);
    let known: BTreeSet<String> = run.city().registry.sensors().iter().map(|s| s.id.to_string()).collect();
    let mut last = Timestamp::MIN;
    let mut kinds = BTreeSet::new();
    for line in lines(&written(run)) {
        assert!(known.contains(line["sensor_id"].as_str().unwrap()), "{line}");
        assert!(line["seq"].is_u64(), "{line}");
        Timestamp::parse(line["at"].as_str().unwrap()).unwrap();
        let received = Timestamp::parse(line["received_at"].as_str().unwrap()).unwrap();
        assert!(received >= last, "{line}");
        last = received;
        kinds.insert(ReadingKind::from_name(line["kind"].as_str().unwrap()).expect("a known kind"));
    }
    assert!(kinds.len() >= 6, "{kinds:?}");
}

#[test]
fn most_instrumented_links_speak_within_the_first_half_minute() {
    let run = short("haiphong-demo", 30, 1);
    let watched: BTreeSet<String> = run
        .city()
        .registry
        .sensors()
        .iter()
        .filter(|s| s.period_s.is_some() && s.id.as_str().starts_with(['l', 'c']))
        .map(|s| s.id.to_string())
        .collect();
    let spoke: BTreeSet<String> =
        lines(&written(run)).iter().map(|line| line["sensor_id"].as_str().unwrap().to_owned()).collect();
    let heard = watched.intersection(&spoke).count();
    assert!(heard * 100 > watched.len() * 90, "{heard} of {}", watched.len());
}

/// A scenario whose devices measure without error.
fn exact() -> Scenario {
    Scenario {
        warmup_s: 300,
        duration_s: 600,
        field: Field { loss: 0.0, duplicates: 0.0, delay_median_s: 0.0, delay_p99_s: 0.0 },
        measuring: Measuring { loop_miss: 0.0, speed_noise: 0.0, ..Measuring::default() },
        ..Scenario::load("calm").unwrap()
    }
}

#[test]
fn loops_count_what_the_truth_says_went_by() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options { truth: Some(folder.path().to_owned()), ..Options::default() };
    let events = lines(&written(Run::new("exact", exact(), options).unwrap()));
    let mut counted: BTreeMap<String, u64> = BTreeMap::new();
    for event in events.iter().filter(|e| e["sensor_id"].as_str().unwrap().starts_with("loop-")) {
        let n: u64 = event["counts"].as_object().unwrap().values().map(|n| n.as_u64().unwrap()).sum();
        *counted.entry(event["sensor_id"].as_str().unwrap()[5..].to_owned()).or_default() += n;
    }
    let mut entered: BTreeMap<String, u64> = BTreeMap::new();
    for row in unzipped(&folder.path().join("links.csv.gz")).lines().skip(1) {
        let row: Vec<&str> = row.split(',').collect();
        *entered.entry(row[1].to_owned()).or_default() += row[10].parse::<u64>().unwrap();
    }
    let busy: Vec<_> =
        counted.iter().filter(|(link, _)| entered.get(*link).is_some_and(|&n| n > 100)).collect();
    assert!(busy.len() > 20, "{} busy loops", busy.len());
    for (link, &n) in busy {
        let truth = entered[link];
        // What stood on the link at the beginning passes, what stands on it at the end has not yet.
        assert!(n.abs_diff(truth) <= truth / 5 + 15, "{link}: {n} counted, {truth} entered");
    }
}

#[test]
fn a_dead_device_falls_silent_and_a_stuck_one_repeats_itself() {
    let folder = tempfile::tempdir().unwrap();
    let scenario = Scenario {
        faults: Faults { dead: 0.3, stuck: 0.3, ..Faults::default() },
        duration_s: 300,
        ..exact()
    };
    let options = Options { truth: Some(folder.path().to_owned()), ..Options::default() };
    let events = lines(&written(Run::new("faulty", scenario, options).unwrap()));
    let starts = Timestamp::parse("2026-11-23T00:00:00Z").unwrap();
    let faults = fs::read_to_string(folder.path().join("sensor_faults.csv")).unwrap();
    let (mut dead, mut stuck) = (0, 0);
    for row in faults.lines().skip(1) {
        let row: Vec<&str> = row.split(',').collect();
        let from = starts.plus_millis(row[3].parse::<i64>().unwrap() * 1000);
        let after = |e: &&Value| {
            e["sensor_id"] == row[0]
                && e["kind"] == "aggregate"
                && Timestamp::parse(e["at"].as_str().unwrap()).unwrap() > from
        };
        match row[2] {
            "dead" => {
                dead += 1;
                assert!(!events.iter().any(|e| after(&e)), "{} speaks after its death", row[0]);
            }
            _ => {
                stuck += 1;
                let mut said: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
                for event in events.iter().filter(after) {
                    let text = (event["counts"].clone(), event["speed_kmh"].clone());
                    said.entry(event["lane"].to_string()).or_default().insert(format!("{text:?}"));
                }
                assert!(said.values().all(|values| values.len() == 1), "{} changes: {said:?}", row[0]);
            }
        }
    }
    assert!(dead > 30 && stuck > 30, "{dead} dead, {stuck} stuck");
}

#[test]
fn the_truth_scores_itself_as_perfect_and_silence_as_bad() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options { truth: Some(folder.path().to_owned()), ..Options::default() };
    let scenario = Scenario { duration_s: 720, ..exact() };
    written(Run::new("calm", scenario, options).unwrap());
    let starts = Timestamp::parse("2026-11-23T00:00:00Z").unwrap();
    let mut states = "at,link_id,speed_kmh\n".to_owned();
    for row in unzipped(&folder.path().join("links.csv.gz")).lines().skip(1) {
        let row: Vec<&str> = row.split(',').collect();
        let at = starts.plus_millis(row[0].parse::<i64>().unwrap() * 1000);
        states += &format!("{at},{},{}\n", row[1], row[2]);
    }
    let file = folder.path().join("states.csv");
    fs::write(&file, states).unwrap();
    let perfect = simulator::score(folder.path(), &file).unwrap();
    let all = perfect.groups[0].1;
    assert!(all.minutes > 100 && all.speed_mae_kmh() < 1e-9 && all.level_shares() == (1.0, 1.0));
    fs::write(&file, "at,link_id,speed_kmh\n").unwrap();
    let silent = simulator::score(folder.path(), &file).unwrap().groups[0].1;
    assert_eq!(silent.missing, silent.minutes);
    assert!(silent.speed_mae_kmh() > 15.0);
}
