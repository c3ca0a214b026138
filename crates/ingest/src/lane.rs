//! Lanes: bounded queues between the connections and the log, each with one worker.
//!
//! A connection keeps to one lane, so what it sent stays in order. A full lane makes the connection stop reading, and
//! the device or the broker holds the rest; nothing is dropped here. The worker takes whatever is ready (no artificial
//! delay), decodes and normalises it, hands it to the log as one batch and goes on with the next; many batches wait for
//! the log at once. A batch that the log does not take is tried again until it does: it stays unacknowledged, the lane
//! fills, and reading stops.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use eventlog::{Append, Log, Receipt, Record};
use futures_util::stream::{self, StreamExt as _};
use model::{ReadingKind, Timestamp};
use roadnet::LinkIndex;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tracing::{debug, warn};

use crate::ack::Ticket;
use crate::clock::{EventTime, LogClock, Stamp};
use crate::metrics::Metrics;
use crate::normalise::{Normaliser, Placed};
use crate::notice::Notice;
use crate::topic::EventTopic;
use crate::{Reason, Reject, decode};

/// One publish as it came.
#[derive(Clone, Debug)]
pub(crate) struct Inbound {
    /// MQTT topic; not necessarily UTF-8.
    pub(crate) topic: Bytes,
    /// All of it, or its beginning.
    pub(crate) payload: Bytes,
    /// Its length, where it was over the limit and only its beginning was kept.
    pub(crate) cut_from: Option<usize>,
}

/// What one connection received at once.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) messages: Vec<Inbound>,
    pub(crate) ticket: Ticket,
}

/// Where connections put their batches.
#[derive(Debug)]
pub(crate) struct Lanes {
    senders: Vec<mpsc::Sender<Batch>>,
    next: AtomicU64,
}

/// Batches of one lane that may wait for the log at once.
const IN_FLIGHT: usize = 32;
/// Batches that one hand-over to the log may be made of.
const AT_ONCE: usize = 64;

impl Lanes {
    /// Opens that many lanes; each holds `capacity` batches. Their workers are yours to run.
    pub(crate) fn open(count: usize, capacity: usize) -> (Self, Vec<mpsc::Receiver<Batch>>) {
        let (senders, receivers) = (0..count.max(1)).map(|_| mpsc::channel(capacity.max(1))).unzip();
        (Self { senders, next: AtomicU64::new(0) }, receivers)
    }

    /// Returns the lane of a new connection.
    pub(crate) fn assign(&self) -> Option<mpsc::Sender<Batch>> {
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        let place = turn % (self.senders.len().max(1) as u64);
        self.senders.get(usize::try_from(place).unwrap_or_default()).cloned()
    }
}

/// What turns batches into records.
pub(crate) struct Worker {
    pub(crate) log: Log,
    pub(crate) normaliser: Arc<Normaliser>,
    pub(crate) records: Arc<RecordKeys>,
    pub(crate) clock: Arc<LogClock>,
    pub(crate) event_time: Arc<EventTime>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) health: Arc<crate::status::Health>,
    pub(crate) rejected: Notice,
}

/// What a record's key and partition are, worked out once for each link.
pub(crate) struct RecordKeys {
    observations: Arc<str>,
    dead_letters: Arc<str>,
    partitions: u32,
    links: Vec<(Bytes, u32)>,
}

impl RecordKeys {
    pub(crate) fn new(network: &roadnet::Network, partitions: u32) -> Self {
        let key = |link| {
            let id = Bytes::copy_from_slice(network.link(link).id.as_str().as_bytes());
            (id, network.partition(link, partitions))
        };
        Self {
            observations: wire::topic::OBSERVATIONS.into(),
            dead_letters: wire::topic::DEAD_LETTERS.into(),
            partitions,
            links: network.indices().map(key).collect(),
        }
    }

    pub(crate) fn partitions(&self) -> u32 {
        self.partitions
    }

    pub(crate) fn observations(&self) -> Arc<str> {
        Arc::clone(&self.observations)
    }

