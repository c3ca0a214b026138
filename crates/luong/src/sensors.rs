//! `luong sensors`: checks sensor registries.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Subcommand;
use roadnet::{Network, Registry, RegistryReport, SensorKind};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Puts each sensor on its link and says which rows are wrong and why; fails when one is.
    Check {
        /// The network file.
        #[arg(long)]
        network: PathBuf,
        /// The registry: CSV or GeoJSON.
        #[arg(long)]
        sensors: PathBuf,
    },
}

pub(crate) fn run(command: Command) -> anyhow::Result<()> {
    let Command::Check { network, sensors } = command;
    let report = load(&sensors, &crate::network::load(&network)?)?;
    show(&report, &mut std::io::stdout().lock())?;
    match report.rejected() {
        0 => Ok(()),
        _ => anyhow::bail!("{} has rows that are wrong", sensors.display()),
    }
}

/// Reads a registry of sensors.
pub(crate) fn load(path: &Path, network: &Network) -> anyhow::Result<RegistryReport> {
    let file = File::open(path).with_context(|| format!("can't open the sensors {}", path.display()))?;
    Ok(Registry::from_csv_or_geojson(file, network))
}

fn show(report: &RegistryReport, out: &mut impl Write) -> anyhow::Result<()> {
    for fault in &report.faults {
        writeln!(out, "{fault}")?;
    }
    let sensors = report.registry.sensors();
    for kind in SensorKind::ALL {
        let count = sensors.iter().filter(|sensor| sensor.kind == kind).count();
        if count > 0 {
            writeln!(out, "{count:>9}  {}", kind.name())?;
        }
    }
    let warnings = report.faults.len() - report.rejected();
    Ok(writeln!(
        out,
        "{} sensors taken, {} of them put on a link by their position; {} faults, {warnings} warnings",
        sensors.len(),
        report.snapped,
        report.rejected(),
    )?)
}
