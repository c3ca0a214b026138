//! `luong network`: imports, describes, checks and exports road networks.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Subcommand, ValueEnum};
use model::VehicleClass;
use roadnet::import::{ImportReport, Remark, read_any};
use roadnet::{Link, Network, RoadClass, check, export};

use crate::output::Output;

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
    /// Lists what looks wrong with a network.
    Check {
        /// The network file.
        file: PathBuf,
        /// How many links are named for each fault.
        #[arg(long, default_value_t = 5)]
        show: usize,
    },
    /// Writes a network for other programs.
    Export {
        /// The network file.
        file: PathBuf,
        /// GeoJSON for maps (can be imported again), CSV for tables.
        #[arg(long, value_enum, default_value_t = ExportFormat::Geojson)]
        format: ExportFormat,
        /// Where it goes; standard output when absent.
        #[arg(long)]
        out: Option<PathBuf>,
    },
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExportFormat {
    Geojson,
    Csv,
}

pub(crate) fn run(command: Command) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    match command {
        Command::Import { file, out: to } => import(&file, &to, &mut out),
        Command::Info { file } => info(&load(&file)?, &mut out),
        Command::Check { file, show } => list_faults(&load(&file)?, show, &mut out),
        Command::Export { file, format, out: Some(to) } => {
            let network = load(&file)?;
            replace(&to, |to| export_to(&network, format, to))
        }
        Command::Export { file, format, out: None } => export_to(&load(&file)?, format, out),
    }
}

fn export_to(network: &Network, format: ExportFormat, to: impl Write) -> anyhow::Result<()> {
    match format {
        ExportFormat::Geojson => export::geojson(network, BufWriter::new(to))?,
        ExportFormat::Csv => export::csv(network, to)?,
    }
    Ok(())
}

/// Reads a network file.
pub(crate) fn load(path: &Path) -> anyhow::Result<Network> {
    let file = File::open(path).with_context(|| format!("can't open the network {}", path.display()))?;
    Network::read(file).with_context(|| format!("can't read the network {}", path.display()))
}

fn import(from: &Path, to: &Path, out: &mut impl Write) -> anyhow::Result<()> {
    let file = File::open(from).with_context(|| format!("can't open the map {}", from.display()))?;
    let imported = read_any(&from.display().to_string(), file)?;
    replace(to, |file| Ok(imported.network.write(file)?))?;
    report(&imported.report, out)?;
    info(&imported.network, out)?;
    Ok(writeln!(out, "written to {}", to.display())?)
}

/// Puts a file in its place when it is whole.
fn replace(to: &Path, write: impl FnOnce(&mut Output) -> anyhow::Result<()>) -> anyhow::Result<()> {
    let can_not = || format!("can't write {}", to.display());
    let mut file = Output::create(to)?;
    write(&mut file).with_context(can_not)?;
    file.finish().with_context(can_not)
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
    let links = network.links();
    writeln!(
        out,
        "{:<13}{:>8}{:>10}   known:{:>7}{:>7}{:>7}",
        "class", "links", "km", "lanes", "width", "speed"
    )?;
    for class in RoadClass::ALL {
        let of_class: Vec<&Link> = links.iter().filter(|link| link.class == class).collect();
        if !of_class.is_empty() {
            writeln!(out, "{}", summary(class.name(), &of_class))?;
        }
    }
    writeln!(out, "{}", summary("all", &links.iter().collect::<Vec<_>>()))?;
    let two_wheels = links.iter().filter(|link| !link.allowed.contains(VehicleClass::Car)).count();
    let signals = links.iter().filter(|link| link.signal_at_end).count();
    let parts = check::components(network);
    writeln!(out, "{:>9}  nodes", network.nodes().len())?;
    writeln!(out, "{signals:>9}  links end at a traffic light")?;
    writeln!(out, "{two_wheels:>9}  links are closed to cars")?;
    let turns: usize = network.indices().map(|link| network.downstream(link).len()).sum();
    writeln!(out, "{turns:>9}  turns")?;
    let largest = parts.first().copied().unwrap_or_default();
    writeln!(out, "{:>9}  separate parts; the largest has {largest} links", parts.len())?;
    if let Some(bounds) = network.bounds() {
        let (min, max) = (bounds.min, bounds.max);
        writeln!(out, "from {:.5}, {:.5} to {:.5}, {:.5} (lon, lat)", min.lon, min.lat, max.lon, max.lat)?;
    }
    Ok(writeln!(out, "network version {}", network.version())?)
}