    fn observation(&self, placed: &Placed) -> Append {
        let LinkIndex(place) = placed.link;
        let (key, partition) = self.links.get(place as usize).cloned().unwrap_or_default();
        Append {
            topic: self.observations(),
            partition,
            record: Record {
                key,
                value: wire::encode_observation(&placed.observation),
                headers: Vec::new(),
                timestamp_ms: placed.observation.received_at.as_millis(),
            },
        }
    }

    fn dead_letter(&self, message: &Inbound, reject: &Reject, received_at: Timestamp) -> Append {
        /// A log refuses records over its limit for good (Kafka: 1 MB), and with them their whole batch.
        const LONGEST_PAYLOAD: usize = 512 * 1024;
        const LONGEST_KEY: usize = 256;
        let key = match EventTopic::parse(&message.topic) {
            Ok(topic) => topic.sensor.as_bytes(),
            Err(_) => message.topic.get(..LONGEST_KEY).unwrap_or(&message.topic),
        };
        let key = Bytes::copy_from_slice(key);
        let payload = message.payload.slice(..message.payload.len().min(LONGEST_PAYLOAD));
        let letter = wire::DeadLetter {
            topic: String::from_utf8_lossy(&message.topic).into_owned(),
            payload,
            received_at,
            reason: reject.reason.name().to_owned(),
            detail: reject.detail.clone(),
        };
        Append {
            topic: Arc::clone(&self.dead_letters),
            partition: wire::topic::partition_of_key(&key, self.partitions),
            record: Record {
                key,
                value: wire::encode_dead_letter(&letter),
                headers: Vec::new(),
                timestamp_ms: received_at.as_millis(),
            },
        }
    }
}

/// What the log was given, and what to tell whom when it holds it.
struct HandedOver {
    batches: Vec<Batch>,
    received_at: Timestamp,
    since: Instant,
    counts: Counts,
    receipt: Receipt,
}

#[derive(Default)]
struct Counts {
    messages: i64,
    kinds: [u64; ReadingKind::ALL.len()],
    reasons: [u64; Reason::ALL.len()],
    unknown_fields: u64,
    values_removed: u64,
    newest: Option<Timestamp>,
}

/// Works off one lane until all its senders are gone and the log holds everything.
pub(crate) async fn work(worker: Arc<Worker>, lane: mpsc::Receiver<Batch>) {
    let handed_over = stream::unfold((worker, lane), |(worker, mut lane)| async move {
        let mut batches = Vec::with_capacity(AT_ONCE);
        if lane.recv_many(&mut batches, AT_ONCE).await == 0 {
            return None;
        }
        let stamp = worker.clock.stamp();
        let done = worker.hand_over(batches, stamp).await;
        let settle = Arc::clone(&worker);
        Some((async move { settle.settle(done).await }, (worker, lane)))
    });
    // The stream goes on handing over while up to `IN_FLIGHT` earlier batches wait; both are polled together.
    handed_over.buffer_unordered(IN_FLIGHT).for_each(|()| async {}).await;
}

impl Worker {
    /// Gives batches to the log, as often as it takes; `None` when the log is closed.
    async fn hand_over(&self, batches: Vec<Batch>, stamp: Stamp) -> Option<HandedOver> {
        let since = Instant::now();
        let mut retry = Retry::new();
        let messages = batches.iter().map(|batch| batch.messages.len() as i64).sum();
        self.metrics.in_flight.add(messages);
        loop {
            let (appends, counts) = self.records_of(&batches, stamp.at());
            match self.log.append(appends).await {
                Ok(receipt) => {
                    counts.newest.inspect(|&at| self.event_time.reached(at));
                    return Some(HandedOver {
                        received_at: stamp.at(),
                        counts: Counts { messages, ..counts },
                        batches,
                        since,
                        receipt,
                    });
                }
                Err(error) => {
                    if !self.after_failure(&error, &mut retry).await {
                        self.metrics.in_flight.sub(messages);
                        return None;
                    }
                }
            }
        }
    }

