//! `luong backtest`: observations in a file in, states in a file out. No broker, no clock.
//!
//! The lines are taken by `received_at`, then identity, whatever their order in the file; the rows of boundary T hold what
//! was known from the events received by T. The same code that runs live decodes, places and analyses them.

mod asked;
mod lines;
mod tables;
#[cfg(test)]
mod tests;

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, ensure};
use congestion::Analyzer;
use ingest::{ClockMode, Normaliser};
use model::Timestamp;
use roadnet::{Network, Registry};

use crate::config::Settings;
use crate::{BadArguments, explain, network, output, sensors};

/// Computes link states from a file of observations.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The network file that `luong network import` wrote.
    #[arg(long)]
    network: PathBuf,
    /// The sensor registry (CSV or GeoJSON).
    #[arg(long)]
    sensors: PathBuf,
    /// Native events, one JSON object a line, with `sensor_id`, `kind` and perhaps `received_at` (.ndjson or .ndjson.gz).
    #[arg(long)]
    observations: PathBuf,
    /// Where the states go (.csv or .csv.gz).
    #[arg(long)]
    out: PathBuf,
    /// Where the events go (.ndjson or .ndjson.gz).
    #[arg(long)]
    events: Option<PathBuf>,
    /// Seconds between the boundaries at which all links are written.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..))]
    every: u32,
    /// Explains the state of a link at the time of --at, or at the end (repeatable; each with its own --at, in the same order).
    #[arg(long, value_name = "LINK")]
    explain: Vec<String>,
    /// Log time of an explanation (RFC 3339, or epoch milliseconds).
    #[arg(long, value_parser = Timestamp::parse, requires = "explain")]
    at: Vec<Timestamp>,
    /// Threads that decode; the result does not depend on it.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..))]
    threads: u16,
}

impl Args {
    fn refuse_same(&self) -> anyhow::Result<()> {
        let mut files = vec![
            ("--network", self.network.as_path()),
            ("--sensors", &self.sensors),
            ("--observations", &self.observations),
            ("--out", &self.out),
        ];
        files.extend(self.events.as_deref().map(|path| ("--events", path)));
        output::refuse_same(&files)
    }
}

/// One process owns all of the log here, so that there is nothing to split.
const PARTITION: u32 = 0;

/// Runs with the analyser and the rules of the configuration, as the service would.
pub(crate) fn run(args: Args, settings: &Settings) -> anyhow::Result<()> {
    args.refuse_same()?;
    let network = Arc::new(network::load(&args.network)?);
    let report = sensors::load(&args.sensors, &network)?;
    let wrong = report.rejected();
    let registry = Arc::new(report.registry);
    ensure!(
        !registry.sensors().is_empty(),
        "{} has no usable sensor; `luong sensors check` says why",
        args.sensors.display()
    );
    let normaliser =
        Normaliser::new(network.clone(), registry.clone(), settings.ingest.rules.clone(), ClockMode::Wall);
    let read = lines::read(&args.observations, &normaliser, usize::from(args.threads))?;
    if let Some(gap) = &read.gap {
        tracing::warn!("{gap}");
    }
    let asked = asked::Asked::new(&args.explain, &args.at, &network, &read.observations)?;
    let written = if read.observations.is_empty() {
        None
    } else {
        Some(replay(&args, asked, network, registry, settings.analyser.clone(), &read)?)
    };
    let mut out = std::io::stdout().lock();
    if wrong > 0 {
        writeln!(out, "{wrong} rows of the sensor registry not used; `luong sensors check` says why")?;
    }
    write!(out, "{}", read.summary())?;
    let written =
        written.context("no event could be used: are the network and the registry those of the events?")?;
    Ok(writeln!(out, "{written} rows written to {}", args.out.display())?)
}

fn replay(
    args: &Args,
    mut asked: asked::Asked,
    network: Arc<Network>,
    registry: Arc<Registry>,
    config: congestion::Config,
    read: &lines::Read,
) -> anyhow::Result<u64> {
    let every_ms = i64::from(args.every) * 1000;
    if every_ms % config.graph_boundary_ms != 0 {
        let graph_s = config.graph_boundary_ms as f64 / 1000.0;
        let text = format!(
            "--every {} is not a multiple of the {graph_s} s at which the road graph is judged",
            args.every
        );
        return Err(BadArguments(text).into());
    }
    let mut states = tables::States::create(&args.out)?;
    let mut events = args.events.as_deref().map(tables::Events::create).transpose()?;
    let mut analyzer = Analyzer::new(network, registry, config, &[PARTITION], 1);
    let mut advance = |analyzer: &mut Analyzer, log_time: Timestamp| {
        let changes = analyzer.advance(PARTITION, log_time);
        events.as_mut().map_or(Ok(()), |events| events.write(&changes.events))
    };
    let mut until = |analyzer: &mut Analyzer, log_time: Timestamp| {
        while let Some((at, link)) = asked.before(log_time) {
            advance(analyzer, at.plus_millis(1))?;
            explain::print(analyzer, link)?;
        }
        advance(analyzer, log_time)
    };
    let first = read.observations.first().map(|o| o.received_at);
    let mut boundary = first.map(|at| at.plus_millis(-1).floor(every_ms).plus_millis(every_ms));
    for few in read.observations.chunks(congestion::AT_ONCE) {
        analyzer.prepare(PARTITION, few);
        for observation in few {
            while let Some(at) = boundary.filter(|at| *at < observation.received_at) {
                // What was received at a boundary counts for it, so it is passed only now.
                until(&mut analyzer, at.plus_millis(1))?;
                states.write(at, &analyzer)?;
                boundary = Some(at.plus_millis(every_ms));
            }
            until(&mut analyzer, observation.received_at)?;
            analyzer.observe(PARTITION, observation);
        }
    }
    if let Some(at) = boundary {
        until(&mut analyzer, at.plus_millis(1))?;
        states.write(at, &analyzer)?;
    }
    if let Some(events) = events {
        events.finish().context("can't write the events")?;
    }
    states.finish()
}
