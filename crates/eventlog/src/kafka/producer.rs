//! The producer. Records are handed to librdkafka one by one, delivery reports counted down batch by batch: one
//! allocation and one wake-up for each batch, whatever its size.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _, ProducerContext};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tracing::{error, warn};

use super::callbacks::{self, Rarely};
use super::{Config, failed};
use crate::{Append, Error, Receipt, Record};

/// 10 s without an acknowledgement while records wait: time to say so.
const ALARM: Duration = Duration::from_secs(10);

/// The one producer of a log.
pub(super) struct Producer {
    client: BaseProducer<Deliveries>,
    /// In KiB: what waits for the brokers.
    room: Arc<Semaphore>,
    room_kib: u32,
    max_record_bytes: usize,
}

/// What the brokers have acknowledged, and what they have refused for good.
struct Deliveries {
    progress: Mutex<Instant>,
    /// Batches.
    waiting: AtomicU64,
    fatal: OnceLock<String>,
    late: Rarely,
    trouble: Rarely,
}

/// A batch on its way. Every record in flight holds one; the last one told resolves the receipt.
struct Batch {
    left: AtomicU32,
    failure: OnceLock<String>,
    #[expect(clippy::type_complexity, reason = "what is told and what is given back, together at the end")]
    end: Mutex<Option<(oneshot::Sender<Result<(), Error>>, OwnedSemaphorePermit)>>,
}

impl Producer {
    pub(super) fn new(config: &Config, settings: &ClientConfig) -> Result<Self, Error> {
        let deliveries = Deliveries {
            progress: Mutex::new(Instant::now()),
            waiting: AtomicU64::new(0),
            fatal: OnceLock::new(),
            late: Rarely::default(),
            trouble: Rarely::default(),
        };
        let client = config
            .producer(settings)
            .create_with_context(deliveries)
            .map_err(|error| failed("configure the Kafka producer", &error))?;
        let room_kib = u32::try_from(config.queue_bytes / 1_024).unwrap_or(u32::MAX).clamp(1, u32::MAX >> 4);
        let room = Arc::new(Semaphore::new(room_kib as usize));
        Ok(Self { client, room, room_kib, max_record_bytes: config.max_record_bytes })
    }

    /// Hands a batch over, waiting while the queue is full.
    pub(super) async fn append(&self, batch: Vec<Append>) -> Result<Receipt, Error> {
        self.alive()?;
        let bytes = self.check(&batch)?;
        if batch.is_empty() {
            return Ok(Box::pin(std::future::ready(Ok(()))));
        }
        let kib = u32::try_from(bytes / 1_024 + 1).unwrap_or(u32::MAX).min(self.room_kib);
        let room = self.room.clone().acquire_many_owned(kib).await.map_err(|_| Error::Closed)?;
        // No await from here on: a caller that gives up leaves no half batch.
        let (told, outcome) = oneshot::channel();
        let records = u32::try_from(batch.len()).unwrap_or(u32::MAX);
        self.deliveries().expect_more();
        let pending = Arc::new(Batch {
            left: AtomicU32::new(records),
            failure: OnceLock::new(),
            end: Mutex::new(Some((told, room))),
        });
        for append in &batch {
            if let Err(error) = self.send(append, &pending) {
                self.deliveries().told(&pending, Err(&error));
            }
        }
        Ok(Box::pin(async move { outcome.await.unwrap_or(Err(Error::Closed)) }))
    }

    /// Says whether the producer can go on at all.
    pub(super) fn alive(&self) -> Result<(), Error> {
        match self.deliveries().fatal.get() {
            Some(fatal) => Err(Error::Backend { what: "append to Kafka", detail: fatal.clone() }),
            None => Ok(()),
        }
    }

    /// Serves delivery reports and errors for so long.
    pub(super) fn poll(&self, how_long: Duration) {
        self.client.poll(how_long);
        self.deliveries().warn_if_late();
    }

    /// Waits until all that was handed over is acknowledged.
    pub(super) fn flush(&self, patience: Duration) -> Result<(), Error> {
        self.room.close();
        self.client.flush(patience).map_err(|error| {
            let left = self.client.in_flight_count();
            let seconds = patience.as_secs();
            let detail = format!(
                "{left} records were not acknowledged within {seconds} s ({error}); their senders keep them"
            );
            Error::Backend { what: "close the Kafka producer", detail }
        })
    }

