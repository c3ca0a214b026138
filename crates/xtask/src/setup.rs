//! What the tests need beyond cargo. Each part is quick when it is there already, and says one line.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::OnceLock,
};

use anyhow::{Context, Result, bail};
use testbed::{Chromium, Kafka, components, workspace_root};

use crate::run::{command, in_ci, quietly};

/// Builds with the workspace's `rust-version`.
const CARGO_DENY: &str = "0.20.2";

/// Kafka logs through SLF4J and brings no logger; the tests wait for a line of its log.
const SLF4J: &str = "1.7.36";

struct Part {
    name: &'static str,
    /// What is skipped without it.
    tests: &'static str,
    set_up: fn() -> Result<()>,
}

const PARTS: [Part; 8] = [
    Part { name: "Mosquitto", tests: "those that talk to a real broker", set_up: mosquitto },
    Part { name: "Apache Kafka", tests: "those that talk to a real Kafka", set_up: kafka },
    Part { name: "Python with grpcio", tests: "those with a gRPC client that is not ours", set_up: python },
    Part { name: "Chromium", tests: "those of the page in a real browser", set_up: chromium },
    Part { name: "promtool", tests: "the checks of deploy/prometheus.yml and its rules", set_up: promtool },
    Part { name: "docker-compose", tests: "the check of deploy/compose.yaml", set_up: compose },
    Part { name: "cargo-deny", tests: "the check of licences, bans and sources", set_up: deny },
    Part {
        name: "npm packages",
        tests: "the page's own, and whether the committed page is current",
        set_up: npm,
    },
];

/// Sets up every part.
///
/// # Errors
///
/// In CI, when a part can't be had. Elsewhere that is said, and its tests are skipped.
pub(crate) fn all() -> Result<()> {
    let mut missing = Vec::new();
    for part in PARTS {
        match (part.set_up)() {
            Ok(()) => println!("setup: {}: ready", part.name),
            Err(error) => {
                println!(
                    "setup: {}: MISSING: {error:#}\n       skipped without it: {}",
                    part.name, part.tests
                );
                missing.push(part.name);
            }
        }
    }
    if in_ci() && !missing.is_empty() {
        bail!("CI may skip nothing; missing: {}", missing.join(", "));
    }
    Ok(())
}

fn mosquitto() -> Result<()> {
    from_debian("/usr/sbin/mosquitto", "mosquitto")?;
    from_debian("/usr/bin/mosquitto_pub", "mosquitto-clients")
}

fn chromium() -> Result<()> {
    if Chromium::path().is_ok() { Ok(()) } else { from_debian("/usr/bin/chromium", "chromium") }
}

/// Debian packs promtool with the server.
fn promtool() -> Result<()> {
    from_debian("/usr/bin/promtool", "prometheus")
}

/// Its `config` command checks a compose file and needs no engine.
fn compose() -> Result<()> {
    from_debian("/usr/bin/docker-compose", "docker-compose")
}

/// Installs the Debian package that brings a program, where we may, and leaves its service stopped: one that runs
/// would hold the usual port.
fn from_debian(program: &str, package: &str) -> Result<()> {
    static UPDATED: OnceLock<()> = OnceLock::new();
    if Path::new(program).exists() {
        return Ok(());
    }
    if !rustix::process::geteuid().is_root() || !Path::new("/usr/bin/apt-get").exists() {
        bail!("no {program}; install it with: sudo apt-get install {package}");
    }
    if UPDATED.get().is_none() {
        apt_get(&["update"])?;
        UPDATED.get_or_init(|| ());
    }
    apt_get(&["install", "--yes", "--no-install-recommends", package])?;
    if Path::new("/etc/init.d").join(package).exists() {
        // Fails where nothing was started, which is as good.
        quietly(command("service").args([package, "stop"])).ok();
    }
    Ok(())
}

fn apt_get(args: &[&str]) -> Result<()> {
    quietly(command("apt-get").arg("--quiet").args(args).env("DEBIAN_FRONTEND", "noninteractive"))
}

