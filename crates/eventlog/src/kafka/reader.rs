//! A consumer's thread.
//!
//! It keeps polling whatever its user does, so that the group never takes it for dead. Every partition has a queue of
//! its own, which is only read while there is room on the way to the user: when the user is slow, librdkafka's bounded
//! buffers fill and it stops fetching. The thread sleeps until librdkafka or the user wakes it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::Thread;
use std::time::Duration;

use bytes::Bytes;
use rdkafka::consumer::base_consumer::PartitionQueue;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Headers, Message};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;
use tracing::warn;

use super::callbacks::{Callbacks, Change};
use super::{failed, is_passing};
use crate::{Error, Fetched, Record};

/// 500 records a parcel: a wake-up is cheap against them, and a few parcels on the way are little memory.
const PARCEL: usize = 500;

/// 100 ms: how soon the closing of the log is noticed when nothing else happens.
const NAP: Duration = Duration::from_millis(100);

/// What the thread tells its user, in order.
pub(super) enum Event {
    Assigned(Vec<u32>),
    Revoked(Vec<u32>),
    /// Of one partition; `since` tells which seek they come after.
    Records {
        partition: u32,
        since: u64,
        records: Vec<Fetched>,
    },
    /// The partition is read up to its end.
    End(u32),
    Failed(Error),
}

/// What the user wants, replaced by what it wants later.
#[derive(Default)]
pub(super) struct Wishes {
    /// Partition -> where to start; nothing = where the group committed.
    pub(super) starts: BTreeMap<u32, Option<u64>>,
    /// Partition -> (number of the seek, where to go on).
    pub(super) seeks: BTreeMap<u32, (u64, u64)>,
    pub(super) stop: bool,
}

/// The thread's end of a consumer.
pub(super) struct Reader {
    pub(super) topic: Arc<str>,
    pub(super) consumer: Arc<BaseConsumer<Callbacks>>,
    pub(super) wishes: Arc<Mutex<Wishes>>,
    pub(super) events: mpsc::Sender<Event>,
    pub(super) closed: Arc<AtomicBool>,
    pub(super) queues: BTreeMap<u32, Queue>,
    /// Partition to read first.
    pub(super) turn: u32,
    /// Told to nobody yet, since there is no room.
    pub(super) outbox: VecDeque<Event>,
}

/// A partition that we read.
pub(super) struct Queue {
    queue: PartitionQueue<Callbacks>,
    since: u64,
}

#[derive(PartialEq, Eq)]
enum Work {
    Done,
    Nothing,
}

impl Reader {
    /// Reads until the user or the log ends.
    pub(super) fn run(mut self) {
        while !self.closed.load(Ordering::Acquire) && !self.events.is_closed() {
            let wishes = std::mem::take(&mut *self.wishes.lock().unwrap_or_else(PoisonError::into_inner));
            if wishes.stop {
                break;
            }
            self.grant(wishes);
            self.poll_main();
            let work = if self.send_outbox() { self.read_queues() } else { Work::Nothing };
            if work == Work::Nothing {
                std::thread::park_timeout(NAP);
            }
        }
        self.consumer.context().close();
    }

    fn grant(&mut self, wishes: Wishes) {
        if !wishes.starts.is_empty()
            && let Err(error) = self.start(wishes.starts)
        {
            self.outbox.push_back(Event::Failed(failed("start to read", &error)));
        }
        for (partition, (since, offset)) in wishes.seeks {
            if let Err(error) = self.seek(partition, since, offset) {
                self.outbox.push_back(Event::Failed(failed("go on at an offset", &error)));
            }
        }
    }

    fn start(&mut self, starts: BTreeMap<u32, Option<u64>>) -> Result<(), KafkaError> {
        let mut list = TopicPartitionList::with_capacity(starts.len());
        for (partition, offset) in starts {
            // The queue first: else the first records would come through the main queue.
            let Some(mut queue) = self.consumer.split_partition_queue(&self.topic, partition as i32) else {
                continue;
            };
            let reader = std::thread::current();
            queue.set_nonempty_callback(move || reader.unpark());
            self.queues.insert(partition, Queue { queue, since: 0 });
            list.add_partition_offset(&self.topic, partition as i32, start_offset(offset))?;
        }
        self.consumer.incremental_assign(&list)
    }

    fn seek(&mut self, partition: u32, since: u64, offset: u64) -> Result<(), KafkaError> {
        let Some(queue) = self.queues.get_mut(&partition) else { return Ok(()) };
        queue.since = since;
        // A partition that was only just assigned is not yet being fetched, and says so.
        for _ in 0..50 {
            match self.consumer.seek(
                &self.topic,
                partition as i32,
                Offset::Offset(offset as i64),
                super::PATIENCE,
            ) {
                Err(KafkaError::Seek(reason)) if reason.contains("Erroneous state") => {
                    std::thread::park_timeout(Duration::from_millis(20));
                }
                outcome => return outcome,
            }
        }
        Err(KafkaError::Seek("the partition is not being fetched".to_owned()))
    }

