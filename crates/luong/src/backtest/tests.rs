use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use roadnet::{NetworkBuilder, NewLink, Point};
use tempfile::TempDir;

use super::*;
use crate::config::{Config, Sources};

const SENSORS: &str = "sensor_id,kind,link_id,offset_m,lane,lon,lat,heading_deg,length_m,period_s,format\n\
    loop-a,loop,a,60,,,,90,0,30,native\n\
    cam-b,area_camera,b,50,,,,90,50,30,native\n\
    fleet,probe_fleet,,,,,,,,10,native\n";

/// Two links of 104 m in a row, `a` and `b`.
fn network_file(dir: &Path) -> PathBuf {
    let mut builder = NetworkBuilder::default();
    let point = |i: usize| Point { lon: 106.68 + 0.001 * i as f64, lat: 20.86 };
    let nodes: Vec<_> = (0..3).map(|i| builder.add_node(format!("n{i}"), point(i), false)).collect();
    for (i, id) in ["a", "b"].into_iter().enumerate() {
        let link = NewLink {
            lanes: 1.0,
            width_m: 3.5,
            signal_at_end: true,
            ..NewLink::street(id.into(), nodes[i], nodes[i + 1], vec![point(i), point(i + 1)])
        };
        builder.add_link(link).expect("a sound link");
    }
    let path = dir.join("net.roadnet");
    builder.build().write(fs::File::create(&path).expect("a file")).expect("written");
    path
}

