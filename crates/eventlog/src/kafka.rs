//! The Kafka backend, over librdkafka.
//!
//! Reading order: `settings` (what librdkafka is told), `callbacks` (what it tells us), `producer`, `topics`,
//! `reader` (a consumer's thread) and `consumer` (its handle).

mod callbacks;
mod consumer;
mod producer;
mod reader;
mod settings;
mod topics;

#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use rustc_hash::FxHashMap;

pub use consumer::KafkaConsumer;
pub use settings::Config;

use crate::metrics::Metrics;
use crate::{Append, Delivery, Error, Latest, Receipt, Start, Subscription, TopicSpec};
use callbacks::Callbacks;
use producer::Producer;

/// 30 s: longest that one question to the cluster may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// A log in a Kafka cluster; cheap to clone, all clones are one.
#[derive(Clone)]
pub struct KafkaLog {
    shared: Arc<Shared>,
}

struct Shared {
    config: Config,
    settings: ClientConfig,
    producer: Producer,
    /// Answers questions; never reads records.
    query: BaseConsumer<Callbacks>,
    /// Topic -> number of partitions, as far as they are known.
    partitions: RwLock<FxHashMap<Arc<str>, u32>>,
    closed: Arc<AtomicBool>,
    metrics: Metrics,
}

impl KafkaLog {
    pub(crate) fn open(config: Config) -> Result<Self, Error> {
        let settings = config.client_settings()?;
        let query = settings::consumer(&settings)
            .create_with_context(Callbacks::new("query"))
            .map_err(|error| failed("configure the Kafka client", &error))?;
        let shared = Arc::new(Shared {
            producer: Producer::new(&config, &settings)?,
            query,
            config,
            settings,
            partitions: RwLock::default(),
            closed: Arc::default(),
            metrics: Metrics::new(),
        });
        poll_in_background(&shared)?;
        Ok(Self { shared })
    }

    pub(crate) async fn ensure_topics(&self, specs: &[TopicSpec]) -> Result<(), Error> {
        self.shared.open()?;
        let found = topics::ensure(&self.shared, specs).await?;
        self.shared.partitions.write().unwrap_or_else(PoisonError::into_inner).extend(found);
        Ok(())
    }

    pub(crate) async fn append(&self, batch: Vec<Append>) -> Result<Receipt, Error> {
        self.shared.open()?;
        for append in &batch {
            let partitions = self.partitions(&append.topic).await?;
            if append.partition >= partitions {
                return Err(Error::NoPartition {
                    topic: append.topic.to_string(),
                    partition: append.partition,
                });
            }
        }
        self.shared.producer.append(batch).await
    }

    pub(crate) async fn consume(&self, subscription: Subscription) -> Result<KafkaConsumer, Error> {
        self.shared.open()?;
        let (topic, start) = match subscription {
            Subscription::Group { topic, group } => {
                self.partitions(&topic).await?;
                return KafkaConsumer::in_group(&self.shared, topic, group).await;
            }
            Subscription::All { topic, start } => (topic, start),
        };
        let partitions = self.partitions(&topic).await?;
        let offsets = match start {
            Start::Earliest => vec![0; partitions as usize],
            Start::End => self.end_offsets(&topic).await?,
            Start::Offsets(offsets) if offsets.len() == partitions as usize => offsets,
            Start::Offsets(offsets) => {
                let detail = format!(
                    "topic {topic} has {partitions} partitions, {} offsets were given",
                    offsets.len()
                );
                return Err(Error::Backend { what: "start to read", detail });
            }
        };
        KafkaConsumer::alone(&self.shared, topic, &offsets).await
    }

    pub(crate) async fn latest(&self, topic: &str) -> Result<Latest, Error> {
        let topic: Arc<str> = topic.into();
        let (starts, ends): (Vec<u64>, Vec<u64>) = self.watermarks(&topic).await?.into_iter().unzip();
        let mut positions = starts.clone();
        let mut newest: FxHashMap<(u32, bytes::Bytes), crate::Fetched> = FxHashMap::default();
        let mut consumer = KafkaConsumer::to_the_end(&self.shared, topic, &starts).await?;
        // Compaction leaves gaps, also before the end: a partition is read when its end was reached, told or seen.
        while (0_u32..).zip(&positions).zip(&ends).any(|((p, at), end)| at < end && !consumer.reached_end(p))
        {
            let Delivery::Records(records) = consumer.next_or_end().await? else { continue };
            for fetched in records {
                positions[fetched.partition as usize] = fetched.offset + 1;
                let key = (fetched.partition, fetched.record.key.clone());
                if fetched.record.value.is_empty() {
                    newest.remove(&key);
                } else {
                    newest.insert(key, fetched);
                }
            }
        }
        let positions = positions.iter().zip(&ends).map(|(at, end)| *at.max(end)).collect();
        Ok(Latest { records: newest.into_values().collect(), positions })
    }

