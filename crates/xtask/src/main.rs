//! `cargo xtask`: sets up what the tests need, and runs all of them.
//!
//! It knows the tools (cargo, apt, Maven, npm) and nothing of traffic. Where a thing is put is `testbed`'s word, since
//! the tests look there.
#![expect(clippy::print_stdout, reason = "a build tool's results go to stdout")]

mod setup;
mod test;

mod count;
mod page;
mod run;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Sets up and runs every check of this repository")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Makes available what the tests need: Mosquitto, Kafka, Python's gRPC, Chromium and the checkers.
    Setup,
    /// Runs every check: format, licences, clippy, rustdoc, all tests, the page.
    Test,
    /// Runs the checks that are no tests: format, licences, clippy, rustdoc.
    Check,
    /// Rebuilds the web page that is committed beside its sources.
    Page,
}

fn main() -> ExitCode {
    let done = match Cli::parse().task {
        Task::Setup => setup::all(),
        Task::Test => test::all(),
        Task::Check => test::checks(),
        Task::Page => page::build(),
    };
    if let Err(error) = done {
        // Not by returning it: a backtrace of the task runner says nothing about what failed.
        eprintln!("error: {error:#}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
