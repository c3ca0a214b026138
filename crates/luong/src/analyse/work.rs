//! The analyser of the partitions that are ours, and how far it has folded the log.

use std::collections::{BTreeMap, BTreeSet};

use congestion::{Analyzer, Changes};
use eventlog::Fetched;
use model::{Forecast, LinkId, LinkState, Observation, Timestamp};
use tracing::{error, warn};
use wire::{DecodeError, LogRecord};

use super::Analyse;
use super::checkpoint::{Checkpoints, Saved};
use super::metrics::Metrics;

pub(super) struct Work {
    analyzer: Analyzer,
    positions: BTreeMap<u32, u64>,
    /// Where the partitions ended when this began without a checkpoint: states are told only from there on, so that
    /// nobody's map goes back in time. Empty = caught up.
    behind: BTreeMap<u32, u64>,
    caught_up_before: bool,
    is_from_checkpoint: bool,
    log_time: Timestamp,
}

impl Work {
    /// Goes on from the checkpoint of these partitions if it fits the log up to `ends`, else starts over some while back.
    pub(super) async fn begin(
        analyse: &Analyse,
        owned: &[u32],
        checkpoints: &Checkpoints,
        ends: &[u64],
    ) -> anyhow::Result<Self> {
        let horizon = horizon(analyse).await?;
        let restored = match checkpoints.load(owned) {
            Ok(saved) => saved.and_then(|saved| restore(analyse, saved, &horizon, ends)),
            Err(error) => {
                set_aside(&format!("{error:#}"));
                None
            }
        };
        Ok(restored.unwrap_or_else(|| start_over(analyse, owned, &horizon, ends)))
    }

    pub(super) fn positions(&self) -> &BTreeMap<u32, u64> {
        &self.positions
    }

    pub(super) fn is_from_checkpoint(&self) -> bool {
        self.is_from_checkpoint
    }

    pub(super) fn checkpoint(&self) -> Vec<u8> {
        self.analyzer.checkpoint()
    }

    /// Returns the analyser as of an instant that nothing that it folded is after.
    pub(super) fn into_analyzer(self, at: Timestamp) -> Analyzer {
        let mut analyzer = self.analyzer;
        for &partition in self.positions.keys() {
            // What was received at a boundary counts for it, so it is passed only now.
            analyzer.advance(partition, at.plus_millis(1));
        }
        analyzer
    }

    pub(super) fn caught_up(&self) -> bool {
        self.behind.is_empty()
    }

    /// Tells once that what was missed is folded.
    pub(super) fn just_caught_up(&mut self) -> bool {
        let just = self.caught_up() && !self.caught_up_before;
        self.caught_up_before |= just;
        just
    }

    pub(super) fn log_time(&self) -> Timestamp {
        self.log_time
    }

    /// Returns the state of each owned link of which anything was ever said.
    pub(super) fn snapshot(&self) -> Vec<LinkState> {
        self.analyzer.snapshot().filter(|state| state.valid_at > Timestamp::MIN).collect()
    }

    /// Returns what was last foretold of each owned link.
    pub(super) fn forecasts(&self) -> Vec<Forecast> {
        self.analyzer.forecasts()
    }

    /// Returns the links whose partition is ours.
    pub(super) fn owned_links(&self, analyse: &Analyse) -> BTreeSet<LinkId> {
        let network = &analyse.network;
        network
            .indices()
            .filter(|&link| self.positions.contains_key(&network.partition(link, analyse.partitions)))
            .map(|link| network.link(link).id.clone())
            .collect()
    }

    /// Has the analyser prepare for the records that are folded next.
    pub(super) fn prepare<'r>(&self, coming: impl Iterator<Item = &'r (Fetched, Decoded)> + Clone) {
        for &partition in self.positions.keys() {
            let of_it = coming.clone().filter(|(fetched, _)| fetched.partition == partition);
            self.analyzer.prepare(partition, of_it.filter_map(|(_, decoded)| observation(decoded)));
        }
    }

    /// Folds one record; returns what may be told. A record received after `latest` is not believed: it would move the
    /// clock of its partition so far that nothing else counts any more.
    pub(super) fn fold(
        &mut self,
        (fetched, decoded): &(Fetched, Decoded),
        latest: Option<Timestamp>,
        metrics: &Metrics,
    ) -> Changes {
        let partition = fetched.partition;
        let Some(position) = self.positions.get_mut(&partition) else { return Changes::default() };
        if fetched.offset < *position {
            return Changes::default();
        }
        *position = fetched.offset + 1;
        if self.behind.get(&partition).is_some_and(|&end| *position >= end) {
            self.behind.remove(&partition);
        }
        let record = match decoded {
            Ok(record) => record,
            Err(error) => {
                metrics.undecodable.inc();
                warn!(%error, partition, offset = fetched.offset, "record skipped");
                return Changes::default();
            }
        };
        if latest.is_some_and(|latest| received_at(record) > latest) {
            metrics.from_the_future.inc();
            if metrics.complain_of_the_future() {
                let received_at = received_at(record);
                error!(partition, %received_at, "records from the future are skipped; mend the clock of an ingest machine");
            }
            return Changes::default();
        }
        self.log_time = self.log_time.max(received_at(record));
        let mut changes = fold_one(&mut self.analyzer, partition, record, metrics);
        if !self.caught_up() {
            changes.states.clear();
            changes.forecasts.clear();
        }
        changes
    }
}

