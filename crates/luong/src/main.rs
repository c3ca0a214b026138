//! `luong`: the one service binary. Thin: it reads arguments and configuration, wires the rooms, and stops them.

mod backtest;
mod network;
mod sensors;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(
    name = "luong",
    version,
    about = "Traffic management backend: sensors in, the live state of a city's roads out"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Imports, describes, checks and exports road networks.
    #[command(subcommand)]
    Network(network::Command),
    /// Checks sensor registries.
    #[command(subcommand)]
    Sensors(sensors::Command),
    /// Computes link states from a file of observations; no broker, no clock.
    Backtest(backtest::Args),
}

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    let done = match cli.command {
        Command::Network(command) => network::run(command),
        Command::Sensors(command) => sensors::run(command),
        Command::Backtest(args) => backtest::run(args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

/// 64 = `EX_USAGE`; help and version are no errors.
fn usage(error: &clap::Error) -> ExitCode {
    let shown = error.print();
    if error.use_stderr() || shown.is_err() { ExitCode::from(64) } else { ExitCode::SUCCESS }
}
