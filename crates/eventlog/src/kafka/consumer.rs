//! A consumer's handle: what its user calls.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, Weak};
use std::thread::Thread;

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use tokio::sync::{mpsc, oneshot};

use super::callbacks::Callbacks;
use super::reader::{Event, Reader, Wishes};
use super::{Shared, blocking, failed, settings};
use crate::{Delivery, Error, Fetched};

/// 8 parcels on the way from the thread to its user.
const PARCELS: usize = 8;

/// librdkafka wants a group even from who reads alone; nothing is ever committed for it.
const ALONE: &str = "luong-reading-alone";

/// Reads a topic.
pub struct KafkaConsumer {
    topic: Arc<str>,
    group: Option<Arc<str>>,
    /// Gone when the thread has ended.
    client: Weak<BaseConsumer<Callbacks>>,
    reader: Thread,
    wishes: Arc<Mutex<Wishes>>,
    events: mpsc::Receiver<Event>,
    /// Ours, but not yet read: the next call of `next` starts them.
    unstarted: BTreeMap<u32, Option<u64>>,
    /// Ours and read, with the number of the last seek in each.
    started: BTreeMap<u32, u64>,
    seeks: u64,
    /// Partitions of which the end was seen.
    ended: BTreeSet<u32>,
    /// Read, not yet handed over; all of one partition.
    pending: VecDeque<Fetched>,
}

impl KafkaConsumer {
    /// Joins a group.
    pub(super) async fn in_group(shared: &Shared, topic: Arc<str>, group: Arc<str>) -> Result<Self, Error> {
        let mut settings = settings::consumer(&shared.settings);
        settings.set("group.id", &*group);
        Self::open(shared, topic, Some(group), settings, BTreeMap::new()).await
    }

    /// Reads all partitions from these offsets on.
    pub(super) async fn alone(shared: &Shared, topic: Arc<str>, offsets: &[u64]) -> Result<Self, Error> {
        let mut settings = settings::consumer(&shared.settings);
        settings.set("group.id", ALONE);
        let starts = (0..).zip(offsets.iter().copied().map(Some)).collect();
        Self::open(shared, topic, None, settings, starts).await
    }

    /// As [`Self::alone`], and notes where the partitions end.
    pub(super) async fn to_the_end(shared: &Shared, topic: Arc<str>, offsets: &[u64]) -> Result<Self, Error> {
        let mut settings = settings::consumer(&shared.settings);
        settings.set("group.id", ALONE).set("enable.partition.eof", "true");
        let starts = (0..).zip(offsets.iter().copied().map(Some)).collect();
        Self::open(shared, topic, None, settings, starts).await
    }

    async fn open(
        shared: &Shared,
        topic: Arc<str>,
        group: Option<Arc<str>>,
        settings: ClientConfig,
        unstarted: BTreeMap<u32, Option<u64>>,
    ) -> Result<Self, Error> {
        let wishes: Arc<Mutex<Wishes>> = Arc::default();
        let (events, received) = mpsc::channel(PARCELS);
        let (ready, opened) = oneshot::channel();
        let (closed, name) = (shared.closed.clone(), topic.clone());
        let (subscribed, wished) = (group.is_some(), wishes.clone());
        let run = move || {
            let consumer = match connect(&settings, subscribed.then_some(&*name)) {
                Ok(consumer) => consumer,
                Err(error) => return drop(ready.send(Err(failed("open a Kafka consumer", &error)))),
            };
            let opened = (Arc::downgrade(&consumer), std::thread::current());
            let (queues, outbox) = (BTreeMap::new(), VecDeque::new());
            let reader =
                Reader { topic: name, consumer, wishes: wished, events, closed, queues, turn: 0, outbox };
            if ready.send(Ok(opened)).is_ok() {
                reader.run();
            }
        };
        let spawned = std::thread::Builder::new().name("eventlog-reader".to_owned()).spawn(run);
        spawned
            .map_err(|error| Error::Backend { what: "open a Kafka consumer", detail: error.to_string() })?;
        let (client, reader) = opened.await.unwrap_or(Err(Error::Closed))?;
        Ok(Self {
            topic,
            group,
            client,
            reader,
            wishes,
            events: received,
            unstarted,
            started: BTreeMap::new(),
            seeks: 0,
            ended: BTreeSet::new(),
            pending: VecDeque::new(),
        })
    }

