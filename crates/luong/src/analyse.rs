//! The `analyse` role: the shell around the pure analyser. It reads observations from the log, and appends link states
//! and events to it.
//!
//! State = fold of the log. A checkpoint holds (state, positions); recovery = checkpoint + tail. What is read again
//! after a crash gives the same bytes again: link states are compacted by key, and events that the log holds already
//! are not appended twice.

mod checkpoint;
mod metrics;
mod output;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use congestion::{Analyzer, Changes};
use eventlog::{Consumer, Delivery, Fetched, Log, Subscription};
use model::Timestamp;
use roadnet::{Network, Registry};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use wire::LogRecord;

use self::checkpoint::Checkpoints;
use self::metrics::Metrics;
use self::output::Output;

/// Consumer group of all `analyse` processes.
const GROUP: &str = "luong.analyse";

/// Records a fetch brings at most: some milliseconds of work, so that shutdown is heard soon.
const FETCH_RECORDS: usize = 4096;

/// What the role needs.
pub(crate) struct Analyse {
    pub(crate) log: Log,
    pub(crate) network: Arc<Network>,
    pub(crate) sensors: Arc<Registry>,
    pub(crate) config: congestion::Config,
    pub(crate) partitions: u32,
    /// Where checkpoints are kept.
    pub(crate) folder: PathBuf,
    pub(crate) checkpoint_every: Duration,
    /// How far back the log is read where there is no checkpoint; absent = all of it, as records of a replay have no
    /// age that the wall clock could tell.
    pub(crate) replay: Option<Duration>,
    pub(crate) clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
}

/// Tells whether the role works.
#[derive(Clone, Default)]
pub(crate) struct Status(Arc<AtomicBool>);

impl Status {
    pub(crate) fn ready(&self) -> Result<(), String> {
        if self.0.load(Ordering::Relaxed) {
            Ok(())
        } else {
            Err("waiting for partitions of the log".to_owned())
        }
    }
}

/// Runs until `stop`, then writes a last checkpoint.
pub(crate) async fn run(
    analyse: Analyse,
    metrics: prometheus::Registry,
    status: Status,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let metrics = Metrics::register(&metrics)?;
    let topic: Arc<str> = wire::topic::OBSERVATIONS.into();
    let subscription = Subscription::Group { topic, group: GROUP.into() };
    let mut consumer = analyse.log.consume(subscription).await.context("reading observations")?;
    let output = Output::new(analyse.log.clone(), analyse.network.clone(), analyse.partitions).await?;
    let mut shell = Shell {
        checkpoints: Checkpoints::new(analyse.folder.clone()),
        owned: Vec::new(),
        work: None,
        saved: Instant::now(),
        analyse,
        output,
        metrics,
        status,
    };
    while let Some(delivery) = stop.run_until_cancelled(consumer.next(FETCH_RECORDS)).await {
        shell.take(delivery?, &mut consumer).await?;
    }
    shell.save(&mut consumer).await
}

struct Shell {
    analyse: Analyse,
    checkpoints: Checkpoints,
    output: Output,
    metrics: Metrics,
    status: Status,
    owned: Vec<u32>,
    work: Option<Work>,
    saved: Instant,
}

/// The analyser of the partitions that are ours, and what it has folded.
struct Work {
    analyzer: Analyzer,
    positions: BTreeMap<u32, u64>,
}

impl Shell {
    async fn take(&mut self, delivery: Delivery, consumer: &mut Consumer) -> anyhow::Result<()> {
        match delivery {
            Delivery::Assigned(more) => {
                self.owned.extend(more);
                self.reassign(consumer).await?;
            }
            Delivery::Revoked(less) => {
                self.save(consumer).await?;
                self.owned.retain(|partition| !less.contains(partition));
                self.reassign(consumer).await?;
            }
            Delivery::Records(records) => {
                self.fold(records).await?;
                if self.saved.elapsed() >= self.analyse.checkpoint_every {
                    self.save(consumer).await?;
                }
            }
        }
        Ok(())
    }