/// Ten minutes of a loop, a camera and a fleet, each line received 3 s after its time.
fn lines() -> Vec<String> {
    let mut lines = Vec::new();
    for k in 1..=20 {
        let (minute, second) = (k * 30 / 60, k * 30 % 60);
        let times = format!(
            r#""at":"2026-11-23T00:{minute:02}:{second:02}.000Z","received_at":"2026-11-23T00:{minute:02}:{:02}.500Z""#,
            second + 3
        );
        let counts = format!(r#""period_s":30,"counts":{{"motorcycle":{},"car":1}}"#, k % 5);
        lines.push(format!(
            r#"{{"sensor_id":"loop-a","kind":"aggregate","seq":{k},{times},{counts},"speed_kmh":41.5,"occupancy":0.05}}"#
        ));
        lines.push(format!(
            r#"{{"sensor_id":"cam-b","kind":"aggregate","seq":{k},{times},{counts},"speed_kmh":9.5,"speed_mean":"space","occupancy":0.2}}"#
        ));
        lines.push(format!(
            r#"{{"sensor_id":"fleet","kind":"probe","seq":{k},{times},"vehicle_id":"v{}","lon":106.6805,"lat":20.86,"heading_deg":90,"speed_kmh":30.0}}"#,
            k % 3
        ));
    }
    lines
}

struct Case {
    dir: TempDir,
}

impl Case {
    fn new() -> Self {
        let case = Self { dir: TempDir::new().expect("a directory") };
        network_file(case.dir.path());
        fs::write(case.dir.path().join("sensors.csv"), SENSORS).expect("written");
        case
    }

    fn args(&self, observations: &str, out: &str, threads: u16) -> Args {
        let path = |name: &str| self.dir.path().join(name);
        Args {
            network: path("net.roadnet"),
            sensors: path("sensors.csv"),
            observations: path(observations),
            out: path(out),
            events: Some(path("events.ndjson")),
            every: 60,
            explain: Vec::new(),
            at: Vec::new(),
            threads,
        }
    }

    fn read(&self, lines: &[String]) -> lines::Read {
        let path = |name: &str| self.dir.path().join(name);
        fs::write(path("obs.ndjson"), lines.join("\n")).expect("written");
        let network = Arc::new(network::load(&path("net.roadnet")).expect("a network"));
        let sensors = sensors::load(&path("sensors.csv"), &network).expect("sensors");
        let normaliser =
            Normaliser::new(network, Arc::new(sensors.registry), ingest::Rules::default(), ClockMode::Wall);
        lines::read(&path("obs.ndjson"), &normaliser, 2).expect("lines")
    }

    fn states(&self, lines: &[String], threads: u16) -> String {
        fs::write(self.dir.path().join("obs.ndjson"), lines.join("\n")).expect("written");
        backtest(self.args("obs.ndjson", "states.csv", threads)).expect("a backtest");
        fs::read_to_string(self.dir.path().join("states.csv")).expect("states")
    }
}

#[test]
fn threads_and_the_order_of_lines_change_no_byte() {
    let case = Case::new();
    let mut lines = lines();
    let one = case.states(&lines, 1);
    assert_eq!(one, case.states(&lines, 2));
    lines.reverse();
    lines.rotate_left(7);
    assert_eq!(one, case.states(&lines, 4));
    // What is there twice counts once.
    let twice = [lines.clone(), lines].concat();
    assert_eq!(one, case.states(&twice, 4));
}

#[test]
fn each_boundary_has_a_row_for_each_link_and_knows_nothing_of_later_lines() {
    let case = Case::new();
    let lines = lines();
    let whole = case.states(&lines, 1);
    let half = case.states(&lines[..30], 1);
    assert_eq!(whole.lines().next(), Some(half.lines().next().expect("a header")));
    assert!(whole.starts_with(&half[..half.find("00:05:00").expect("the fifth minute")]));
    let rows = whole.lines().filter(|line| line.starts_with("2026-11-23T00:04:00.000Z")).count();
    assert_eq!(rows, 2);
}

#[test]
fn what_is_received_at_a_boundary_counts_for_it() {
    let case = Case::new();
    let line = r#"{"sensor_id":"loop-a","kind":"aggregate","at":"2026-11-23T00:01:00Z","counts":{"car":9},"speed_kmh":40}"#;
    let states = case.states(&[line.to_owned()], 1);
    let row = states.lines().find(|row| row.contains(",a,")).expect("a row");
    assert!(row.starts_with("2026-11-23T00:01:00.000Z,a,"), "{row}");
    assert!(row.contains(",1080,"), "nine cars in 30 s: {row}");
}

#[test]
fn packed_files_are_read_and_written() {
    let case = Case::new();
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(lines().join("\n").as_bytes()).expect("packed");
    fs::write(case.dir.path().join("obs.ndjson.gz"), packed.finish().expect("packed")).expect("written");
    backtest(case.args("obs.ndjson.gz", "states.csv.gz", 2)).expect("a backtest");
    let bytes = fs::read(case.dir.path().join("states.csv.gz")).expect("states");
    assert_eq!(bytes[..2], [0x1f, 0x8b]);
}

#[test]
fn bad_lines_are_counted_by_reason_and_stop_nothing() {
    let case = Case::new();
    let mut lines = lines();
    let good = case.states(&lines, 1);
    lines.insert(5, "{\"sensor_id\":".to_owned());
    lines.insert(9, lines[0].replace("loop-a", "nobody"));
    assert_eq!(good, case.states(&lines, 1));
    let read = case.read(&lines);
    let summary = read.summary();
    assert!(summary.contains("62 events read, 60 used"), "{summary}");
    assert!(
        summary.contains("bad_json  (line 6:") && summary.contains("unknown_sensor  (line 10:"),
        "{summary}"
    );
}

#[test]
fn a_line_that_is_stamped_hours_ahead_is_told_by_its_number_and_the_gap() {
    let case = Case::new();
    let mut lines = lines();
    assert_eq!(case.read(&lines).gap, None);
    lines[7] = lines[7].replace("2026-11-23T00", "2026-11-25T00");
    let gap = case.read(&lines).gap.expect("a gap of two days");
    assert!(gap.contains("line 8, at 2026-11-25") && gap.contains(": 47.9 h later"), "{gap}");
    assert!(gap.contains("more than an hour: 1"), "{gap}");
}

#[test]
fn a_line_that_is_stamped_years_ahead_is_refused_by_its_number_and_time() {
    let case = Case::new();
    let mut lines = lines();
    lines[7] = lines[7].replace("2026-11-23", "2099-11-23");
    fs::write(case.dir.path().join("obs.ndjson"), lines.join("\n")).expect("written");
    let error = backtest(case.args("obs.ndjson", "states.csv", 2)).expect_err("a gap of 73 years");
    let text = format!("{error:#}");
    assert!(text.contains("line 8, at 2099-11-23") && text.contains("7 days"), "{text}");
}

#[test]
fn what_is_read_is_never_written_over() {
    let case = Case::new();
    let text = lines().join("\n");
    fs::write(case.dir.path().join("obs.ndjson"), &text).expect("written");
    let error = backtest(case.args("obs.ndjson", "./obs.ndjson", 1)).expect_err("one file for two");
    assert!(format!("{error:#}").contains("--observations and --out are the same file"), "{error:#}");
    let error = backtest(case.args("obs.ndjson", "events.ndjson", 1)).expect_err("one file for two");
    assert!(format!("{error:#}").contains("--out and --events are the same file"), "{error:#}");
    assert_eq!(fs::read_to_string(case.dir.path().join("obs.ndjson")).expect("still there"), text);
}

#[test]
fn a_missing_file_is_named() {
    let case = Case::new();
    let error = backtest(case.args("nowhere.ndjson", "states.csv", 1)).expect_err("no such file");
    assert!(format!("{error:#}").contains("nowhere.ndjson"), "{error:#}");
}

#[test]
fn the_analyser_s_configuration_counts() {
    let case = Case::new();
    let usual = case.states(&lines(), 1);
    let heavier = Sources { set: vec!["analyser.pcu.motorcycle=3.0".to_owned()], ..Sources::default() };
    let settings = Config::load(&heavier, []).expect("a good key").settings;
    run(case.args("obs.ndjson", "heavier.csv", 1), &settings).expect("a backtest");
    let heavier = fs::read_to_string(case.dir.path().join("heavier.csv")).expect("states");
    assert_ne!(usual, heavier);
}

#[test]
fn events_of_another_city_are_an_error() {
    let case = Case::new();
    let stranger =
        r#"{"sensor_id":"stranger","kind":"aggregate","at":"2026-11-23T00:00:30Z","speed_kmh":30}"#;
    fs::write(case.dir.path().join("obs.ndjson"), stranger).expect("written");
    let error = backtest(case.args("obs.ndjson", "states.csv", 1)).expect_err("no event of this city");
    assert!(error.to_string().contains("no event could be used"), "{error}");
    assert!(!case.dir.path().join("states.csv").exists());
}

/// With the defaults.
fn backtest(args: Args) -> anyhow::Result<()> {
    run(args, &Config::load(&Sources::default(), [])?.settings)
}
