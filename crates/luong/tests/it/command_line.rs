//! Arguments, configuration and exit codes.

use std::process::{Command, Output};

fn luong(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_luong")).args(args).output().unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_wrong_argument_exits_with_64() {
    assert_eq!(luong(&["upp"]).status.code(), Some(64));
    assert_eq!(luong(&["--help"]).status.code(), Some(0));
}

#[test]
fn a_wrong_key_exits_with_64_and_names_the_nearest() {
    let output = luong(&["config", "--check", "--set", "gateway.listn=127.0.0.1:1"]);
    assert_eq!(output.status.code(), Some(64));
    assert!(stderr(&output).contains("gateway.listen"), "{}", stderr(&output));
}

#[test]
fn a_role_alone_over_the_embedded_log_is_refused_in_words() {
    for role in ["ingest", "analyse", "serve"] {
        let output = luong(&[role]);
        assert_eq!(output.status.code(), Some(64), "{role}");
        assert!(stderr(&output).contains("luong up"), "{}", stderr(&output));
    }
}

#[test]
fn the_printed_configuration_is_a_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("luong.toml");
    std::fs::write(&file, luong(&["config"]).stdout).unwrap();
    let output = luong(&["config", "--check", "--config", file.to_str().unwrap()]);
    assert_eq!((output.status.code(), stderr(&output)), (Some(0), String::new()));
}

#[test]
fn a_missing_configuration_file_is_named() {
    let output = luong(&["config", "--config", "/no/such/luong.toml"]);
    assert_eq!(output.status.code(), Some(64));
    assert!(stderr(&output).contains("/no/such/luong.toml"));
}

#[test]
fn an_address_in_use_says_which_key_to_change() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let address = taken.local_addr().unwrap();
    let set = format!("admin.listen={address}");
    let output = luong(&["up", "--data-dir", folder.path().to_str().unwrap(), "--set", &set]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("--set admin.listen="), "{}", stderr(&output));
}

#[test]
fn the_doctor_says_what_to_mend() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let set = format!("gateway.listen={}", taken.local_addr().unwrap());
    let args = ["--set", &set, "--set", "gateway.dashboard=off", "--set", "admin.listen=off"];
    let output = luong(&[&["doctor", "--data-dir", folder.path().to_str().unwrap()], &args[..]].concat());
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("MEND  gateway.listen") && said.contains("ok    log"), "{said}");
}