    /// Starts over with the partitions that are ours now: from their checkpoint, or from a while back in the log.
    async fn reassign(&mut self, consumer: &mut Consumer) -> anyhow::Result<()> {
        self.owned.sort_unstable();
        self.owned.dedup();
        self.status.0.store(!self.owned.is_empty(), Ordering::Relaxed);
        if self.owned.is_empty() {
            self.work = None;
            return Ok(());
        }
        let work = match self.restore() {
            Some(work) => work,
            None => start_over(&self.analyse, &self.owned).await?,
        };
        for (&partition, &offset) in &work.positions {
            consumer.seek(partition, offset)?;
        }
        info!(partitions = ?self.owned, "analysing");
        self.work = Some(work);
        Ok(())
    }

    fn restore(&self) -> Option<Work> {
        let saved = match self.checkpoints.load(&self.owned) {
            Ok(saved) => saved?,
            Err(error) => {
                warn!(error = format!("{error:#}"), "checkpoint set aside; reading the log instead");
                return None;
            }
        };
        let Analyse { network, sensors, config, .. } = &self.analyse;
        match Analyzer::restore(network.clone(), sensors.clone(), config.clone(), &saved.state) {
            Ok(analyzer) => Some(Work { analyzer, positions: saved.positions }),
            Err(error) => {
                warn!(%error, "checkpoint set aside; reading the log instead");
                None
            }
        }
    }

    async fn fold(&mut self, records: Vec<Fetched>) -> anyhow::Result<()> {
        let Some(work) = &mut self.work else { return Ok(()) };
        for fetched in records {
            let Some(position) = work.positions.get_mut(&fetched.partition) else { continue };
            if fetched.offset < *position {
                continue;
            }
            *position = fetched.offset + 1;
            let changes = match wire::decode_log_record(&fetched.record.value) {
                Ok(record) => fold_one(&mut work.analyzer, fetched.partition, &record, &self.metrics),
                Err(error) => {
                    self.metrics.undecodable.inc();
                    warn!(%error, partition = fetched.partition, offset = fetched.offset, "record skipped");
                    continue;
                }
            };
            self.output.append(changes, &self.metrics).await?;
        }
        Ok(())
    }

    /// Writes a checkpoint, once everything that it stands for is durable in the log.
    async fn save(&mut self, consumer: &mut Consumer) -> anyhow::Result<()> {
        self.saved = Instant::now();
        let Some(work) = &self.work else { return Ok(()) };
        self.output.settle().await?;
        self.checkpoints.save(&self.owned, &work.positions, work.analyzer.checkpoint())?;
        let positions: Vec<_> =
            work.positions.iter().map(|(&partition, &offset)| (partition, offset)).collect();
        consumer.commit(&positions).await?;
        self.metrics.checkpoints.inc();
        Ok(())
    }
}

fn fold_one(analyzer: &mut Analyzer, partition: u32, record: &LogRecord, metrics: &Metrics) -> Changes {
    match record {
        LogRecord::Marker(at) => metrics.timed(*at, || analyzer.advance(partition, *at)),
        LogRecord::Observation(observation) => {
            let at = observation.received_at;
            let changes = metrics.timed(at, || analyzer.advance(partition, at));
            analyzer.observe(partition, observation);
            metrics.observations.inc();
            changes
        }
    }
}

/// Begins with nothing but the log, some while back.
async fn start_over(analyse: &Analyse, owned: &[u32]) -> anyhow::Result<Work> {
    let since = match analyse.replay {
        None => i64::MIN,
        Some(back) => (analyse.clock)().as_millis() - i64::try_from(back.as_millis()).unwrap_or(i64::MAX),
    };
    let offsets = analyse.log.offsets_at(wire::topic::OBSERVATIONS, since.max(0)).await?;
    let positions = owned
        .iter()
        .map(|&partition| (partition, offsets.get(partition as usize).copied().unwrap_or_default()))
        .collect();
    let Analyse { network, sensors, config, partitions, .. } = analyse;
    let analyzer = Analyzer::new(network.clone(), sensors.clone(), config.clone(), owned, *partitions);
    Ok(Work { analyzer, positions })
}
