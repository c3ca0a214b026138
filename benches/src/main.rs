//! `cargo run --release -p benches -- [part …]`: measures each part beside its floor, in one run, and prints the table
//! that `RESULTS.md` keeps.
//!
//! A *floor* is the least that any program would have to do: parse the same bytes, copy the same bytes, write them to the
//! same disk. Figures of one machine differ from another's and from day to day; the ratio to the floor differs less.
#![expect(clippy::print_stdout, reason = "the table is this program's result")]

mod corridor;
mod fixture;
mod load;
mod matrix;
mod table;

mod analyser;
mod decode;
mod forecast;
mod i5;
mod latency;
mod log;
mod pipeline;
mod serving;

use std::path::PathBuf;

use anyhow::Result;
use clap::Parser;

use crate::table::Table;

#[derive(Parser)]
#[command(name = "bench", about = "Measures each part beside its floor")]
struct Cli {
    /// Parts to measure: decode, log, listener, kafka, analyser, serving, latency. All of these when none is named; and those
    /// that want data of the real world, `i5` and `forecast`, when they are.
    parts: Vec<String>,

    /// Folder of the Interstate 5 sample, for `i5` and `forecast`.
    #[arg(long)]
    data: Option<PathBuf>,

    /// For `forecast`: CSV of speeds, a row each five minutes, a column each sensor; the first may hold the time.
    #[arg(long, requires = "adjacency")]
    speeds: Option<PathBuf>,

    /// For `forecast`: CSV of `from,to,metres` (to = downstream), or a square matrix of weights in the order of the sensors.
    #[arg(long, requires = "speeds")]
    adjacency: Option<PathBuf>,

    /// Runs as the measured ingest process (used by the program itself).
    #[arg(long, hide = true)]
    ingest: Option<String>,

    /// Runs as the measured gateway (used by the program itself).
    #[arg(long, hide = true)]
    gateway: Option<String>,
}

fn main() -> Result<()> {
    let cli = Cli::parse();
    if let Some(log) = &cli.ingest {
        return pipeline::measured_process(log);
    }
    if let Some(log) = &cli.gateway {
        return serving::measured_process(log);
    }
    let names = |name: &str| cli.parts.iter().any(|part| part == name);
    if names("i5") {
        println!("{}", i5::report(cli.data.as_deref())?);
    }
    if names("forecast") {
        let matrix = cli.speeds.as_deref().zip(cli.adjacency.as_deref());
        println!("{}", forecast::report(matrix, cli.data.as_deref())?);
    }
    type Part = fn(&mut Table) -> Result<()>;
    let parts: [(&str, Part); 7] = [
        ("decode", decode::measure),
        ("log", log::measure),
        ("listener", pipeline::listener_to_local),
        ("kafka", pipeline::into_kafka),
        ("analyser", analyser::measure),
        ("serving", serving::measure),
        ("latency", latency::measure),
    ];
    let mut table = Table::default();
    for (name, measure) in parts {
        if cli.parts.is_empty() || names(name) {
            eprintln!("measuring {name} …");
            measure(&mut table)?;
        }
    }
    if !table.is_empty() {
        println!("{table}");
    }
    Ok(())
}