    pub(crate) async fn next(&mut self, max: usize) -> Result<Delivery, Error> {
        self.start();
        // Cancel-safe: what is received goes into `pending` before anything else is awaited.
        loop {
            if !self.pending.is_empty() {
                let n = max.max(1).min(self.pending.len());
                return Ok(Delivery::Records(self.pending.drain(..n).collect()));
            }
            if let Some(delivery) = self.receive().await? {
                return Ok(delivery);
            }
        }
    }

    /// As [`Self::next`], but also returns (no records) when a partition's end was seen.
    pub(super) async fn next_or_end(&mut self) -> Result<Delivery, Error> {
        self.start();
        let delivery = self.receive().await?;
        Ok(delivery.unwrap_or_else(|| Delivery::Records(self.pending.drain(..).collect())))
    }

    /// Whether the partition was read up to its end at some time.
    pub(super) fn reached_end(&self, partition: u32) -> bool {
        self.ended.contains(&partition)
    }

    fn start(&mut self) {
        if self.unstarted.is_empty() {
            return;
        }
        let starts = std::mem::take(&mut self.unstarted);
        self.started.extend(starts.keys().map(|partition| (*partition, 0)));
        Wishes::wish(&self.wishes, &self.reader, |wishes| wishes.starts.extend(starts));
    }

    async fn receive(&mut self) -> Result<Option<Delivery>, Error> {
        let event = self.events.recv().await.ok_or(Error::Closed)?;
        self.reader.unpark();
        match event {
            Event::Assigned(partitions) => {
                self.unstarted.extend(partitions.iter().map(|partition| (*partition, None)));
                Ok(Some(Delivery::Assigned(partitions)))
            }
            Event::Revoked(partitions) => {
                for partition in &partitions {
                    self.unstarted.remove(partition);
                    self.started.remove(partition);
                }
                Ok(Some(Delivery::Revoked(partitions)))
            }
            Event::Records { partition, since, records } => {
                if self.started.get(&partition) == Some(&since) {
                    self.pending.extend(records);
                }
                Ok(None)
            }
            Event::End(partition) => {
                self.ended.insert(partition);
                Ok(None)
            }
            Event::Failed(error) => Err(error),
        }
    }

    pub(crate) fn seek(&mut self, partition: u32, offset: u64) -> Result<(), Error> {
        if let Some(start) = self.unstarted.get_mut(&partition) {
            *start = Some(offset);
            return Ok(());
        }
        let Some(last) = self.started.get_mut(&partition) else {
            return Err(Error::NoPartition { topic: self.topic.to_string(), partition });
        };
        self.seeks += 1;
        *last = self.seeks;
        let seek = (self.seeks, offset);
        self.pending.retain(|fetched| fetched.partition != partition);
        Wishes::wish(&self.wishes, &self.reader, |wishes| {
            // A start that was not granted yet just starts elsewhere.
            wishes.seeks.insert(partition, seek);
        });
        Ok(())
    }

    pub(crate) async fn commit(&mut self, positions: &[(u32, u64)]) -> Result<(), Error> {
        if self.group.is_none() {
            let detail = "this consumer reads alone; subscribe with a group to commit".to_owned();
            return Err(Error::Backend { what: "commit", detail });
        }
        let client = self.client.upgrade().ok_or(Error::Closed)?;
        let ours =
            |partition: &u32| self.started.contains_key(partition) || self.unstarted.contains_key(partition);
        let (topic, positions) = (self.topic.clone(), positions.to_vec());
        // What is no longer ours is its new owner's to commit.
        let positions: Vec<_> = positions.into_iter().filter(|(partition, _)| ours(partition)).collect();
        if positions.is_empty() {
            return Ok(());
        }
        blocking("commit to Kafka", move || {
            let mut list = TopicPartitionList::with_capacity(positions.len());
            for (partition, offset) in positions {
                list.add_partition_offset(&topic, partition as i32, Offset::Offset(offset as i64))?;
            }
            client.commit(&list, CommitMode::Sync)
        })
        .await
    }
}

impl Drop for KafkaConsumer {
    fn drop(&mut self) {
        Wishes::wish(&self.wishes, &self.reader, |wishes| wishes.stop = true);
    }
}

fn connect(
    settings: &ClientConfig,
    subscribe: Option<&str>,
) -> Result<Arc<BaseConsumer<Callbacks>>, KafkaError> {
    let mut consumer: BaseConsumer<Callbacks> = settings.create_with_context(Callbacks::new("consumer"))?;
    let reader = std::thread::current();
    consumer.set_nonempty_callback(move || reader.unpark());
    if let Some(topic) = subscribe {
        consumer.subscribe(&[topic])?;
    }
    Ok(Arc::new(consumer))
}
