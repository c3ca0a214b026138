//! `cargo run --release -p benches -- [part …]`: measures each part beside its floor, in one run, and prints the table
//! that `RESULTS.md` keeps.
//!
//! A *floor* is the least that any program would have to do: parse the same bytes, copy the same bytes, write them to the
//! same disk. Figures of one machine differ from another's and from day to day; the ratio to the floor differs less.
#![expect(clippy::print_stdout, reason = "the table is this program's result")]

mod fixture;
mod load;
mod table;

mod analyser;
mod decode;
mod latency;
mod log;
mod pipeline;
mod serving;

use anyhow::Result;
use clap::Parser;

use crate::table::Table;

#[derive(Parser)]
#[command(name = "bench", about = "Measures each part beside its floor")]
struct Cli {
    /// Parts to measure: decode, log, listener, kafka, analyser, serving, latency. All when none is named.
    parts: Vec<String>,

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
        if cli.parts.is_empty() || cli.parts.iter().any(|part| part == name) {
            eprintln!("measuring {name} …");
            measure(&mut table)?;
        }
    }
    println!("{table}");
    Ok(())
}