    pub(crate) async fn end_offsets(&self, topic: &str) -> Result<Vec<u64>, Error> {
        Ok(self.watermarks(topic).await?.into_iter().map(|(_, end)| end).collect())
    }

    /// Oldest and next offset of each partition.
    async fn watermarks(&self, topic: &str) -> Result<Vec<(u64, u64)>, Error> {
        let partitions = self.partitions(topic).await?;
        let (shared, topic) = (self.shared.clone(), topic.to_owned());
        blocking("ask for the end offsets", move || {
            let ask = |partition| patiently(|| shared.query.fetch_watermarks(&topic, partition, PATIENCE));
            (0..partitions as i32)
                .map(|partition| ask(partition).map(|(low, high)| (low as u64, high as u64)))
                .collect()
        })
        .await
    }

    pub(crate) async fn offsets_at(&self, topic: &str, timestamp_ms: i64) -> Result<Vec<u64>, Error> {
        let partitions = self.partitions(topic).await?;
        let ends = self.end_offsets(topic).await?;
        let (shared, topic) = (self.shared.clone(), topic.to_owned());
        // Negative times would mean "the end" and "the beginning" to Kafka.
        let time = Offset::Offset(timestamp_ms.max(0));
        let found = blocking("ask for the offsets of a time", move || {
            patiently(|| sound(shared.query.offsets_for_times(whole(&topic, partitions, time)?, PATIENCE)?))
        })
        .await?;
        Ok(offsets(&found, ends.into_iter().map(Some).collect()).into_iter().flatten().collect())
    }

    pub(crate) async fn committed(&self, topic: &str, group: &str) -> Result<Vec<Option<u64>>, Error> {
        let partitions = self.partitions(topic).await?;
        let mut settings = settings::consumer(&self.shared.settings);
        settings.set("group.id", group);
        let topic = topic.to_owned();
        let found = blocking("ask for the committed offsets", move || {
            let member: BaseConsumer<Callbacks> = settings.create_with_context(Callbacks::new("query"))?;
            patiently(|| {
                sound(member.committed_offsets(whole(&topic, partitions, Offset::Invalid)?, PATIENCE)?)
            })
        })
        .await?;
        Ok(offsets(&found, vec![None; partitions as usize]))
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.shared.metrics
    }

    pub(crate) async fn probe(&self, timeout: Duration) -> Result<(), Error> {
        self.shared.open()?;
        self.shared.producer.alive()?;
        let shared = self.shared.clone();
        let known = shared.partitions.read().unwrap_or_else(PoisonError::into_inner).keys().next().cloned();
        let brokers = shared.config.bootstrap_servers.clone();
        let answer =
            blocking("reach Kafka", move || shared.query.fetch_metadata(known.as_deref(), timeout).map(drop));
        answer.await.map_err(|error| match error {
            Error::Backend { what, detail } => {
                let detail = format!("{detail}: is a broker at {brokers}? check log.kafka.bootstrap_servers");
                Error::Backend { what, detail }
            }
            other => other,
        })
    }

    pub(crate) async fn close(&self) -> Result<(), Error> {
        if self.shared.closed.swap(true, Ordering::AcqRel) {
            return Ok(());
        }
        let (shared, patience) =
            (self.shared.clone(), Duration::from_secs(self.shared.config.close_timeout_s));
        let flush = tokio::task::spawn_blocking(move || shared.producer.flush(patience));
        flush.await.unwrap_or(Err(Error::Closed))
    }

