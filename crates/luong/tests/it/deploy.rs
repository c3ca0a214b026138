//! What `deploy/` ships is a configuration that the binary takes.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

fn shipped(file: &str) -> PathBuf {
    testbed::workspace_root().join("deploy").join(file)
}

/// The environment of the compose file: `LUONG__SECTION__KEY: value`.
fn environment_of_compose() -> Vec<(String, String)> {
    let compose = fs::read_to_string(shipped("compose.yaml")).unwrap();
    let variables = compose.lines().filter_map(|line| line.trim().split_once(": "));
    variables
        .filter(|(name, _)| name.starts_with("LUONG__"))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

#[test]
fn the_shipped_configuration_and_the_environment_of_the_compose_file_are_taken() {
    let environment = environment_of_compose();
    assert!(environment.len() >= 5, "{environment:?}");
    let mut luong = Command::new(env!("CARGO_BIN_EXE_luong"));
    luong.args(["config", "--check", "--config"]).arg(shipped("luong.toml")).envs(environment);
    let output = luong.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), said.as_ref()), (Some(0), ""));
}
