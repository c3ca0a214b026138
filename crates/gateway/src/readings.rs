//! How many readings enter the log, for a dashboard to show that the city lives.
//!
//! Counted from the ends of the observations' partitions, so that nothing has to be read. The clock markers among the
//! records are no readings: how many come is measured from time to time by reading along for a second.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use eventlog::{Delivery, Error, Log, Start, Subscription};
use tokio::time::{Instant, sleep, timeout_at};
use tracing::debug;
use wire::LogRecord;
use wire::topic::OBSERVATIONS;

use crate::shared::Shared;

/// How often the ends are looked at.
const LOOK: Duration = Duration::from_secs(1);
/// What the rate is averaged over, in looks.
const LOOKS: usize = 5;
/// How often the markers are counted anew: their number changes when an ingest process comes or goes.
const RECOUNT: Duration = Duration::from_secs(30);
/// How long they are counted; each process writes four a second into each partition.
const COUNTING: Duration = Duration::from_secs(1);
/// A marker is one short field; a reading is longer.
const LONGEST_MARKER: usize = 32;
/// Records taken from the log at once.
const BATCH: usize = 4096;

/// Keeps the rate current until the gateway stops; not known while the log can't be read.
pub(crate) async fn keep_counting(log: Log, shared: Arc<Shared>) {
    while let Some(ended) = shared.closing.run_until_cancelled(count(&log, &shared)).await {
        shared.readings.set_per_s(None);
        match ended {
            Ok(never) => match never {},
            Err(Error::Closed) => return,
            Err(error) => debug!(%error, "readings can't be counted; trying again"),
        }
        if shared.closing.run_until_cancelled(sleep(RECOUNT)).await.is_none() {
            return;
        }
    }
}

async fn count(log: &Log, shared: &Shared) -> Result<std::convert::Infallible, Error> {
    loop {
        let markers_per_s = markers_per_s(log).await?;
        let mut ends = Ends::default();
        let recount_at = Instant::now() + RECOUNT;
        while Instant::now() < recount_at {
            let records = log.end_offsets(OBSERVATIONS).await?.iter().sum();
            ends.note(Instant::now(), records);
            if let Some(records_per_s) = ends.per_s() {
                shared.readings.set_per_s(Some((records_per_s - markers_per_s).max(0.0)));
            }
            sleep(LOOK).await;
        }
    }
}

/// Reads along for a second.
async fn markers_per_s(log: &Log) -> Result<f64, Error> {
    let subscription = Subscription::All { topic: OBSERVATIONS.into(), start: Start::End };
    let mut consumer = log.consume(subscription).await?;
    let started = Instant::now();
    let mut markers = 0u32;
    while let Ok(delivery) = timeout_at(started + COUNTING, consumer.next(BATCH)).await {
        let Delivery::Records(fetched) = delivery? else { continue };
        let are_markers = fetched.iter().filter(|fetched| is_marker(&fetched.record.value)).count();
        markers += u32::try_from(are_markers).unwrap_or(u32::MAX);
    }
    Ok(f64::from(markers) / started.elapsed().as_secs_f64())
}

fn is_marker(value: &[u8]) -> bool {
    value.len() <= LONGEST_MARKER && matches!(wire::decode_log_record(value), Ok(LogRecord::Marker(_)))
}

/// The last looks at the ends.
#[derive(Default)]
struct Ends(VecDeque<(Instant, u64)>);

impl Ends {
    fn note(&mut self, at: Instant, records: u64) {
        if self.0.len() > LOOKS {
            self.0.pop_front();
        }
        self.0.push_back((at, records));
    }

    fn per_s(&self) -> Option<f64> {
        let (&(first_at, first), &(last_at, last)) = (self.0.front()?, self.0.back()?);
        let seconds = (last_at - first_at).as_secs_f64();
        (seconds > 0.0).then(|| last.saturating_sub(first) as f64 / seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_that_of_the_last_looks() {
        let mut ends = Ends::default();
        let start = Instant::now();
        assert_eq!(ends.per_s(), None);
        for second in 0..20u32 {
            let records = if second < 10 { 0 } else { 100 * u64::from(second - 10) };
            ends.note(start + second * LOOK, records);
        }
        assert_eq!(ends.per_s(), Some(100.0));
    }
}