/// Resolves Kafka and all that it stands on with a manifest of three lines, and lays the jars side by side.
fn kafka() -> Result<()> {
    let folder = components().join("kafka");
    if is_ready(&folder, Kafka::VERSION) {
        return Ok(Kafka::prepare()?);
    }
    empty(&folder)?;
    fs::write(folder.join("pom.xml"), pom())?;
    quietly(command("mvn").current_dir(&folder).args([
        "-q",
        "-B",
        "dependency:copy-dependencies",
        "-DincludeScope=runtime",
        "-DoutputDirectory=lib",
    ]))?;
    mark_ready(&folder, Kafka::VERSION)?;
    Ok(Kafka::prepare()?)
}

fn pom() -> String {
    let dependency = |group: &str, artifact: &str, version: &str| {
        format!(
            "<dependency><groupId>{group}</groupId><artifactId>{artifact}</artifactId>\
             <version>{version}</version></dependency>"
        )
    };
    format!(
        "<project><modelVersion>4.0.0</modelVersion><groupId>luong</groupId><artifactId>testbed</artifactId>\
         <version>1</version><packaging>pom</packaging><dependencies>{}{}</dependencies></project>\n",
        dependency("org.apache.kafka", "kafka_2.13", Kafka::VERSION),
        dependency("org.slf4j", "slf4j-simple", SLF4J),
    )
}

fn python() -> Result<()> {
    let folder = components().join("venv");
    let requirements = workspace_root().join("crates/testbed/python/requirements.txt");
    let wanted = fs::read_to_string(&requirements).context("crates/testbed/python/requirements.txt")?;
    if is_ready(&folder, &wanted) {
        return Ok(());
    }
    empty(&folder)?;
    quietly(command("python3").args(["-m", "venv"]).arg(&folder))?;
    quietly(
        command(&text(&folder.join("bin/python")))
            .args(["-m", "pip", "install", "-q", "-r"])
            .arg(requirements),
    )?;
    mark_ready(&folder, &wanted)
}

/// Builds cargo-deny once, unoptimised: that takes a minute, and it runs for two seconds.
fn deny() -> Result<()> {
    if cargo_deny().is_some() {
        return Ok(());
    }
    let folder = components().join("cargo-deny");
    empty(&folder)?;
    let install =
        ["install", "cargo-deny", "--version", CARGO_DENY, "--locked", "--debug", "--quiet", "--root"];
    let mut cargo = command("cargo");
    cargo.args(install).arg(&folder).env("CARGO_TARGET_DIR", folder.join("build"));
    quietly(cargo.env("CARGO_PROFILE_DEV_DEBUG", "false"))?;
    fs::remove_dir_all(folder.join("build")).context("cargo-deny's build folder")?;
    mark_ready(&folder, CARGO_DENY)
}

/// Returns the path of our cargo-deny, if it has been built.
pub(crate) fn cargo_deny() -> Option<String> {
    let folder = components().join("cargo-deny");
    is_ready(&folder, CARGO_DENY).then(|| text(&folder.join("bin/cargo-deny")))
}

/// The page's packages, as its lock file says.
pub(crate) fn npm() -> Result<()> {
    let page = workspace_root().join("crates/gateway/page");
    let lock = page.join("package-lock.json");
    if !lock.exists() {
        return Ok(());
    }
    let wanted = fs::read_to_string(&lock).with_context(|| text(&lock))?;
    let modules = page.join("node_modules");
    if is_ready(&modules, &wanted) {
        return Ok(());
    }
    let install = ["ci", "--ignore-scripts", "--no-audit", "--no-fund"];
    quietly(command("npm").current_dir(&page).args(install))?;
    mark_ready(&modules, &wanted)
}

/// A part is ready when its folder says for which version; an interrupted set-up has not got that far.
fn is_ready(folder: &Path, version: &str) -> bool {
    fs::read_to_string(folder.join(".ready")).is_ok_and(|ready| ready == version)
}

fn mark_ready(folder: &Path, version: &str) -> Result<()> {
    fs::write(folder.join(".ready"), version).with_context(|| text(folder))
}

fn empty(folder: &PathBuf) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| text(folder))?;
    }
    fs::create_dir_all(folder).with_context(|| text(folder))
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
