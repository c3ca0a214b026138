//! What stands in `deploy/`, as far as a tool can tell without running it.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;
use testbed::{Kafka, require, tool, workspace_root};

fn deploy(path: &str) -> PathBuf {
    workspace_root().join("deploy").join(path)
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn assert_satisfied(command: &mut Command) {
    let output = command.output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{command:?}:\n{}", String::from_utf8_lossy(&said));
}

#[test]
fn prometheus_takes_its_configuration_and_the_alert_rules() {
    let Some(promtool) = require(tool("promtool")) else { return };
    assert_satisfied(
        Command::new(&promtool).args(["check", "config"]).arg(deploy("prometheus/prometheus.yml")),
    );
    let lint = ["check", "rules", "--lint=all", "--lint-fatal"];
    assert_satisfied(Command::new(&promtool).args(lint).arg(deploy("prometheus/rules/luong.yml")));
}

#[test]
fn the_alerts_fire_when_they_should_and_only_then() {
    let Some(promtool) = require(tool("promtool")) else { return };
    assert_satisfied(
        Command::new(promtool).args(["test", "rules"]).arg(deploy("prometheus/rules/luong.test.yml")),
    );
}

#[test]
fn compose_takes_the_compose_file() {
    let Some(compose) = require(tool("docker-compose")) else { return };
    let mut command = Command::new(compose);
    command.args(["config", "--quiet"]).current_dir(deploy("")).env("GRAFANA_PASSWORD", "for this check");
    command.env("LUONG_CITY", "/srv/city");
    assert_satisfied(command.env("COMPOSE_FILE", deploy("compose.yaml")));
}

#[test]
fn what_the_compose_file_mounts_is_there() {
    let compose = read(&deploy("compose.yaml"));
    let mounts = compose.lines().filter_map(|line| line.trim().strip_prefix("- ./")?.split_once(':'));
    let missing: Vec<_> = mounts.filter(|(path, _)| !deploy(path).exists()).collect();
    assert_eq!(missing, []);
}

#[test]
fn the_kafka_that_is_tested_is_the_one_that_is_shipped() {
    let image = format!("image: apache/kafka:{}\n", Kafka::VERSION);
    assert!(read(&deploy("compose.yaml")).contains(&image), "{image}");
}

#[test]
fn the_image_is_built_with_the_rust_that_the_workspace_asks_for() {
    let manifest = read(&workspace_root().join("Cargo.toml"));
    let version =
        manifest.lines().find_map(|line| line.strip_prefix("rust-version = \"")?.strip_suffix('"')).unwrap();
    assert!(read(&deploy("Containerfile")).contains(&format!("FROM rust:{version}-")), "{version}");
}

#[test]
fn systemd_takes_the_unit() {
    let Some(analyze) = require(tool("systemd-analyze")) else { return };
    let folder = tempfile::tempdir().unwrap();
    // It looks for the program too, which is not installed where this is tested.
    let unit = read(&deploy("systemd/luong@.service")).replace("/usr/bin/luong ", "/usr/bin/true ");
    let path = folder.path().join("luong@ingest.service");
    fs::write(&path, unit).unwrap();
    assert_satisfied(Command::new(analyze).args(["verify", "--man=no"]).arg(path));
}

#[test]
fn rules_and_boards_name_only_metrics_that_the_code_registers() {
    let known = registered_names();
    let mut unknown = Vec::new();
    for path in files(&deploy("prometheus/rules")).into_iter().chain(files(&deploy("grafana"))) {
        let used = metric_names(&read(&path));
        unknown.extend(used.difference(&known).map(|name| format!("{}: {name}", path.display())));
    }
    assert!(unknown.is_empty(), "\n{}", unknown.join("\n"));
}

#[test]
fn every_panel_of_a_board_asks_prometheus_something() {
    let boards = files(&deploy("grafana/boards"));
    assert!(!boards.is_empty());
    for path in boards {
        let board: Value = serde_json::from_str(&read(&path)).unwrap();
        let panels = board["panels"].as_array().unwrap();
        assert!(!panels.is_empty(), "{}", path.display());
        for panel in panels.iter().filter(|panel| panel["type"] != "row") {
            let asks = panel["targets"].as_array().is_some_and(|targets| {
                targets.iter().all(|target| target["expr"].as_str().is_some_and(|text| !text.is_empty()))
            });
            assert!(asks, "{}: panel {}", path.display(), panel["title"]);
            assert!(panel["fieldConfig"]["defaults"]["unit"].is_string(), "{}: no unit", panel["title"]);
        }
    }
}

/// The names in the code's string literals: written out in full, or with a prefix that the file puts before each.
fn registered_names() -> BTreeSet<String> {
    let crates = ["crates/eventlog", "crates/ingest", "crates/gateway", "crates/luong", "simulator"];
    crates
        .iter()
        .flat_map(|room| files(&workspace_root().join(room).join("src")))
        .filter(|path| path.extension().is_some_and(|ending| ending == "rs"))
        .flat_map(|path| quoted_names(&read(&path)))
        .collect()
}

fn quoted_names(source: &str) -> Vec<String> {
    let texts = || source.split('"');
    // `format!("luong_ingest_{name}")`
    let prefix =
        texts().find_map(|text| text.strip_suffix("{name}").filter(|text| text.starts_with("luong_")));
    let names = texts().filter(|text| !text.is_empty() && text.chars().all(is_of_name));
    match prefix {
        Some(prefix) => names.map(|name| format!("{prefix}{name}")).collect(),
        None => names.filter(|name| name.starts_with("luong_")).map(str::to_owned).collect(),
    }
}

/// The names in PromQL, without the endings that a histogram adds.
fn metric_names(text: &str) -> BTreeSet<String> {
    text.split(|letter| !is_of_name(letter))
        .filter(|word| word.starts_with("luong_"))
        .map(|name| {
            let base = ["_bucket", "_sum", "_count"].iter().find_map(|ending| name.strip_suffix(ending));
            base.unwrap_or(name).to_owned()
        })
        .collect()
}

fn is_of_name(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '_'
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    entries
        .flatten()
        .flat_map(|entry| if entry.path().is_dir() { files(&entry.path()) } else { vec![entry.path()] })
        .collect()
}

#[test]
fn a_metric_that_nobody_registers_is_seen() {
    let used = metric_names("rate(luong_made_up_total[5m]) / sum(luong_x_seconds_bucket{le=\"1\"})");
    assert_eq!(used, BTreeSet::from(["luong_made_up_total".to_owned(), "luong_x_seconds".to_owned()]));
    assert!(!registered_names().contains("luong_made_up_total"));
    assert_eq!(quoted_names("counter(\"luong_a_total\", \"luong_ is a prefix\")"), ["luong_a_total"]);
    let with_prefix = "format!(\"luong_a_{name}\"); counter(\"b_total\", \"What b is.\")";
    assert_eq!(quoted_names(with_prefix), ["luong_a_b_total"]);
}