    /// Number of the topic's partitions; asks the cluster if nobody has yet.
    async fn partitions(&self, topic: &str) -> Result<u32, Error> {
        self.shared.open()?;
        if let Some(known) = self.shared.known_partitions(topic) {
            return Ok(known);
        }
        let (shared, name) = (self.shared.clone(), topic.to_owned());
        let found =
            blocking("ask for a topic", move || patiently(|| topics::partitions(&shared.query, &name)))
                .await?;
        let found = found.ok_or_else(|| Error::NoPartition { topic: topic.to_owned(), partition: 0 })?;
        self.shared.partitions.write().unwrap_or_else(PoisonError::into_inner).insert(topic.into(), found);
        Ok(found)
    }
}

impl Shared {
    fn open(&self) -> Result<(), Error> {
        if self.closed.load(Ordering::Acquire) { Err(Error::Closed) } else { Ok(()) }
    }

    fn known_partitions(&self, topic: &str) -> Option<u32> {
        self.partitions.read().unwrap_or_else(PoisonError::into_inner).get(topic).copied()
    }
}

/// Serves librdkafka's callbacks until the log and all its clones are gone.
fn poll_in_background(shared: &Arc<Shared>) -> Result<(), Error> {
    let shared = Arc::downgrade(shared);
    let poll = move || {
        while let Some(shared) = shared.upgrade() {
            shared.producer.poll(Duration::from_millis(100));
            // Nothing is subscribed: this only empties the queue of log lines and errors, which the callbacks have seen.
            drop(shared.query.poll(Duration::ZERO));
        }
    };
    std::thread::Builder::new().name("eventlog-kafka".to_owned()).spawn(poll).map(drop).map_err(|error| {
        Error::Backend {
            what: "start a thread of the Kafka client",
            detail: format!("{error}; check the limit on threads"),
        }
    })
}

fn whole(topic: &str, partitions: u32, offset: Offset) -> Result<TopicPartitionList, KafkaError> {
    let mut list = TopicPartitionList::with_capacity(partitions as usize);
    for partition in 0..partitions as i32 {
        list.add_partition_offset(topic, partition, offset)?;
    }
    Ok(list)
}

/// An answer for several partitions is only as good as each of them.
fn sound(answer: TopicPartitionList) -> Result<TopicPartitionList, KafkaError> {
    answer.elements().iter().try_for_each(|element| element.error())?;
    Ok(answer)
}

/// Reads the offsets of an answer; `without` stands for partitions that have none.
fn offsets(found: &TopicPartitionList, mut without: Vec<Option<u64>>) -> Vec<Option<u64>> {
    for element in found.elements() {
        let place = without.get_mut(element.partition() as usize);
        if let (Offset::Offset(offset), Some(place)) = (element.offset(), place) {
            *place = Some(offset as u64);
        }
    }
    without
}

/// Asks again while the cluster is busy with itself, as it is after a start, a new topic or a change of leaders.
fn patiently<T>(mut ask: impl FnMut() -> Result<T, KafkaError>) -> Result<T, KafkaError> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match ask() {
            Err(error) if is_passing(&error) && Instant::now() < deadline => {
                std::thread::sleep(Duration::from_millis(50));
            }
            outcome => return outcome,
        }
    }
}

/// Trouble that passes by itself.
fn is_passing(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(
            RDKafkaErrorCode::BrokerTransportFailure
                | RDKafkaErrorCode::AllBrokersDown
                | RDKafkaErrorCode::Resolve
                | RDKafkaErrorCode::OperationTimedOut
                | RDKafkaErrorCode::RequestTimedOut
                | RDKafkaErrorCode::NetworkException
                | RDKafkaErrorCode::LeaderNotAvailable
                | RDKafkaErrorCode::NotLeaderForPartition
                | RDKafkaErrorCode::CoordinatorLoadInProgress
                | RDKafkaErrorCode::CoordinatorNotAvailable
                | RDKafkaErrorCode::NotCoordinator
        )
    )
}

fn failed(what: &'static str, error: &KafkaError) -> Error {
    Error::Backend { what, detail: error.to_string() }
}

async fn blocking<T: Send + 'static>(
    what: &'static str,
    work: impl FnOnce() -> Result<T, KafkaError> + Send + 'static,
) -> Result<T, Error> {
    match tokio::task::spawn_blocking(work).await {
        Ok(outcome) => outcome.map_err(|error| failed(what, &error)),
        Err(ended) => Err(Error::Backend { what, detail: ended.to_string() }),
    }
}
