//! The `analyse` role: the shell around the pure analyser. It reads observations from the log, and appends link states
//! and events to it.
//!
//! State = fold of the log. A checkpoint holds (state, positions); recovery = checkpoint + tail. What is read again
//! after a crash gives the same bytes again: link states are compacted by key, and events that the log holds already
//! are not appended twice.

mod checkpoint;
mod metrics;
mod output;
mod past;
mod work;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use self::checkpoint::Checkpoints;
use self::metrics::Metrics;
use self::output::Output;
use self::work::Work;
use anyhow::Context as _;
use eventlog::{Consumer, Delivery, Fetched, Log, Subscription};
use model::Timestamp;
use roadnet::{Network, Registry};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::city::City;
use crate::config::Settings;
use crate::service::{Clock, wall_clock};

pub(crate) use self::past::fold_until;

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
    pub(crate) clock: Clock,
    /// A record received further in the future than this is not believed, s; absent in event time.
    pub(crate) max_skew_s: Option<f64>,
}

impl Analyse {
    /// Returns what the configuration says of the role.
    pub(crate) fn new(settings: &Settings, city: &City, log: Log) -> Self {
        let wall = settings.clock.mode == ingest::ClockMode::Wall;
        Self {
            log,
            network: city.network.clone(),
            sensors: city.sensors.clone(),
            config: settings.analyser.clone(),
            partitions: settings.log.partitions,
            folder: settings.data_dir.join("analyse"),
            checkpoint_every: Duration::from_secs(settings.analyse.checkpoint_every_s),
            replay: wall.then(|| Duration::from_secs(settings.analyse.replay_h * 3600)),
            clock: wall_clock(),
            max_skew_s: wall.then_some(settings.clock.max_skew_s),
        }
    }
}

impl Analyse {
    /// Returns the time after which a record is not believed.
    fn latest(&self) -> Option<Timestamp> {
        self.max_skew_s.map(|skew_s| (self.clock)() + (skew_s * 1000.0) as i64)
    }
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
    let output = Output::new(analyse.log.clone(), analyse.network.clone(), analyse.partitions);
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
        self.work = None;
        if self.owned.is_empty() {
            return Ok(());
        }
        // Another process may have worked on these partitions meanwhile.
        self.output.read_known().await?;
        let ends = self.analyse.log.end_offsets(wire::topic::OBSERVATIONS).await?;
        let work = Work::begin(&self.analyse, &self.owned, &self.checkpoints, &ends).await?;
        for (&partition, &offset) in work.positions() {
            consumer.seek(partition, offset)?;
        }
        info!(partitions = ?self.owned, "analysing");
        self.work = Some(work);
        Ok(())
    }

    async fn fold(&mut self, records: Vec<Fetched>) -> anyhow::Result<()> {
        let Some(work) = &mut self.work else { return Ok(()) };
        let latest = self.analyse.latest();
        let records: Vec<_> = records.into_iter().map(work::decoded).collect();
        for few in records.chunks(congestion::AT_ONCE) {
            work.prepare(few.iter());
            for record in few {
                let changes = work.fold(record, latest, &self.metrics);
                self.output.append(changes, &self.metrics).await?;
            }
        }
        if work.just_caught_up() {
            self.output.append_snapshot(work.snapshot(), work.forecasts(), &self.metrics).await?;
            self.output.clear_orphans(&work.owned_links(&self.analyse), work.log_time()).await?;
        }
        Ok(())
    }

    /// Writes a checkpoint, once everything that it stands for is durable in the log.
    async fn save(&mut self, consumer: &mut Consumer) -> anyhow::Result<()> {
        self.saved = Instant::now();
        // What is half caught up has told nothing yet; it is begun anew after a restart.
        let Some(work) = self.work.as_ref().filter(|work| work.caught_up()) else { return Ok(()) };
        self.output.settle().await?;
        self.checkpoints.save(&self.owned, work.positions(), work.checkpoint())?;
        self.metrics.checkpoints.inc();
        let positions: Vec<_> =
            work.positions().iter().map(|(&partition, &offset)| (partition, offset)).collect();
        // Only lag is read from committed offsets; a group that is just rebalancing refuses them.
        if let Err(error) = consumer.commit(&positions).await {
            warn!(%error, "the group's offsets could not be stored; the checkpoint holds them");
        }
        Ok(())
    }
}