    /// Serves the group and errors. Records come through the partitions' queues.
    fn poll_main(&mut self) {
        let consumer = self.consumer.clone();
        while let Some(outcome) = consumer.poll(Duration::ZERO) {
            match outcome {
                Ok(message) => self.stray(&message),
                Err(error) => self.failed(&error),
            }
        }
        for change in consumer.context().changes() {
            self.outbox.push_back(match change {
                Change::Assigned(partitions) => Event::Assigned(partitions),
                Change::Revoked(partitions) => {
                    partitions.iter().for_each(|partition| drop(self.queues.remove(partition)));
                    Event::Revoked(partitions)
                }
            });
        }
    }

    /// A record that went past its partition's queue: it came before those in there, and must not be lost.
    fn stray(&mut self, message: &BorrowedMessage<'_>) {
        let partition = message.partition() as u32;
        if let Some(queue) = self.queues.get(&partition) {
            let records = vec![fetched(message)];
            self.outbox.push_back(Event::Records { partition, since: queue.since, records });
        }
    }

    fn failed(&mut self, error: &KafkaError) {
        match error {
            KafkaError::PartitionEOF(partition) => self.outbox.push_back(Event::End(*partition as u32)),
            // librdkafka gets over it by itself, and the callbacks have said it. A place that retention has taken
            // is left for the oldest record (auto.offset.reset).
            error
                if is_passing(error)
                    || error.rdkafka_error_code() == Some(RDKafkaErrorCode::OffsetOutOfRange) => {}
            // One failure at a time is enough to tell; the outbox stays short while nobody listens.
            _ if matches!(self.outbox.back(), Some(Event::Failed(_))) => {}
            error => {
                warn!(topic = %self.topic, %error, "reading from Kafka failed");
                self.outbox.push_back(Event::Failed(failed("read from Kafka", error)));
            }
        }
    }

    /// Sends what waits; false while there is no room.
    fn send_outbox(&mut self) -> bool {
        while let Some(event) = self.outbox.pop_front() {
            if let Err(TrySendError::Full(event)) = self.events.try_send(event) {
                self.outbox.push_front(event);
                return false;
            }
        }
        true
    }

    fn read_queues(&mut self) -> Work {
        let mut work = Work::Nothing;
        // In turn, from where we stopped for want of room: no partition waits behind another's backlog.
        let mut partitions: Vec<u32> = self.queues.keys().copied().collect();
        let first = partitions.partition_point(|partition| *partition < self.turn);
        partitions.rotate_left(first);
        for partition in partitions {
            self.turn = partition;
            let parcel = self.parcel(partition);
            if let Some(event) = parcel {
                work = Work::Done;
                self.outbox.push_back(event);
            }
            if !self.send_outbox() {
                // Not again before there is room: the user wakes us then.
                return Work::Nothing;
            }
        }
        work
    }

    fn parcel(&mut self, partition: u32) -> Option<Event> {
        let (mut records, mut errors) = (Vec::new(), Vec::new());
        let queue = self.queues.get(&partition)?;
        while records.len() < PARCEL && errors.is_empty() {
            match queue.queue.poll(Duration::ZERO) {
                Some(Ok(message)) => records.push(fetched(&message)),
                Some(Err(error)) => errors.push(error),
                None => break,
            }
        }
        let since = queue.since;
        let parcel = (!records.is_empty()).then_some(Event::Records { partition, since, records });
        if errors.is_empty() {
            return parcel;
        }
        self.outbox.extend(parcel);
        errors.iter().for_each(|error| self.failed(error));
        None
    }
}

impl Wishes {
    /// Wishes something and wakes the thread.
    pub(super) fn wish(wishes: &Mutex<Self>, reader: &Thread, something: impl FnOnce(&mut Self)) {
        something(&mut wishes.lock().unwrap_or_else(PoisonError::into_inner));
        reader.unpark();
    }
}

fn start_offset(offset: Option<u64>) -> Offset {
    match offset {
        None => Offset::Stored,
        Some(0) => Offset::Beginning,
        Some(offset) => Offset::Offset(offset as i64),
    }
}

fn fetched(message: &BorrowedMessage<'_>) -> Fetched {
    let copy = |bytes: Option<&[u8]>| bytes.map(Bytes::copy_from_slice).unwrap_or_default();
    let headers = message
        .headers()
        .map(|headers| headers.iter().map(|header| (header.key.to_owned(), copy(header.value))).collect());
    let record = Record {
        key: copy(message.key()),
        value: copy(message.payload()),
        headers: headers.unwrap_or_default(),
        timestamp_ms: message.timestamp().to_millis().unwrap_or(0),
    };
    Fetched { partition: message.partition() as u32, offset: message.offset() as u64, record }
}
