//! Reading: every consumer has a cursor of its own over the topic's blocks and a place in each partition.
//!
//! A consumer of a group gets all partitions at once: the embedded log lives in one process, so there is nobody to
//! share with. Two consumers of one group both read everything.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::sync::{oneshot, watch};
use tracing::warn;

use super::store::{StoreResult, group_key};
use super::topic::{Head, Topic};
use super::writer::Command;
use super::{Shared, index};
use crate::{Delivery, Error, Fetched, Start, Subscription};

/// 4 blocks: what a reader that keeps up finds new at each look.
const NEAR_BLOCKS: u64 = 4;

/// Reads a topic.
pub struct LocalConsumer {
    shared: Arc<Shared>,
    topic: Arc<str>,
    group: Option<Group>,
    head: watch::Receiver<Head>,
    /// Where each partition goes on; unknown until the first read after the assignment.
    positions: Vec<Option<u64>>,
    /// Next block to read; unknown at first and after a seek.
    next_block: Option<u64>,
    /// Read, not yet handed over.
    pending: VecDeque<Fetched>,
}

struct Group {
    name: Arc<str>,
    state: Assignment,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Assignment {
    ToBeTold,
    Told,
}

/// What one look at the disk brings.
struct Read {
    positions: Vec<u64>,
    next_block: u64,
    records: Vec<Fetched>,
}

impl LocalConsumer {
    pub(super) fn new(shared: Arc<Shared>, subscription: Subscription) -> Result<Self, Error> {
        let (name, group, start) = match subscription {
            Subscription::Group { topic, group } => {
                (topic, Some(Group { name: group, state: Assignment::ToBeTold }), None)
            }
            Subscription::All { topic, start } => (topic, None, Some(start)),
        };
        let topic = shared.topic(&name)?;
        let head = topic.head.subscribe();
        let positions = match start {
            None => vec![None; topic.partitions as usize],
            Some(Start::Earliest) => vec![Some(0); topic.partitions as usize],
            Some(Start::End) => head.borrow().ends.offsets.iter().copied().map(Some).collect(),
            Some(Start::Offsets(offsets)) if offsets.len() == topic.partitions as usize => {
                offsets.into_iter().map(Some).collect()
            }
            Some(Start::Offsets(offsets)) => return Err(wrong_number(&topic, offsets.len())),
        };
        Ok(Self { shared, topic: name, group, head, positions, next_block: None, pending: VecDeque::new() })
    }

    pub(crate) async fn next(&mut self, max: usize) -> Result<Delivery, Error> {
        if let Some(group) = &mut self.group
            && group.state == Assignment::ToBeTold
        {
            group.state = Assignment::Told;
            return Ok(Delivery::Assigned((0..).take(self.positions.len()).collect()));
        }
        // Cancel-safe: what was read goes into `pending` in one step, and leaves it in the step that returns it.
        loop {
            if !self.pending.is_empty() {
                return Ok(Delivery::Records(self.hand_over(max.max(1))));
            }
            let head = self.head.borrow_and_update().clone();
            if self.next_block.is_some_and(|next| next >= head.next_block) {
                self.head.changed().await.map_err(|_| Error::Closed)?;
                continue;
            }
            let read = self.read(head, max.max(1)).await?;
            self.positions = read.positions.into_iter().map(Some).collect();
            self.next_block = Some(read.next_block);
            self.pending.extend(read.records);
        }
    }

    fn hand_over(&mut self, max: usize) -> Vec<Fetched> {
        let records: Vec<Fetched> = self.pending.drain(..max.min(self.pending.len())).collect();
        for record in &records {
            self.positions[record.partition as usize] = Some(record.offset + 1);
        }
        records
    }

    async fn read(&self, head: Head, enough: usize) -> Result<Read, Error> {
        let topic = self.shared.topic(&self.topic)?;
        let shared = self.shared.clone();
        let (positions, next_block) = (self.positions.clone(), self.next_block);
        let group = self.group.as_ref().map(|group| group.name.clone());
        // What was just written is still in memory: reading it here is cheaper than another thread.
        let is_near = next_block.is_some_and(|next| head.next_block - next <= NEAR_BLOCKS);
        let read = move || {
            let positions = resolve(&shared, &topic, group.as_deref(), positions, &head)?;
            read(&topic, &head, positions, next_block, enough)
                .map_err(|failure| failure.during("read the local log"))
        };
        if is_near { read() } else { super::blocking(read).await }
    }

