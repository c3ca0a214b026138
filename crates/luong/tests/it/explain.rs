//! Why a state is what it is, from the log and from a file.

use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use eventlog::{Append, Cleanup, Log, Record, TopicSpec};
use model::{Aggregate, ClassCounts, Observation, Quality, Reading, Timestamp, VehicleClass};

use crate::roles::city;

/// 2026-11-22T07:00:00Z in event time.
const SEVEN: i64 = 1_795_330_800_000;

fn luong(folder: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_luong")).arg("--data-dir").arg(folder).args(args).output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn complained(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Ten minutes of a loop, a reading each half minute.
fn lines(head: &str) -> Vec<String> {
    let counts = r#""period_s":30,"counts":{"motorcycle":10,"car":2}"#;
    let line = |i: i64| format!(r#"{{{head}"seq":{i},"at":{},{counts},"speed_kmh":30}}"#, SEVEN + i * 30_000);
    (1..=20).map(line).collect()
}

/// Puts the readings of those half minutes into the log that `luong up` would have written in that folder, each received a second
/// later; that of `misdated` says that it was received a day later.
async fn write_log(folder: &Path, half_minutes: Vec<i64>, misdated: Option<i64>) -> Log {
    let log = Log::open_local(&folder.join("log"), eventlog::local::Config::default()).await.unwrap();
    let cleanup = Cleanup::Delete { retention: Duration::from_secs(168 * 3600) };
    let spec = TopicSpec { name: wire::topic::OBSERVATIONS.into(), partitions: 1, cleanup };
    log.ensure_topics(&[spec]).await.unwrap();
    let record = |i: i64| {
        let at = Timestamp::from_millis(SEVEN + i * 30_000);
        let counts = ClassCounts::from_iter([(VehicleClass::Motorcycle, 10), (VehicleClass::Car, 2)]);
        let reading = Reading::Aggregate(Aggregate {
            counts: Some(counts),
            speed_kmh: Some(30.0),
            ..Aggregate::default()
        });
        let observation = Observation {
            sensor: "loop-a".into(),
            link: "a".into(),
            seq: Some(i as u64),
            at,
            period_s: Some(30.0),
            lane: None,
            offset_m: None,
            received_at: at.plus_millis(if misdated == Some(i) { 86_400_000 } else { 1000 }),
            quality: Quality::GOOD,
            reading,
        };
        Append {
            topic: wire::topic::OBSERVATIONS.into(),
            partition: 0,
            record: Record {
                value: wire::encode_observation(&observation),
                timestamp_ms: at.as_millis() + 1000,
                ..Record::default()
            },
        }
    };
    log.append(half_minutes.into_iter().map(record).collect()).await.unwrap().await.unwrap();
    log
}

#[test]
fn a_state_is_explained_from_the_log_once_nobody_else_has_it_open() {
    let folder = tempfile::tempdir().unwrap();
    let [network, sensors] = city(folder.path());
    let explain = |args: &[&str]| {
        let set = ["--set", &network, "--set", &sensors, "--set", "log.partitions=1"];
        luong(folder.path(), &[&["explain"], args, &set[..]].concat())
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let log = runtime.block_on(write_log(folder.path(), (1..=20).collect(), None));
    let refused = explain(&["a"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(complained(&refused).contains("stop `luong up` first"), "{}", complained(&refused));
    runtime.block_on(log.close()).unwrap();

    let newest = explain(&["a"]);
    assert_eq!(newest.status.code(), Some(0), "{}", complained(&newest));
    let head = "folded from the beginning of the log\n";
    assert!(said(&newest).starts_with(head), "{}", said(&newest));
    for part in ["link a: ", "loop-a: 12.0 vehicles at 30.0 km/h", "typical here", "why level", "observed"] {
        assert!(said(&newest).contains(part), "no {part:?} in\n{}", said(&newest));
    }
    let earlier = explain(&["a", "--at", "2026-11-22T07:05:00Z"]);
    // The link was last estimated when a reading of it came or aged, within the half minute before.
    assert!(said(&earlier).contains("state at 2026-11-22T07:04:"), "{}", said(&earlier));

    let unknown = explain(&["e"]);
    assert_eq!(unknown.status.code(), Some(64));
    assert!(complained(&unknown).contains("the nearest ids are a, b, c"), "{}", complained(&unknown));
    for (at, why) in
        [("2026-11-22T06:00:00Z", "before the log begins"), ("2026-11-22T09:00:00Z", "after the end")]
    {
        let outside = explain(&["a", "--at", at]);
        assert_eq!(outside.status.code(), Some(64));
        assert!(complained(&outside).contains(why), "{}", complained(&outside));
    }
}

#[test]
fn what_is_folded_from_the_middle_of_the_log_says_so_and_leaves_out_what_the_service_does() {
    let folder = tempfile::tempdir().unwrap();
    let [network, sensors] = city(folder.path());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    // One reading is three hours older than the others.
    let half_minutes = [-360].into_iter().chain(1..=20).collect();
    let log = runtime.block_on(write_log(folder.path(), half_minutes, Some(10)));
    runtime.block_on(log.close()).unwrap();
    let set =
        ["--set", &network, "--set", &sensors, "--set", "log.partitions=1", "--set", "analyse.replay_h=1"];
    let explained = luong(folder.path(), &[&["explain", "a"], &set[..]].concat());
    assert_eq!(explained.status.code(), Some(0), "{}", complained(&explained));
    let text = said(&explained);
    let head = "folded from 2026-11-22T07:00:31.000Z on, without what was learned before";
    assert!(text.starts_with(head), "{text}");
    assert!(text.contains("state at 2026-11-22T07:") && text.contains("source observed"), "{text}");
}

#[test]
fn where_there_is_no_log_none_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let link = "no-such-link";
    assert_eq!(luong(folder.path(), &["explain", link]).status.code(), Some(64));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_backtest_explains_the_row_that_it_writes() {
    let folder = tempfile::tempdir().unwrap();
    let files = city(folder.path()).map(|set| set.split_once('=').unwrap().1.to_owned());
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (observations, out) = (path("obs.ndjson"), path("states.csv"));
    std::fs::write(&observations, lines(r#""sensor_id":"loop-a","kind":"aggregate","#).join("\n")).unwrap();
    let backtest = |args: &[&str]| {
        let [network, sensors] = &files;
        let all = ["backtest", "--network", network, "--sensors", sensors, "--observations", &observations];
        luong(folder.path(), &[&all[..], &["--out", &out], args].concat())
    };
    let at = "2026-11-22T07:05:00.000Z";
    let explained =
        backtest(&["--explain", "a", "--at", at, "--explain", "b", "--at", "2026-11-22T07:03:30Z"]);
    assert_eq!(explained.status.code(), Some(0), "{}", complained(&explained));
    let text = said(&explained);
    assert!(text.find("link b: ").unwrap() < text.find("link a: ").unwrap(), "in the order of time:\n{text}");
    let states = std::fs::read_to_string(&out).unwrap();
    let row = states.lines().find(|row| row.starts_with(&format!("{at},a,"))).unwrap();
    let speed: Vec<f32> = row.split(',').skip(2).take(3).map(|cell| cell.parse().unwrap()).collect();
    let line = format!("speed {:.1} km/h (80 %: {:.1} to {:.1})", speed[0], speed[1], speed[2]);
    assert!(text.contains(&line), "no {line:?} in\n{text}");

    for wrong in
        [vec!["--explain", "e"], vec!["--explain", "a", "--at", "2026-11-23T07:05:00Z"], vec!["--every", "7"]]
    {
        assert_eq!(backtest(&wrong).status.code(), Some(64), "{wrong:?}");
    }
    assert_eq!(
        backtest(&["--events", &observations]).status.code(),
        Some(64),
        "what is read is not written over"
    );
}
