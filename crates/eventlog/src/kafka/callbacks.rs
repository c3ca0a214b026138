//! What librdkafka tells us: its log lines, its errors, and which partitions are ours.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::topic_partition_list::TopicPartitionList;
use rdkafka::types::RDKafkaRespErr;
use tracing::{debug, error, warn};

/// 30 s between two lines about the same trouble: librdkafka repeats itself at every attempt.
const QUIET: Duration = Duration::from_secs(30);

/// What librdkafka calls for any of our clients.
pub(super) struct Callbacks {
    client: &'static str,
    trouble: Rarely,
    changes: Mutex<Vec<Change>>,
    closing: AtomicBool,
}

/// The group's coordinator moved partitions.
#[derive(Debug)]
pub(super) enum Change {
    Assigned(Vec<u32>),
    Revoked(Vec<u32>),
}

/// Lets one line through every so often.
#[derive(Default)]
pub(super) struct Rarely {
    last: Mutex<Option<Instant>>,
}

impl Rarely {
    /// Whether it is time for a line again.
    pub(super) fn now(&self) -> bool {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let due = last.is_none_or(|at| at.elapsed() >= QUIET);
        if due {
            *last = Some(Instant::now());
        }
        due
    }
}

impl Callbacks {
    pub(super) fn new(client: &'static str) -> Self {
        Self {
            client,
            trouble: Rarely::default(),
            changes: Mutex::default(),
            closing: AtomicBool::new(false),
        }
    }

    /// Takes the changes of assignment since the last call, in order.
    pub(super) fn changes(&self) -> Vec<Change> {
        std::mem::take(&mut *self.changes.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// From now on nobody will take changes any more.
    pub(super) fn close(&self) {
        self.closing.store(true, Ordering::Release);
    }

    fn changed(&self, change: Change) {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner).push(change);
    }
}

impl ClientContext for Callbacks {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        log(self.client, level, facility, line);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        trouble(self.client, &self.trouble, &error, reason);
    }
}

/// Passes a line of librdkafka on. None of its own trouble loses data: it goes on trying.
pub(super) fn log(client: &'static str, level: RDKafkaLogLevel, facility: &str, line: &str) {
    match level {
        RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical => {
            error!(client, facility, "librdkafka: {line}");
        }
        RDKafkaLogLevel::Error | RDKafkaLogLevel::Warning => {
            debug!(client, facility, "librdkafka warns: {line}")
        }
        RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info | RDKafkaLogLevel::Debug => {
            debug!(client, facility, "librdkafka: {line}");
        }
    }
}

/// Says, but not too often, that something is wrong with the cluster.
pub(super) fn trouble(client: &'static str, rarely: &Rarely, error: &KafkaError, reason: &str) {
    if error.rdkafka_error_code() != Some(RDKafkaErrorCode::PartitionEOF) && rarely.now() {
        warn!(client, %error, reason, "trouble with Kafka; trying on");
    }
}

impl ConsumerContext for Callbacks {
    /// New partitions are not taken here but when the reader knows where to start (`Reader::start`), so that nothing is
    /// fetched from the wrong place. Partitions that leave us leave at once.
    fn rebalance(
        &self,
        consumer: &BaseConsumer<Self>,
        reason: RDKafkaRespErr,
        list: &mut TopicPartitionList,
    ) {
        let partitions: Vec<u32> = list.elements().iter().map(|element| element.partition() as u32).collect();
        let assigned = reason == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
        let outcome = match assigned {
            true if partitions.is_empty() || self.closing.load(Ordering::Acquire) => {
                consumer.incremental_assign(list)
            }
            true => {
                self.changed(Change::Assigned(partitions));
                Ok(())
            }
            false => {
                if !partitions.is_empty() {
                    self.changed(Change::Revoked(partitions));
                }
                consumer.incremental_unassign(list)
            }
        };
        if let Err(error) = outcome {
            warn!(client = self.client, %error, assigned, "a change of the group's assignment was refused");
        }
    }

    fn main_queue_min_poll_interval(&self) -> rdkafka::util::Timeout {
        Duration::from_millis(100).into()
    }
}
