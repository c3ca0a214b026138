//! What stands in `deploy/`, as far as a tool can tell without running it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;
use testbed::{Kafka, require, tool, workspace_root};

pub(crate) fn deploy(path: &str) -> PathBuf {
    workspace_root().join("deploy").join(path)
}

pub(crate) fn read(path: &Path) -> String {
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

pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    entries
        .flatten()
        .flat_map(|entry| if entry.path().is_dir() { files(&entry.path()) } else { vec![entry.path()] })
        .collect()
}
