//! `luong`: the one service binary. Thin: it reads arguments and configuration, wires the rooms, and stops them.
//!
//! Start with [`service`], which wires the roles, and [`config`], which says what can be set.

mod admin;
mod analyse;
mod backtest;
mod banner;
mod city;
mod config;
mod demo;
mod doctor;
mod explain;
mod logging;
mod network;
mod output;
mod sensors;
mod service;
mod signals;
mod watch;

use std::io::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};

use crate::config::{Config, Sources};
use crate::service::Roles;

#[derive(Parser)]
#[command(
    name = "luong",
    version,
    about = "Traffic management backend: sensors in, the live state of a city's roads out"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,

    #[command(flatten)]
    sources: Sources,

    /// How log lines look on stderr; RUST_LOG says which.
    #[arg(long, global = true, value_enum, default_value_t)]
    log_format: logging::Format,
}

#[derive(Subcommand)]
enum Command {
    /// Runs everything in one process on embedded parts, fed by the demo scenario.
    Up {
        /// Waits for real sensors in place of the demo scenario.
        #[arg(long)]
        no_simulator: bool,
    },
    /// Runs the role that takes sensor events in (needs Kafka).
    Ingest,
    /// Runs the role that computes link states (needs Kafka).
    Analyse,
    /// Runs the role that serves gRPC and the web page (needs Kafka).
    Serve,
    /// Imports, describes, checks and exports road networks.
    #[command(subcommand)]
    Network(network::Command),
    /// Checks sensor registries.
    #[command(subcommand)]
    Sensors(sensors::Command),
    /// Computes link states from a file of observations; no broker, no clock.
    Backtest(backtest::Args),
    /// Prints what the state of a link rests on: readings, weights, neighbours, classes, its queue.
    Explain(explain::Args),
    /// Shows the worst links and the open events of a running service.
    Watch(watch::Args),
    /// Prints the effective configuration, commented, secrets hidden.
    Config {
        /// Only checks; prints nothing when all is well.
        #[arg(long)]
        check: bool,
    },
    /// Tries brokers, topics, network, registry and ports, and says what to mend.
    Doctor,
}

/// What was asked for can't be given: the arguments are to be mended.
#[derive(Debug)]
pub(crate) struct BadArguments(pub(crate) String);

impl std::fmt::Display for BadArguments {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BadArguments {}

/// Why a command failed, as the exit code tells it.
enum Failure {
    /// Bad arguments or configuration.
    Usage(anyhow::Error),
    /// Failed while running.
    Running(anyhow::Error),
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        if error.is::<BadArguments>() { Self::Usage(error) } else { Self::Running(error) }
    }
}

/// What blocks still when all is drained (a broker that hangs) is left to the operating system after this.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// `EX_USAGE` of sysexits.h.
const USAGE: u8 = 64;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return help(&error),
    };
    logging::start(cli.log_format);
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        // Who reads us (`| head`) has read enough.
        Err(Failure::Running(error)) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(Failure::Usage(error)) => {
            tracing::error!("{error:#}");
            ExitCode::from(USAGE)
        }
        Err(Failure::Running(error)) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> Result<(), Failure> {
    let config = || Config::load(&cli.sources, std::env::vars()).map_err(Failure::Usage);
    match cli.command {
        Command::Up { no_simulator } => serve(config()?, Roles::up(no_simulator)),
        Command::Ingest => serve(config()?, Roles::INGEST),
        Command::Analyse => serve(config()?, Roles::ANALYSE),
        Command::Serve => serve(config()?, Roles::SERVE),
        Command::Network(command) => Ok(network::run(command)?),
        Command::Sensors(command) => Ok(sensors::run(command)?),
        Command::Backtest(args) => Ok(backtest::run(args, &config()?.settings)?),
        Command::Explain(args) => {
            let settings = config()?.settings;
            Ok(asynchronously(async |stop| explain::run(args, settings, stop).await)?)
        }
        Command::Watch(args) => Ok(asynchronously(async |stop| watch::run(args, stop).await)?),
        Command::Config { check } => Ok(show(&config()?, check)?),
        Command::Doctor => {
            let config = config()?;
            Ok(asynchronously(async |_| doctor::run(config.settings).await)?)
        }
    }
}

fn serve(config: Config, roles: Roles) -> Result<(), Failure> {
    let settings = roles.complete(config.settings).map_err(Failure::Usage)?;
    Ok(asynchronously(async |stop| service::run(settings, roles, stop).await)?)
}

fn show(config: &Config, check: bool) -> anyhow::Result<()> {
    if !check {
        std::io::stdout().write_all(config.commented().as_bytes())?;
    }
    Ok(())
}

/// Runs on a runtime whose token is cancelled by the first SIGINT or SIGTERM.
fn asynchronously<F>(work: F) -> anyhow::Result<()>
where
    F: AsyncFnOnce(tokio_util::sync::CancellationToken) -> anyhow::Result<()>,
{
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let done = runtime.block_on(async { work(signals::stop_token()?).await });
    runtime.shutdown_timeout(LAST_WORDS);
    done
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let io = error.chain().find_map(|cause| cause.downcast_ref::<std::io::Error>());
    io.is_some_and(|io| io.kind() == std::io::ErrorKind::BrokenPipe)
}

/// Help and version are no errors.
fn help(error: &clap::Error) -> ExitCode {
    let shown = error.print();
    if error.use_stderr() || shown.is_err() { ExitCode::from(USAGE) } else { ExitCode::SUCCESS }
}