/// Returns one row: how many, how long, and the share whose attributes the map tells.
fn summary(name: &str, links: &[&Link]) -> String {
    let km: f64 = links.iter().map(|link| f64::from(link.length_m)).sum::<f64>() / 1000.0;
    let known = |default: fn(&Link) -> bool| {
        let known = links.iter().filter(|link| !default(link)).count();
        format!("{:.0} %", 100.0 * known as f64 / links.len().max(1) as f64)
    };
    let lanes = known(|link| link.defaults.lanes);
    let width = known(|link| link.defaults.width);
    let speed = known(|link| link.defaults.speed_limit);
    format!("{name:<13}{:>8}{km:>10.1}         {lanes:>7}{width:>7}{speed:>7}", links.len())
}

fn list_faults(network: &Network, show: usize, out: &mut impl Write) -> anyhow::Result<()> {
    let findings = check::check(network);
    for finding in &findings {
        writeln!(out, "{:>9}  links: {}", finding.links.len(), finding.fault.meaning())?;
        let named = finding.links.iter().take(show).map(|&link| network.link(link).id.as_str());
        let named = named.collect::<Vec<_>>().join(", ");
        let more = if finding.links.len() > show { ", …" } else { "" };
        if show > 0 {
            writeln!(out, "           {named}{more}")?;
        }
    }
    if findings.is_empty() {
        writeln!(out, "{} links, nothing looks wrong", network.links().len())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAP: &str = "<osm version='0.6'>
        <node id='1' lon='106.68' lat='20.86'/><node id='2' lon='106.681' lat='20.86'/>
        <way id='7'><nd ref='1'/><nd ref='2'/><tag k='highway' v='residential'/></way>
        <way id='8'><nd ref='1'/><nd ref='2'/><tag k='highway' v='footway'/></way></osm>";

    fn imported(folder: &Path, map: &str) -> (PathBuf, anyhow::Result<String>) {
        let (from, to) = (folder.join("map.osm"), folder.join("city.roadnet"));
        std::fs::write(&from, map).unwrap();
        let mut said = Vec::new();
        let done = import(&from, &to, &mut said);
        (to, done.map(|()| String::from_utf8(said).unwrap()))
    }

    #[test]
    fn an_import_says_what_was_read_and_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let (to, said) = imported(folder.path(), MAP);
        let said = said.unwrap();
        let network = load(&to).unwrap();
        for line in [
            "        1  ways taken as roads".to_owned(),
            "        1  ways highway=footway that no tag opens to motor vehicles  (way 8)".to_owned(),
            format!("network version {}", network.version()),
        ] {
            assert!(said.lines().any(|said| said == line), "{line:?} is not in\n{said}");
        }
    }

    #[test]
    fn a_failed_import_leaves_the_old_file_whole() {
        let folder = tempfile::tempdir().unwrap();
        let (to, _) = imported(folder.path(), MAP);
        let before = load(&to).unwrap().version();
        let (_, failed) = imported(folder.path(), &MAP[..200]);
        assert!(format!("{:#}", failed.unwrap_err()).contains("is cut off"));
        assert_eq!(load(&to).unwrap().version(), before);
    }

    #[test]
    fn an_export_can_be_imported_again() {
        let folder = tempfile::tempdir().unwrap();
        let network = load(&imported(folder.path(), MAP).0).unwrap();
        let mut text = Vec::new();
        export_to(&network, ExportFormat::Geojson, &mut text).unwrap();
        let back = read_any("city.geojson", text.as_slice()).unwrap().network;
        assert_eq!(back.version(), network.version());
    }
}
