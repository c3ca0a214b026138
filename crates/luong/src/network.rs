//! `luong network`: imports, describes, checks and exports road networks.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Subcommand;
use roadnet::import::{ImportReport, Remark, read_any};
use roadnet::{Network, RoadClass};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Makes a network file of a map: OSM (.osm.pbf, .osm, .osm.xml), SUMO (.net.xml), GeoJSON; each also gzipped.
    Import {
        /// The map.
        file: PathBuf,
        /// Where the network file goes.
        #[arg(long)]
        out: PathBuf,
    },
    /// Says what a network holds, by road class.
    Info {
        /// The network file.
        file: PathBuf,
    },
}

pub(crate) fn run(command: Command) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    match command {
        Command::Import { file, out: to } => import(&file, &to, &mut out),
        Command::Info { file } => info(&load(&file)?, &mut out),
    }
}

/// Reads a network file.
pub(crate) fn load(path: &Path) -> anyhow::Result<Network> {
    let file = File::open(path).with_context(|| format!("can't open the network {}", path.display()))?;
    Network::read(file).with_context(|| format!("can't read the network {}", path.display()))
}

fn import(from: &Path, to: &Path, out: &mut impl Write) -> anyhow::Result<()> {
    let file = File::open(from).with_context(|| format!("can't open the map {}", from.display()))?;
    let imported = read_any(&from.display().to_string(), file)?;
    store(&imported.network, to)?;
    report(&imported.report, out)?;
    info(&imported.network, out)?;
    Ok(writeln!(out, "written to {}", to.display())?)
}

/// Writes beside the old file and puts the new one in its place, so that a crash leaves one of them whole.
fn store(network: &Network, to: &Path) -> anyhow::Result<()> {
    let mut part = to.as_os_str().to_owned();
    part.push(".part");
    let part = PathBuf::from(part);
    let file = File::create(&part).with_context(|| format!("can't write {}", part.display()))?;
    let mut buffered = BufWriter::new(file);
    network.write(&mut buffered).with_context(|| format!("can't write {}", part.display()))?;
    buffered.into_inner()?.sync_all()?;
    std::fs::rename(&part, to).with_context(|| format!("can't put {} in its place", to.display()))
}

fn report(report: &ImportReport, out: &mut impl Write) -> anyhow::Result<()> {
    let lists: [(&str, &[Remark]); 3] =
        [("read", &report.read), ("left out", &report.dropped), ("noted", &report.noted)];
    for (title, remarks) in lists.into_iter().filter(|(_, remarks)| !remarks.is_empty()) {
        writeln!(out, "{title}")?;
        for remark in remarks {
            let example =
                if remark.example.is_empty() { String::new() } else { format!("  ({})", remark.example) };
            writeln!(out, "{:>9}  {}{example}", remark.count, remark.what)?;
        }
    }
    Ok(())
}

fn info(network: &Network, out: &mut impl Write) -> anyhow::Result<()> {
    writeln!(out, "{:<13}{:>8}{:>10}", "class", "links", "km")?;
    for class in RoadClass::ALL {
        let of_class = || network.links().iter().filter(|link| link.class == class);
        let km: f64 = of_class().map(|link| f64::from(link.length_m)).sum::<f64>() / 1000.0;
        if of_class().next().is_some() {
            writeln!(out, "{:<13}{:>8}{km:>10.1}", class.name(), of_class().count())?;
        }
    }
    let km: f64 = network.links().iter().map(|link| f64::from(link.length_m)).sum::<f64>() / 1000.0;
    writeln!(out, "{:<13}{:>8}{km:>10.1}", "all", network.links().len())?;
    Ok(writeln!(out, "network version {}", network.version())?)
}