    /// Waits until the log holds the batches, then settles their tickets.
    async fn settle(&self, mut handed_over: Option<HandedOver>) {
        let mut retry = Retry::new();
        while let Some(HandedOver { batches, received_at, since, counts, receipt }) = handed_over.take() {
            match receipt.await {
                Ok(()) => {
                    self.health.log_works();
                    self.count(&counts, since);
                    batches.into_iter().for_each(|batch| batch.ticket.settle());
                }
                Err(error) => {
                    let stamp = self.clock.reopen(received_at);
                    self.metrics.in_flight.sub(counts.messages);
                    if self.after_failure(&error, &mut retry).await {
                        handed_over = self.hand_over(batches, stamp).await;
                    }
                }
            }
        }
    }

    /// Waits before the next try; tells whether there is any use in one.
    async fn after_failure(&self, error: &eventlog::Error, retry: &mut Retry) -> bool {
        self.health.log_fails(&error.to_string());
        self.metrics.log_failures.inc();
        let closed = matches!(error, eventlog::Error::Closed);
        warn!(%error, "the log did not take a batch; it stays unacknowledged and is tried again");
        if !closed {
            retry.wait().await;
        }
        !closed
    }

    fn records_of(&self, batches: &[Batch], received_at: Timestamp) -> (Vec<Append>, Counts) {
        let total = batches.iter().map(|batch| batch.messages.len()).sum();
        let mut appends = Vec::with_capacity(total);
        let mut counts = Counts::default();
        for message in batches.iter().flat_map(|batch| &batch.messages) {
            appends.push(match self.place(message, received_at, &mut counts) {
                Ok(placed) => {
                    increment(&mut counts.kinds, placed.observation.reading.kind() as usize);
                    counts.newest = counts.newest.max(Some(placed.observation.received_at));
                    self.records.observation(&placed)
                }
                Err(reject) => {
                    increment(&mut counts.reasons, reject.reason as usize);
                    self.tell(message, &reject, received_at);
                    self.records.dead_letter(message, &reject, received_at)
                }
            });
        }
        (appends, counts)
    }

    fn place(
        &self,
        message: &Inbound,
        received_at: Timestamp,
        counts: &mut Counts,
    ) -> Result<Placed, Reject> {
        let topic = EventTopic::parse(&message.topic)?;
        if let Some(length) = message.cut_from {
            let detail = format!("a packet of {length} bytes; its first {} are kept", message.payload.len());
            return Err(Reject::new(Reason::TooLarge, detail));
        }
        let event = decode(topic.encoding, topic.kind, &message.payload)?;
        counts.unknown_fields += u64::from(event.unknown_fields);
        counts.values_removed += u64::from(event.quality.has(model::Quality::VALUE_REMOVED));
        self.normaliser.normalise(topic.sensor, event, received_at)
    }

    fn tell(&self, message: &Inbound, reject: &Reject, now: Timestamp) {
        let topic = String::from_utf8_lossy(&message.topic);
        debug!(%topic, %reject, "event goes to the dead letters");
        if let Some(others) = self.rejected.due(now) {
            warn!(%topic, %reject, others, "event goes to the dead letters");
        }
    }

    fn count(&self, counts: &Counts, since: Instant) {
        let metrics = &self.metrics;
        metrics.in_flight.sub(counts.messages);
        metrics.durable_s.observe(since.elapsed().as_secs_f64());
        metrics.unknown_fields.inc_by(counts.unknown_fields);
        metrics.values_removed.inc_by(counts.values_removed);
        let kinds = ReadingKind::ALL.map(|kind| metrics.observation(kind));
        let reasons = Reason::ALL.map(|reason| metrics.reject(reason));
        for (counter, n) in kinds.into_iter().zip(counts.kinds).chain(reasons.into_iter().zip(counts.reasons))
        {
            if let (Some(counter), 1..) = (counter, n) {
                counter.inc_by(n);
            }
        }
    }
}

fn increment(counts: &mut [u64], place: usize) {
    if let Some(count) = counts.get_mut(place) {
        *count += 1;
    }
}

/// 0.1 s, then twice as long each time, at most 5 s.
struct Retry {
    next: Duration,
}

impl Retry {
    fn new() -> Self {
        Self { next: Duration::from_millis(100) }
    }

    async fn wait(&mut self) {
        tokio::time::sleep(self.next).await;
        self.next = (self.next * 2).min(Duration::from_secs(5));
    }
}