/// What stands in a record of the log.
pub(super) type Decoded = Result<LogRecord, DecodeError>;

/// Returns a record of the log with what stands in it.
pub(super) fn decoded(fetched: Fetched) -> (Fetched, Decoded) {
    let decoded = wire::decode_log_record(&fetched.record.value);
    (fetched, decoded)
}

fn observation(decoded: &Decoded) -> Option<&Observation> {
    match decoded {
        Ok(LogRecord::Observation(observation)) => Some(observation),
        _ => None,
    }
}

fn received_at(record: &LogRecord) -> Timestamp {
    match record {
        LogRecord::Marker(at) => *at,
        LogRecord::Observation(observation) => observation.received_at,
    }
}

fn fold_one(analyzer: &mut Analyzer, partition: u32, record: &LogRecord, metrics: &Metrics) -> Changes {
    let at = received_at(record);
    let changes = metrics.timed(at, || analyzer.advance(partition, at));
    if let LogRecord::Observation(observation) = record {
        analyzer.observe(partition, observation);
        metrics.observations.inc();
    }
    changes
}

/// The offsets before which nothing is folded without a checkpoint; a checkpoint from before is as good as none.
async fn horizon(analyse: &Analyse) -> anyhow::Result<Vec<u64>> {
    let since_ms = match analyse.replay {
        None => 0,
        Some(back) => (analyse.clock)().as_millis() - i64::try_from(back.as_millis()).unwrap_or(i64::MAX),
    };
    Ok(analyse.log.offsets_at(wire::topic::OBSERVATIONS, since_ms.max(0)).await?)
}

fn restore(analyse: &Analyse, saved: Saved, horizon: &[u64], ends: &[u64]) -> Option<Work> {
    let at = |offsets: &[u64], partition: u32| offsets.get(partition as usize).copied().unwrap_or_default();
    if let Some((partition, offset)) = saved.positions.iter().find(|&(&p, &offset)| offset > at(ends, p)) {
        set_aside(&format!(
            "it stands at {offset} of partition {partition}, beyond the records that count: another log, or later ones"
        ));
        return None;
    }
    if analyse.replay.is_some() && saved.positions.iter().any(|(&p, &offset)| offset < at(horizon, p)) {
        set_aside("it is older than analyse.replay_h");
        return None;
    }
    let (network, sensors) = (analyse.network.clone(), analyse.sensors.clone());
    match Analyzer::restore(network, sensors, analyse.config.clone(), &saved.state) {
        Ok(analyzer) => Some(Work {
            analyzer,
            positions: saved.positions,
            behind: BTreeMap::new(),
            caught_up_before: true,
            is_from_checkpoint: true,
            log_time: Timestamp::MIN,
        }),
        Err(error) => {
            set_aside(&error.to_string());
            None
        }
    }
}

fn set_aside(why: &str) {
    warn!(why, "checkpoint set aside; the log is read some while back instead");
}

fn start_over(analyse: &Analyse, owned: &[u32], horizon: &[u64], ends: &[u64]) -> Work {
    let at = |offsets: &[u64], partition: u32| offsets.get(partition as usize).copied().unwrap_or_default();
    let positions: BTreeMap<u32, u64> = owned.iter().map(|&p| (p, at(horizon, p))).collect();
    let behind =
        positions.iter().map(|(&p, _)| (p, at(ends, p))).filter(|(p, end)| positions[p] < *end).collect();
    let Analyse { network, sensors, config, partitions, .. } = analyse;
    let analyzer = Analyzer::new(network.clone(), sensors.clone(), config.clone(), owned, *partitions);
    Work {
        analyzer,
        positions,
        behind,
        caught_up_before: false,
        is_from_checkpoint: false,
        log_time: Timestamp::MIN,
    }
}
