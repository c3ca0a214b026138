//! The command line of `luong-sim`.

use std::fs;
use std::io::Read as _;
use std::process::{Command, Output};
use std::time::Duration;

use testbed::{Mosquitto, Program, Signal, require};

const BINARY: &str = env!("CARGO_BIN_EXE_luong-sim");

fn luong_sim(arguments: &[&str]) -> Output {
    Command::new(BINARY).args(arguments).output().unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn list_names_the_built_in_scenarios() {
    let output = luong_sim(&["list"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0));
    for name in ["haiphong-demo", "rush-hour", "bridge-incident", "port-night", "sensor-faults", "calm"] {
        assert!(text.contains(name), "{name} is missing in\n{text}");
    }
}

#[test]
fn bad_arguments_and_scenarios_end_with_64_and_say_what_was_meant() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mine.toml");
    fs::write(&file, "demnd = 1.0\n").unwrap();
    let typo = luong_sim(&["validate", file.to_str().unwrap()]);
    assert_eq!(typo.status.code(), Some(64));
    assert!(stderr(&typo).contains("did you mean `demand`"), "{}", stderr(&typo));
    let unknown = luong_sim(&["run", "rush-our"]);
    assert_eq!(unknown.status.code(), Some(64));
    assert!(stderr(&unknown).contains("rush-hour"), "{}", stderr(&unknown));
    assert_eq!(luong_sim(&["run", "calm", "--speed", "fast"]).status.code(), Some(64));
    assert_eq!(luong_sim(&["dance"]).status.code(), Some(64));
    assert_eq!(luong_sim(&["run", "haiphong-demo", "--events", "x.ndjson"]).status.code(), Some(64));
}

#[test]
fn a_good_scenario_is_called_good() {
    let output = luong_sim(&["validate", "bridge-incident"]);
    assert_eq!(output.status.code(), Some(0));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("good") && text.contains("schematic"), "{text}");
}

#[test]
fn events_are_written_compressed_where_the_name_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("events.ndjson.gz");
    let output = luong_sim(&["run", "calm", "--duration", "30", "--events", file.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let mut text = String::new();
    flate2::read::GzDecoder::new(fs::File::open(file).unwrap()).read_to_string(&mut text).unwrap();
    assert!(text.lines().count() > 100);
}

#[test]
fn a_signal_ends_a_run_in_order() {
    let Some(mosquitto) = require(Mosquitto::start()) else { return };
    let mut running = Program::spawn(BINARY, ["run", "haiphong-demo", "--broker", &mosquitto.url()]).unwrap();
    running.wait_for_text("vehicles", Duration::from_secs(60)).unwrap();
    running.signal(Signal::Terminate).unwrap();
    let status = running.wait(Duration::from_secs(10)).unwrap();
    assert_eq!(status.code(), Some(0), "{}", running.stderr());
    assert!(running.stdout().contains("acknowledged"), "{}", running.stdout());
}
