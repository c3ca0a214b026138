//! The analyser as it was at an instant of the log.

use std::collections::BTreeMap;
use std::fmt;

use anyhow::Context as _;
use congestion::Analyzer;
use eventlog::{Delivery, Fetched, Log, Start, Subscription};
use model::Timestamp;
use wire::topic::OBSERVATIONS;

use super::checkpoint::Checkpoints;
use super::metrics::Metrics;
use super::work::{self, Work};
use super::{Analyse, FETCH_RECORDS};
use crate::BadArguments;

/// From where on what is explained was folded.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Since {
    /// The role's checkpoint: all that it had learned counts.
    Checkpoint,
    /// All of the log, with nothing before it.
    Beginning,
    /// A record received then: what the role had learned before is not there.
    Record(Timestamp),
}

impl fmt::Display for Since {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Checkpoint => f.write_str("folded from the service's checkpoint: this is what was told"),
            Self::Beginning => f.write_str("folded from the beginning of the log"),
            Self::Record(at) => write!(
                f,
                "folded from {at} on, without what was learned before: what was told may have been another"
            ),
        }
    }
}

/// Folds the log up to an instant, or to its end: from the role's checkpoint where one of all partitions fits, else from
/// `analyse.replay_h` before.
pub(crate) async fn fold_until(
    analyse: Analyse,
    until: Option<Timestamp>,
) -> anyhow::Result<(Analyzer, Since)> {
    let log = &analyse.log;
    let (begin, end) = (log.offsets_at(OBSERVATIONS, 0).await?, log.end_offsets(OBSERVATIONS).await?);
    let last: Vec<u64> =
        end.iter().zip(&begin).map(|(end, begin)| end.saturating_sub(1).max(*begin)).collect();
    let newest = newest(&times(log, &last, &end).await?, analyse.latest());
    let newest = newest.ok_or_else(|| BadArguments("the log holds no observations".to_owned()))?;
    let until = until.unwrap_or(newest);
    if until > newest {
        return Err(BadArguments(format!("{until} is after the end of the log, {newest}")).into());
    }
    let ends = log.offsets_at(OBSERVATIONS, until.as_millis() + 1).await?;
    if ends.iter().zip(&begin).all(|(end, begin)| end <= begin) {
        let oldest = times(log, &begin, &end).await?.into_iter().min().unwrap_or(newest);
        return Err(BadArguments(format!("{until} is before the log begins, {oldest}")).into());
    }
    let analyse = Analyse { clock: std::sync::Arc::new(move || until), ..analyse };
    let owned: Vec<u32> = (0..analyse.partitions).collect();
    let checkpoints = Checkpoints::new(analyse.folder.clone());
    let mut work = Work::begin(&analyse, &owned, &checkpoints, &ends).await?;
    let metrics = Metrics::register(&prometheus::Registry::new())?;
    let positions: Vec<u64> = work.positions().values().copied().collect();
    let since = since(&analyse.log, &work, &positions, &end).await?;
    let latest = analyse.latest();
    read(&analyse.log, positions, &ends, |fetched| {
        drop(work.fold(&work::decoded(fetched), latest, &metrics))
    })
    .await?;
    Ok((work.into_analyzer(until), since))
}

/// Returns the newest of the partitions' last records. One that is dated later than the service believes is dated by a wrong clock, and
/// does not tell where the log ends.
fn newest(times: &[Timestamp], latest: Option<Timestamp>) -> Option<Timestamp> {
    let believed = times.iter().copied().filter(|at| latest.is_none_or(|latest| *at <= latest)).max();
    believed.or(latest.filter(|_| !times.is_empty()))
}

async fn since(log: &Log, work: &Work, positions: &[u64], end: &[u64]) -> anyhow::Result<Since> {
    if work.is_from_checkpoint() {
        return Ok(Since::Checkpoint);
    }
    if positions.iter().all(|offset| *offset == 0) {
        return Ok(Since::Beginning);
    }
    let first = times(log, positions, end).await?.into_iter().min();
    Ok(first.map_or(Since::Beginning, Since::Record))
}

/// Returns the time of the record at each of those offsets, where there is one.
async fn times(log: &Log, offsets: &[u64], end: &[u64]) -> anyhow::Result<Vec<Timestamp>> {
    let next: Vec<u64> = offsets.iter().zip(end).map(|(offset, end)| (*offset + 1).min(*end)).collect();
    let mut times = Vec::new();
    let take = |fetched: Fetched| times.push(Timestamp::from_millis(fetched.record.timestamp_ms));
    read(log, offsets.to_vec(), &next, take).await?;
    Ok(times)
}

/// Reads the records from those offsets to before those ends.
async fn read(log: &Log, from: Vec<u64>, ends: &[u64], mut take: impl FnMut(Fetched)) -> anyhow::Result<()> {
    let mut missing: BTreeMap<u32, u64> = (0..).zip(ends.iter().copied()).collect();
    missing.retain(|partition, end| from.get(*partition as usize).is_some_and(|from| from < end));
    let subscription = Subscription::All { topic: OBSERVATIONS.into(), start: Start::Offsets(from) };
    let mut consumer = log.consume(subscription).await.context("reading observations")?;
    while !missing.is_empty() {
        let Delivery::Records(records) = consumer.next(FETCH_RECORDS).await? else { continue };
        for fetched in records {
            let Some(end) = missing.get(&fetched.partition).copied() else { continue };
            if fetched.offset + 1 >= end {
                missing.remove(&fetched.partition);
            }
            if fetched.offset < end {
                take(fetched);
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_of_the_future_does_not_tell_where_the_log_ends() {
        let at = Timestamp::from_millis;
        let latest = Some(at(100));
        assert_eq!(newest(&[at(90), at(80)], latest), Some(at(90)));
        assert_eq!(newest(&[at(90), at(86_400_000)], latest), Some(at(90)));
        assert_eq!(newest(&[at(86_400_000)], latest), latest);
        assert_eq!(newest(&[], latest), None);
        assert_eq!(newest(&[at(90), at(86_400_000)], None), Some(at(86_400_000)), "all are believed");
    }
}
