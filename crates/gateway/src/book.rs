//! The events: the newest change of each, immutable, replaced by one writer.

mod writer;

use std::collections::VecDeque;
use std::sync::Arc;

use model::{EventChange, EventKind};
use model::{SensorId, Timestamp, TrafficEvent};
use roadnet::LinkIndex;
use rustc_hash::FxHashMap;

pub(crate) use writer::{BookWriter, Entered, Keep};

use crate::picture::Place;

/// One change of one event.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) event: TrafficEvent,
    /// The record under it.
    pub(crate) at: Place,
    /// The commit that brought it.
    pub(crate) version: u64,
    /// All links that the event touched so far: who saw it come sees it go.
    pub(crate) touched: Arc<[LinkIndex]>,
}

impl Entry {
    pub(crate) fn is_open(&self) -> bool {
        self.event.change != EventChange::Cleared
    }

    /// Lists go from the event that was opened last to the first.
    pub(crate) fn listed_after(&self, opened_at: Timestamp, id: &str) -> bool {
        (self.event.opened_at, self.event.id.as_str()) < (opened_at, id)
    }
}

/// All events that are open, and those that are over but not long.
#[derive(Debug)]
pub(crate) struct EventBook {
    version: u64,
    newest: FxHashMap<String, Arc<Entry>>,
    /// The last changes in the order in which they came, so that a watcher who keeps up sees each of them.
    recent: VecDeque<Arc<Entry>>,
    /// Every change after this commit is in `recent`.
    recent_since: u64,
    /// Next offset of each partition of the events' topic.
    positions: Arc<[u64]>,
    /// Events that are over and no longer kept were recorded before these.
    dropped: Arc<[u64]>,
}

impl EventBook {
    fn empty(partitions: usize) -> Self {
        Self {
            version: 0,
            newest: FxHashMap::default(),
            recent: VecDeque::new(),
            recent_since: 0,
            positions: vec![0; partitions].into(),
            dropped: Arc::default(),
        }
    }

    pub(crate) fn version(&self) -> u64 {
        self.version
    }

    pub(crate) fn positions(&self) -> &Arc<[u64]> {
        &self.positions
    }

    /// Tells whether everything recorded at or after these log positions is still known.
    pub(crate) fn knows_all_from(&self, positions: &[u64]) -> bool {
        self.dropped.iter().zip(positions).all(|(dropped, from)| from >= dropped)
    }

    /// Yields the newest change of each event, in no order.
    pub(crate) fn newest(&self) -> impl Iterator<Item = &Arc<Entry>> {
        self.newest.values()
    }

    /// Returns the number of events that are open.
    pub(crate) fn open(&self) -> usize {
        self.newest.values().filter(|entry| entry.is_open()).count()
    }

    /// Returns the changes after commit `version`: each of them, or where they are no longer kept the newest of each event.
    pub(crate) fn changes_since(&self, version: u64) -> Vec<Arc<Entry>> {
        let newer = |entry: &&Arc<Entry>| entry.version > version;
        if version >= self.recent_since {
            let first = self.recent.partition_point(|entry| entry.version <= version);
            self.recent.range(first..).cloned().collect()
        } else {
            self.newest.values().filter(newer).cloned().collect()
        }
    }

    /// Returns the newest change of each event whose record stands at or after these log positions.
    pub(crate) fn recorded_from(&self, positions: &[u64]) -> Vec<Arc<Entry>> {
        let missed = |entry: &&Arc<Entry>| {
            positions.get(entry.at.partition as usize).is_none_or(|&from| entry.at.offset >= from)
        };
        self.newest.values().filter(missed).cloned().collect()
    }

    /// Returns the open fault of each sensor that is believed faulty.
    pub(crate) fn faults(&self) -> FxHashMap<&SensorId, &TrafficEvent> {
        self.newest
            .values()
            .filter(|entry| entry.is_open() && entry.event.kind == EventKind::SensorFault)
            .filter_map(|entry| Some((entry.event.sensor.as_ref()?, &entry.event)))
            .collect()
    }
}