    pub(crate) fn seek(&mut self, partition: u32, offset: u64) -> Result<(), Error> {
        let Some(position) = self.positions.get_mut(partition as usize) else {
            return Err(Error::NoPartition { topic: self.topic.to_string(), partition });
        };
        *position = Some(offset);
        // The other partitions' places count what was handed over, so what is pending of them is just read again.
        self.pending.clear();
        self.next_block = None;
        Ok(())
    }

    pub(crate) async fn commit(&mut self, positions: &[(u32, u64)]) -> Result<(), Error> {
        let Some(group) = &self.group else {
            let detail = "this consumer reads alone; subscribe with a group to commit".to_owned();
            return Err(Error::Backend { what: "commit", detail });
        };
        if let Some(&(partition, _)) = positions.iter().find(|(p, _)| *p as usize >= self.positions.len()) {
            return Err(Error::NoPartition { topic: self.topic.to_string(), partition });
        }
        let keyed =
            |&(partition, offset): &(u32, u64)| (group_key(&group.name, &self.topic, partition), offset);
        let (done, outcome) = oneshot::channel();
        let command = Command::Commit { positions: positions.iter().map(keyed).collect(), done };
        self.shared.send(command).await?;
        outcome.await.unwrap_or(Err(Error::Closed))
    }
}

fn wrong_number(topic: &Topic, given: usize) -> Error {
    let detail =
        format!("topic {} has {} partitions, {given} offsets were given", topic.name, topic.partitions);
    Error::Backend { what: "start to read", detail }
}

/// Fills in where the group goes on, and corrects places that the log does not reach.
fn resolve(
    shared: &Shared,
    topic: &Topic,
    group: Option<&str>,
    positions: Vec<Option<u64>>,
    head: &Head,
) -> Result<Vec<u64>, Error> {
    let store = shared.store()?;
    let mut resolved = Vec::with_capacity(positions.len());
    for ((partition, position), &end) in (0..).zip(positions).zip(&head.ends.offsets) {
        let position = match (position, group) {
            (Some(position), _) => position,
            (None, Some(group)) => store
                .committed(group, &topic.name, partition)
                .map_err(|failure| failure.during("read the committed offset"))?
                .unwrap_or(0),
            (None, None) => 0,
        };
        resolved.push(within(topic, partition, position, end));
    }
    Ok(resolved)
}

fn within(topic: &Topic, partition: u32, position: u64, end: u64) -> u64 {
    if position <= end {
        return position;
    }
    // As Kafka does it with auto.offset.reset=earliest: rather twice than never.
    warn!(topic = %topic.name, partition, position, end, "the log ends before where this reader wants to go on: it \
        was replaced; reading from its oldest record");
    0
}

fn read(
    topic: &Topic,
    head: &Head,
    mut positions: Vec<u64>,
    next_block: Option<u64>,
    enough: usize,
) -> StoreResult<Read> {
    let mut records = Vec::new();
    let mut at = match next_block {
        Some(at) => at,
        None => locate(topic, head, &mut positions, &mut records)?,
    };
    while at < head.next_block && records.len() < enough {
        match topic.block(at)? {
            Some(block) => block
                .records(&positions, &mut records)
                .map_err(|error| super::store::Failure::block(&topic.name, at, error))?,
            // Retention overtook this reader. What was read stays; the next read finds the new beginning.
            None if !records.is_empty() => break,
            None => {
                at = locate(topic, head, &mut positions, &mut records)?;
                continue;
            }
        }
        at += 1;
    }
    Ok(Read { positions, next_block: at, records })
}

/// Finds the block from which on nothing of what is wanted is missed. What a compacted topic keeps only in its index
/// is read right here.
fn locate(topic: &Topic, head: &Head, positions: &mut [u64], records: &mut Vec<Fetched>) -> StoreResult<u64> {
    if positions.iter().eq(&head.ends.offsets) {
        return Ok(head.next_block);
    }
    let starts = topic.starts()?;
    if positions.iter().zip(&starts).any(|(position, start)| position < start) {
        let compacted = index::records(topic, positions)?;
        records.extend(
            compacted.into_iter().filter(|fetched| fetched.offset < starts[fetched.partition as usize]),
        );
        for (position, start) in positions.iter_mut().zip(&starts) {
            *position = (*position).max(*start);
        }
    }
    topic.bisect(head, |ends| ends.offsets.iter().zip(positions.iter()).any(|(end, position)| end > position))
}