    fn deliveries(&self) -> &Deliveries {
        self.client.client().context()
    }

    fn check(&self, batch: &[Append]) -> Result<usize, Error> {
        let mut sum = 0;
        for Append { topic, record, .. } in batch {
            let (bytes, max) = (record_bytes(record), self.max_record_bytes);
            if bytes > max {
                let detail = format!("a record for topic {topic} has {bytes} bytes, at most {max} are taken");
                return Err(Error::Backend { what: "append", detail });
            }
            sum += bytes;
        }
        Ok(sum)
    }

    fn send(&self, append: &Append, batch: &Arc<Batch>) -> Result<(), KafkaError> {
        let Append { topic, partition, record } = append;
        let mut message = BaseRecord::with_opaque_to(topic, batch.clone())
            .partition(*partition as i32)
            .key(record.key.as_ref())
            .timestamp(record.timestamp_ms);
        if !record.value.is_empty() {
            // Nothing at all is Kafka's tombstone.
            message = message.payload(record.value.as_ref());
        }
        if !record.headers.is_empty() {
            message = message.headers(headers(&record.headers));
        }
        loop {
            match self.client.send(message) {
                Ok(()) => return Ok(()),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                    // Ours is the smaller queue, so this is rare: hold the record and serve deliveries until there is room.
                    self.client.poll(Duration::from_millis(10));
                    message = back;
                }
                Err((error, _)) => return Err(error),
            }
        }
    }
}

fn headers(from: &[(String, bytes::Bytes)]) -> OwnedHeaders {
    from.iter().fold(OwnedHeaders::new_with_capacity(from.len()), |headers, (name, value)| {
        headers.insert(Header { key: name, value: Some(value.as_ref()) })
    })
}

/// Bytes that a record takes up at most in a batch (Kafka's record header is below 40 bytes).
fn record_bytes(record: &Record) -> usize {
    let headers: usize = record.headers.iter().map(|(name, value)| name.len() + value.len() + 10).sum();
    record.key.len() + record.value.len() + headers + 40
}

impl Batch {
    /// Resolves the receipt, once all its records were told of.
    fn end(&self) {
        if let Some((told, room)) = self.end.lock().unwrap_or_else(PoisonError::into_inner).take() {
            drop(room);
            let failure = self.failure.get().map(|detail| Error::Backend {
                what: "append to Kafka",
                detail: format!(
                    "{detail}; the rest of the batch may be there: mend that, then append it again"
                ),
            });
            // Who no longer wants to know has dropped the receipt.
            told.send(failure.map_or(Ok(()), Err)).ok();
        }
    }
}

impl Deliveries {
    fn expect_more(&self) {
        if self.waiting.fetch_add(1, Ordering::Relaxed) == 0 {
            self.progressed();
        }
    }

    fn told(&self, batch: &Batch, outcome: Result<(), &KafkaError>) {
        if let Err(error) = outcome {
            batch.failure.get_or_init(|| error.to_string());
        }
        if batch.left.fetch_sub(1, Ordering::AcqRel) == 1 {
            batch.end();
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            self.progressed();
        }
    }

    fn progressed(&self) {
        *self.progress.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    fn warn_if_late(&self) {
        let waiting = self.waiting.load(Ordering::Relaxed);
        let silence = self.progress.lock().unwrap_or_else(PoisonError::into_inner).elapsed();
        if waiting > 0 && silence >= ALARM && self.late.now() {
            warn!(
                records = waiting,
                silence_s = silence.as_secs(),
                "Kafka acknowledges nothing; their records are kept and \
                tried on, and their senders wait"
            );
        }
    }
}

impl ClientContext for Deliveries {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        callbacks::log("producer", level, facility, line);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        if error.rdkafka_error_code() == Some(RDKafkaErrorCode::Fatal) {
            error!(%error, reason, "the Kafka producer can't go on");
            self.fatal
                .get_or_init(|| format!("the producer can't go on ({reason}); start the program again"));
        }
        callbacks::trouble("producer", &self.trouble, &error, reason);
    }
}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = Arc<Batch>;

    fn delivery(&self, delivery: &DeliveryResult<'_>, batch: Arc<Batch>) {
        self.told(&batch, delivery.as_ref().map(drop).map_err(|(error, _)| error));
    }
}
