//! Follows the log: its newest records by key first, then everything that comes.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use eventlog::{Consumer, Delivery, Error, Fetched, Log, Start, Subscription};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::book::{BookWriter, Entered, EventBook};
use crate::metrics::Metrics;
use crate::outlook::{Outlook, OutlookWriter};
use crate::picture::{Offered, Picture, PictureWriter};
use crate::shared::Clock;

/// Records taken from the log at once.
const BATCH: usize = 4096;
/// How long to wait before the log is tried again.
const RETRY: Duration = Duration::from_secs(1);
/// A broken or strange record is told in the log at most this often.
const COMPLAIN: Duration = Duration::from_secs(60);

/// What follows a topic: takes records, and publishes what they make from time to time.
pub(crate) trait Follower: Send {
    const TOPIC: &str;

    fn take(&mut self, fetched: Fetched);

    /// Says where the log goes on.
    fn set_positions(&mut self, positions: Vec<u64>);

    fn publish(&mut self);
}

/// Follows a topic until the token is cancelled or the log is closed.
pub(crate) async fn follow<F: Follower>(
    log: Log,
    mut follower: F,
    tick: Duration,
    metrics: Metrics,
    closing: CancellationToken,
) {
    while let Err(error) =
        closing.run_until_cancelled(read(&log, &mut follower, tick)).await.unwrap_or(Ok(()))
    {
        if matches!(error, Error::Closed) {
            return;
        }
        metrics.log_failed();
        warn!(%error, topic = F::TOPIC, "the log can't be read; trying again");
        if closing.run_until_cancelled(tokio::time::sleep(RETRY)).await.is_none() {
            return;
        }
    }
}

/// Reads all there is, then what comes; ends only with an error.
async fn read<F: Follower>(log: &Log, follower: &mut F, tick: Duration) -> Result<(), Error> {
    let latest = log.latest(F::TOPIC).await?;
    let records = latest.records.len();
    latest.records.into_iter().for_each(|fetched| follower.take(fetched));
    follower.set_positions(latest.positions.clone());
    follower.publish();
    info!(topic = F::TOPIC, records, "read what the log holds");
    let start = Start::Offsets(latest.positions);
    let mut consumer = log.consume(Subscription::All { topic: F::TOPIC.into(), start }).await?;
    let mut publish_at = None;
    loop {
        match next(&mut consumer, publish_at).await? {
            Some(fetched) => {
                fetched.into_iter().for_each(|fetched| follower.take(fetched));
                publish_at.get_or_insert_with(|| Instant::now() + tick);
            }
            None => {
                follower.publish();
                publish_at = None;
            }
        }
    }
}

/// Returns the next records, or nothing when it is time to publish.
async fn next(consumer: &mut Consumer, publish_at: Option<Instant>) -> Result<Option<Vec<Fetched>>, Error> {
    let time_to_publish = async {
        match publish_at {
            Some(at) => tokio::time::sleep_until(at).await,
            None => pending().await,
        }
    };
    tokio::select! {
        biased;
        // First, so that a log that never pauses can't keep the picture from being published.
        () = time_to_publish => Ok(None),
        // `Consumer::next` is cancel-safe.
        delivery = consumer.next(BATCH) => match delivery? {
            Delivery::Records(fetched) => Ok(Some(fetched)),
            Delivery::Assigned(_) | Delivery::Revoked(_) => Ok(Some(Vec::new())),
        },
    }
}

/// Follows the link states.
pub(crate) struct States {
    pub(crate) writer: PictureWriter,
    pub(crate) pictures: watch::Sender<Option<Arc<Picture>>>,
    pub(crate) metrics: Metrics,
    pub(crate) clock: Clock,
    pub(crate) complaints: Complaints,
}

impl Follower for States {
    const TOPIC: &str = wire::topic::LINK_STATES;

    fn take(&mut self, fetched: Fetched) {
        let (partition, offset) = (fetched.partition, fetched.offset);
        let outcome = self.writer.offer(fetched);
        self.metrics.state_record(outcome);
        match outcome {
            Offered::Broken if self.complaints.may() => {
                warn!(topic = Self::TOPIC, partition, offset, "a record is no link state; passed over");
            }
            Offered::UnknownLink if self.complaints.may() => {
                warn!(
                    topic = Self::TOPIC,
                    partition, offset, "a state is of a link that this network does not have; passed over"
                );
            }
            _ => {}
        }
    }

    fn set_positions(&mut self, positions: Vec<u64>) {
        self.writer.set_positions(positions);
    }

    fn publish(&mut self) {
        let picture = self.writer.commit();
        let delay = picture.as_of().map(|as_of| (self.clock)().seconds_since(as_of));
        self.metrics.links_committed(picture.known(), delay);
        self.pictures.send_replace(Some(picture));
    }
}

/// Follows the events.
pub(crate) struct Events {
    pub(crate) writer: BookWriter,
    pub(crate) books: watch::Sender<Option<Arc<EventBook>>>,
    pub(crate) metrics: Metrics,
    pub(crate) complaints: Complaints,
}

impl Follower for Events {
    const TOPIC: &str = wire::topic::EVENTS;

    fn take(&mut self, fetched: Fetched) {
        let (partition, offset) = (fetched.partition, fetched.offset);
        let outcome = self.writer.offer(fetched);
        self.metrics.event_record(outcome);
        if outcome == Entered::Broken && self.complaints.may() {
            warn!(topic = Self::TOPIC, partition, offset, "a record is no event; passed over");
        }
    }

    fn set_positions(&mut self, positions: Vec<u64>) {
        self.writer.set_positions(positions);
    }

    fn publish(&mut self) {
        let book = self.writer.commit();
        self.metrics.events_committed(book.open());
        self.books.send_replace(Some(book));
    }
}

/// Follows the forecasts.
pub(crate) struct Forecasts {
    pub(crate) writer: OutlookWriter,
    pub(crate) outlooks: watch::Sender<Option<Arc<Outlook>>>,
    pub(crate) metrics: Metrics,
    pub(crate) complaints: Complaints,
}

impl Follower for Forecasts {
    const TOPIC: &str = wire::topic::FORECASTS;

    fn take(&mut self, fetched: Fetched) {
        let outcome = self.writer.offer(&fetched);
        self.metrics.state_record(outcome);
        if matches!(outcome, Offered::Broken | Offered::UnknownLink) && self.complaints.may() {
            let (partition, offset) = (fetched.partition, fetched.offset);
            warn!(topic = Self::TOPIC, partition, offset, "a record is no forecast of a link; passed over");
        }
    }

    /// No client goes on from a place among the forecasts.
    fn set_positions(&mut self, _positions: Vec<u64>) {}

    fn publish(&mut self) {
        let outlook = self.writer.commit();
        self.metrics.forecasts_committed(outlook.known());
        self.outlooks.send_replace(Some(outlook));
    }
}

/// Says when to complain again.
#[derive(Default)]
pub(crate) struct Complaints(Option<Instant>);

impl Complaints {
    fn may(&mut self) -> bool {
        let now = Instant::now();
        let due = self.0.is_none_or(|last| now - last >= COMPLAIN);
        if due {
            self.0 = Some(now);
        }
        due
    }
}
