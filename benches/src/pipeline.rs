//! A published event until it is acknowledged: through the listener into the local log, and into Kafka, directly and by
//! way of Mosquitto. Ingest runs as a process of its own, so that its CPU time is its alone.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use eventlog::Log;
use ingest::Ingest;
use roadnet::LinkIndex;
use testbed::{Kafka, Mosquitto};
use tokio_util::sync::CancellationToken;

use crate::fixture::{self, City};
use crate::load::Publisher;
use crate::log::{append_all, batches, topic};
use crate::table::{Table, median_of};

const LINKS: usize = 10_000;
const EVENTS: u64 = 400_000;
const BATCH: u64 = 500;
const WINDOW: u64 = 20_000;
/// Linux counts CPU time in hundredths of a second (`sysconf(_SC_CLK_TCK)`).
const TICKS_PER_S: f64 = 100.0;

pub(crate) fn listener_to_local(table: &mut Table) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let process = Measured::start(&["--ingest", &format!("local={}", folder.path().join("log").display())])?;
    let taken = drive(&process.address, &process)?;
    taken.tell(table, "listener -> local log", "100 k/s per core");
    Ok(())
}

pub(crate) fn into_kafka(table: &mut Table) -> Result<()> {
    let kafka = Kafka::start()?;
    let servers = kafka.bootstrap_servers();
    let runtime = tokio::runtime::Runtime::new()?;
    let config = eventlog::kafka::Config { bootstrap_servers: servers.clone(), ..Default::default() };
    let log = Log::open_kafka(config)?;
    runtime
        .block_on(log.ensure_topics(&[topic(wire::topic::OBSERVATIONS), topic(wire::topic::DEAD_LETTERS)]))?;
    let records = batches(100)?;
    let producer =
        median_of(100_000, || runtime.block_on(append_all(&log, &records)).expect("Kafka answers"));
    table.time("producer alone -> Kafka, wall time a record", producer, None, "-");
    let process = Measured::start(&["--ingest", &format!("kafka={servers}")])?;
    drive(&process.address, &process)?.tell(table, "listener -> Kafka", "60 k/s per core");
    drop(process);
    let broker = Mosquitto::start()?;
    let process = Measured::start(&["--ingest", &format!("kafka={servers},broker={}", broker.url())])?;
    let before = runtime.block_on(log.end_offsets(wire::topic::OBSERVATIONS))?.iter().sum::<u64>();
    let watched =
        || Ok(runtime.block_on(log.end_offsets(wire::topic::OBSERVATIONS))?.iter().sum::<u64>() - before);
    let taken = drive_until(&format!("127.0.0.1:{}", broker.port()), &process, watched)?;
    taken.tell(table, "Mosquitto -> ingest -> Kafka", "60 k/s per core");
    Ok(())
}

/// What a run took.
struct Taken {
    events: u64,
    wall_s: f64,
    cpu_s: f64,
}

impl Taken {
    fn tell(&self, table: &mut Table, what: &str, bar: &str) {
        let per_event = self.cpu_s / self.events as f64;
        let figure = format!(
            "{:.0} events/s acknowledged, {:.2} µs CPU an event = {:.0} events/s per core",
            self.events as f64 / self.wall_s,
            per_event * 1e6,
            1.0 / per_event,
        );
        table.figure(what, figure, bar);
    }
}

/// Publishes and waits for the acknowledgements.
fn drive(address: &str, process: &Measured) -> Result<Taken> {
    drive_until(address, process, || Ok(u64::MAX))
}

/// Publishes until everything is acknowledged and `stored` says that it is there.
fn drive_until(address: &str, process: &Measured, stored: impl Fn() -> Result<u64>) -> Result<Taken> {
    let links = fixture::city(LINKS)?.network.links().len() as u64;
    let mut publisher = Publisher::connect(address, "bench")?;
    let now = fixture::now();
    let batches: Vec<Vec<_>> = (0..EVENTS / BATCH)
        .map(|batch| {
            let seqs = batch * BATCH..(batch + 1) * BATCH;
            let event = |seq: u64| {
                (fixture::topic(LinkIndex((seq * 7_919 % links) as u32)), fixture::payload(seq, now))
            };
            seqs.map(event).collect()
        })
        .collect();
    let (start, cpu) = (Instant::now(), process.cpu_s()?);
    for batch in &batches {
        publisher.publish(batch, WINDOW)?;
    }
    publisher.settle()?;
    while stored()? < EVENTS {
        if start.elapsed().as_secs() > 300 {
            bail!("{} of {EVENTS} events stored after 300 s", stored()?);
        }
    }
    Ok(Taken { events: EVENTS, wall_s: start.elapsed().as_secs_f64(), cpu_s: process.cpu_s()? - cpu })
}

/// What is measured, in a process of its own.
pub(crate) struct Measured {
    child: Child,
    pub(crate) address: String,
}

impl Measured {
    /// Starts this program with hidden arguments; it prints where it listens.
    pub(crate) fn start(arguments: &[&str]) -> Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut address = String::new();
        BufReader::new(child.stdout.take().context("stdout is piped")?).read_line(&mut address)?;
        Ok(Self { child, address: address.trim().to_owned() })
    }

    /// Writes a line to it.
    pub(crate) fn tell(&mut self, line: &str) -> Result<()> {
        Ok(writeln!(self.child.stdin.as_mut().context("stdin is piped")?, "{line}")?)
    }

    /// User and system time so far.
    pub(crate) fn cpu_s(&self) -> Result<f64> {
        cpu_s(self.child.id())
    }
}

impl Drop for Measured {
    fn drop(&mut self) {
        // It ends when its input does; a failure here leaves a process that ends by itself.
        drop(self.child.stdin.take());
        drop(self.child.wait());
    }
}

/// Returns the user and system time of a process (`man 5 proc`, fields 14 and 15).
fn cpu_s(process: u32) -> Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    let after_name = stat.rsplit(')').next().context("a process has a name")?;
    let ticks: Vec<f64> =
        after_name.split_whitespace().skip(11).take(2).filter_map(|t| t.parse().ok()).collect();
    Ok(ticks.iter().sum::<f64>() / TICKS_PER_S)
}

/// Runs ingest until standard input ends.
pub(crate) fn measured_process(arguments: &str) -> Result<()> {
    let City { network, registry } = fixture::city(LINKS)?;
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        let (mut log, mut broker) = (None, None);
        for (key, value) in arguments.split(',').filter_map(|argument| argument.split_once('=')) {
            match key {
                "local" => {
                    log = Some(Log::open_local(value.as_ref(), eventlog::local::Config::default()).await?)
                }
                "kafka" => {
                    let config =
                        eventlog::kafka::Config { bootstrap_servers: value.into(), ..Default::default() };
                    log = Some(Log::open_kafka(config)?);
                }
                _ => broker = Some(value.to_owned()),
            }
        }
        let log = log.context("a log is named")?;
        log.ensure_topics(&[topic(wire::topic::OBSERVATIONS), topic(wire::topic::DEAD_LETTERS)]).await?;
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let parts = ingest::Parts {
            listener: Some(listener),
            broker,
            log: log.clone(),
            network,
            registry,
            clock: Arc::new(fixture::now),
            metrics: prometheus::Registry::new(),
        };
        let ingest = Ingest::start(ingest::Config::default(), parts, &CancellationToken::new())?;
        writeln!(std::io::stdout(), "{address}")?;
        tokio::task::spawn_blocking(|| std::io::copy(&mut std::io::stdin(), &mut std::io::sink())).await??;
        ingest.shutdown().await;
        Ok(log.close().await?)
    })
}
