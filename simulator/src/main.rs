//! `luong-sim`: runs scenarios of the simulator, lists and checks them, writes cities, compares answers with the truth.

mod arguments;
mod terminal;

use std::fs::File;
use std::io::{self, BufWriter, IsTerminal as _, Write};
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser as _;
use flate2::Compression;
use flate2::write::GzEncoder;
use simulator::{Options, Progress, Run, Scenario, Summary, city};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use arguments::{Arguments, CityArguments, Command, RunArguments, ScoreArguments};

/// Bad arguments or a bad scenario (EX_USAGE of sysexits.h).
const USAGE: u8 = 64;

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            let wrong = error.use_stderr();
            drop(error.print());
            return if wrong { ExitCode::from(USAGE) } else { ExitCode::SUCCESS };
        }
    };
    terminal::log_to_stderr();
    match execute(arguments.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Usage(error)) => failed(&error, USAGE),
        Err(Failure::Running(error)) => failed(&error, 1),
    }
}

/// What went wrong, by whose fault.
enum Failure {
    Usage(anyhow::Error),
    Running(anyhow::Error),
}

fn failed(error: &anyhow::Error, code: u8) -> ExitCode {
    drop(writeln!(io::stderr(), "luong-sim: {error:#}"));
    ExitCode::from(code)
}

fn usage(error: impl Into<anyhow::Error>) -> Failure {
    Failure::Usage(error.into())
}

fn running(error: impl Into<anyhow::Error>) -> Failure {
    Failure::Running(error.into())
}

fn execute(command: Command) -> Result<(), Failure> {
    match command {
        Command::Run(arguments) => run(arguments),
        Command::List => list().map_err(running),
        Command::Validate { scenario } => validate(&scenario),
        Command::Score(arguments) => score(&arguments),
        Command::City(arguments) => write_city(&arguments),
    }
}

fn run(arguments: RunArguments) -> Result<(), Failure> {
    let scenario = Scenario::load(&arguments.scenario).map_err(usage)?;
    let options = Options {
        seed: arguments.seed,
        speed: arguments.speed,
        duration_s: arguments.duration,
        truth: arguments.truth.clone(),
        starts: arguments.starts()?,
        threads: arguments.threads,
        connections: arguments.connections,
    };
    let run = Run::new(&arguments.scenario, scenario, options).map_err(usage)?;
    let runtime = tokio::runtime::Runtime::new().map_err(running)?;
    let summary = match &arguments.events {
        Some(file) => runtime.block_on(write_events(run, file)),
        None => runtime.block_on(publish(run, &arguments)),
    }?;
    terminal::say(&match &arguments.events {
        Some(file) => {
            format!("wrote {} events of {} s to {}", summary.events, summary.seconds, file.display())
        }
        None => format!(
            "published {} events of {} s, {} acknowledged{}",
            summary.events,
            summary.seconds,
            summary.acknowledged,
            if summary.given_up > 0 { format!(", {} given up", summary.given_up) } else { String::new() }
        ),
    });
    Ok(())
}

async fn publish(run: Run, arguments: &RunArguments) -> Result<Summary, Failure> {
    let shutdown = CancellationToken::new();
    terminal::stop_on_signals(shutdown.clone());
    let (progress, watched) = watch::channel(Progress::default());
    let bar = terminal::show(watched, run.duration_s(), run.city());
    let summary = run.run(arguments.broker.clone(), shutdown, progress).await;
    bar.await.map_err(running)?;
    summary.map_err(running)
}

async fn write_events(run: Run, file: &Path) -> Result<Summary, Failure> {
    if run.duration_s() == 0 {
        return Err(usage(anyhow::anyhow!(
            "this scenario never ends; say for how long with --duration SECONDS"
        )));
    }
    let shutdown = CancellationToken::new();
    terminal::stop_on_signals(shutdown.clone());
    let (progress, watched) = watch::channel(Progress::default());
    let bar = terminal::show(watched, run.duration_s(), run.city());
    let opened = File::create(file).with_context(|| format!("{}: can't be written", file.display()));
    let opened = BufWriter::new(opened.map_err(running)?);
    let compressed = file.extension().is_some_and(|ending| ending == "gz");
    let written = tokio::task::spawn_blocking(move || {
        if compressed {
            let mut out = GzEncoder::new(opened, Compression::default());
            let summary = run.write(&mut out, &shutdown, &progress)?;
            out.try_finish().map_err(simulator::RunError::Events)?;
            Ok(summary)
        } else {
            let mut out = opened;
            run.write(&mut out, &shutdown, &progress)
        }
    })
    .await
    .map_err(running)?;
    bar.await.map_err(running)?;
    written.map_err(|error: simulator::RunError| running(error))
}

fn list() -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    for name in Scenario::built_in() {
        let scenario = Scenario::load(name)?;
        let lasts = match scenario.duration_s {
            0 => "endless".to_owned(),
            seconds => format!("{} min", seconds / 60),
        };
        writeln!(out, "{name:<16} {lasts:>8}  {}", scenario.title)?;
    }
    Ok(())
}

fn validate(name: &str) -> Result<(), Failure> {
    let scenario = Scenario::load(name).map_err(usage)?;
    let run = Run::new(name, scenario, Options::default()).map_err(usage)?;
    let city = run.city();
    let (links, sensors) = (city.network.links().len(), city.registry.sensors().len());
    terminal::say(&format!("{name}: good; {}: {links} links, {sensors} sensors", city.title));
    Ok(())
}

fn score(arguments: &ScoreArguments) -> Result<(), Failure> {
    let report = simulator::score(&arguments.truth, &arguments.states).map_err(running)?;
    terminal::say(report.to_string().trim_end());
    Ok(())
}

fn write_city(arguments: &CityArguments) -> Result<(), Failure> {
    let city = match arguments.links {
        Some(links) => city::synthetic(arguments.seed, links),
        None => city::demo(),
    }
    .map_err(usage)?;
    city::export(&city, &arguments.out)
        .with_context(|| format!("{}: can't be written", arguments.out.display()))
        .map_err(running)?;
    let (links, sensors) = (city.network.links().len(), city.registry.sensors().len());
    terminal::say(&format!("{}\n{links} links, {sensors} sensors", city.title));
    if io::stdout().is_terminal() {
        let out = arguments.out.display();
        terminal::say(&format!("next: luong network import {out}/city.geojson --out {out}/city.roadnet"));
    }
    Ok(())
}
