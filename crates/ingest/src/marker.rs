//! Clock markers: they keep the clock of every partition moving while no reading comes.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use eventlog::{Append, Log, Record};
use model::Timestamp;
use tokio::time::{MissedTickBehavior, timeout};
use tokio_util::sync::CancellationToken;
use tracing::debug;

use crate::clock::Complete;
use crate::lane::RecordKeys;
use crate::metrics::Metrics;
use crate::status::Health;

/// Writes a marker into every partition of the observations each `period`, until it is stopped. A tick is left out
/// while the log still works on the one before: an old clock says nothing that a later one does not say better.
pub(crate) async fn write_markers(
    log: Log,
    keys: Arc<RecordKeys>,
    complete: Complete,
    metrics: Arc<Metrics>,
    health: Arc<Health>,
    period: Duration,
    stop: CancellationToken,
) {
    let mut ticks = tokio::time::interval(period.max(Duration::from_millis(1)));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while stop.run_until_cancelled(ticks.tick()).await.is_some() {
        let Some(until) = complete.until() else { continue };
        match tell_if_slow(append(&log, &keys, until), &health).await {
            Ok(()) => {
                health.log_works();
                metrics.markers.inc_by(u64::from(keys.partitions()));
            }
            // The lanes meet the same failure with data in their hands, and say it.
            Err(error) => {
                health.log_fails(&error.to_string());
                debug!(%error, "the log did not take the clock markers");
            }
        }
    }
}

/// Markers are always on their way, so they notice a log that hangs before a device does.
async fn tell_if_slow<T>(append: impl Future<Output = T>, health: &Health) -> T {
    /// Ten times what a busy log takes.
    const PATIENCE: Duration = Duration::from_secs(5);
    let mut append = pin!(append);
    if let Ok(done) = timeout(PATIENCE, append.as_mut()).await {
        return done;
    }
    health.log_fails("it has not answered for 5 s");
    append.await
}

async fn append(log: &Log, keys: &RecordKeys, received_at: Timestamp) -> Result<(), eventlog::Error> {
    let value = wire::encode_marker(received_at);
    let marker = |partition| Append {
        topic: keys.observations(),
        partition,
        record: Record { value: value.clone(), timestamp_ms: received_at.as_millis(), ..Record::default() },
    };
    log.append((0..keys.partitions()).map(marker).collect()).await?.await
}
