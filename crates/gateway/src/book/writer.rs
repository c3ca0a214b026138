//! The one writer of the event book.

use std::collections::VecDeque;
use std::sync::Arc;

use eventlog::Fetched;
use model::TrafficEvent;
use roadnet::{LinkIndex, Network};
use rustc_hash::FxHashMap;

use super::{Entry, EventBook};
use crate::picture::Place;

/// Changes kept for watchers who keep up; enough for the busiest commit of a city, and cheap to copy.
const RECENT: usize = 1024;

/// How long events that are over are kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Keep {
    pub(crate) for_ms: i64,
    pub(crate) at_most: usize,
}

/// What became of a record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Entered {
    /// In the next commit.
    Taken,
    /// That change, or a later one, is there already.
    Repeated,
    /// It is no event.
    Broken,
}

/// Gathers changes between two commits.
pub(crate) struct BookWriter {
    network: Arc<Network>,
    keep: Keep,
    newest: FxHashMap<String, Arc<Entry>>,
    recent: VecDeque<Arc<Entry>>,
    recent_since: u64,
    positions: Vec<u64>,
    dropped: Vec<u64>,
    version: u64,
    book: Arc<EventBook>,
}

impl BookWriter {
    pub(crate) fn new(network: Arc<Network>, keep: Keep, partitions: usize) -> Self {
        let book = Arc::new(EventBook::empty(partitions));
        Self {
            network,
            keep,
            newest: FxHashMap::default(),
            recent: VecDeque::new(),
            recent_since: 0,
            positions: vec![0; partitions],
            dropped: vec![0; partitions],
            version: 0,
            book,
        }
    }

    /// Takes one record.
    pub(crate) fn offer(&mut self, fetched: Fetched) -> Entered {
        let at = Place { partition: fetched.partition, offset: fetched.offset };
        let partition = at.partition as usize;
        if self.positions.len() <= partition {
            self.positions.resize(partition + 1, 0);
        }
        self.positions[partition] = self.positions[partition].max(at.offset + 1);
        if fetched.record.value.is_empty() {
            return self.forget(&fetched.record.key);
        }
        match wire::decode_event(&fetched.record.value) {
            Ok(event) => self.enter(event, at),
            Err(_) => Entered::Broken,
        }
    }

    /// Says where the log goes on, beyond the records that were offered.
    pub(crate) fn set_positions(&mut self, positions: Vec<u64>) {
        self.positions = positions;
    }

    /// Returns the book with all that was offered; the same one when nothing changed.
    pub(crate) fn commit(&mut self) -> Arc<EventBook> {
        if self.positions[..] == self.book.positions[..] {
            return Arc::clone(&self.book);
        }
        self.version += 1;
        self.drop_old();
        self.book = Arc::new(EventBook {
            version: self.version,
            newest: self.newest.clone(),
            recent: self.recent.clone(),
            recent_since: self.recent_since,
            positions: self.positions.clone().into(),
            dropped: self.dropped.clone().into(),
        });
        Arc::clone(&self.book)
    }

    fn enter(&mut self, event: TrafficEvent, at: Place) -> Entered {
        let before = self.newest.get(&event.id);
        if before.is_some_and(|before| before.event.revision >= event.revision) {
            return Entered::Repeated;
        }
        let touched = self.touched(&event, before.map_or(&[], |before| &before.touched[..]));
        let id = event.id.clone();
        let entry = Arc::new(Entry { event, at, version: self.version + 1, touched });
        self.newest.insert(id, Arc::clone(&entry));
        self.recent.push_back(entry);
        if self.recent.len() > RECENT {
            let dropped = self.recent.pop_front();
            self.recent_since = dropped.map_or(self.recent_since, |entry| entry.version);
        }
        Entered::Taken
    }

    fn touched(&self, event: &TrafficEvent, before: &[LinkIndex]) -> Arc<[LinkIndex]> {
        let named = event.link.iter().chain(&event.head_link).chain(&event.tail_link).chain(&event.links);
        let mut touched: Vec<_> = named.filter_map(|id| self.network.find(id.as_str())).collect();
        touched.extend_from_slice(before);
        touched.sort_unstable();
        touched.dedup();
        touched.into()
    }

    fn forget(&mut self, key: &[u8]) -> Entered {
        match str::from_utf8(key).ok().and_then(|id| self.newest.remove(id)) {
            Some(_) => Entered::Taken,
            None => Entered::Repeated,
        }
    }

    /// Drops events that are over: those that have been for too long, and the oldest of too many.
    fn drop_old(&mut self) {
        let Some(now) = self.newest.values().map(|entry| entry.event.at).max() else { return };
        let limit = now.plus_millis(-self.keep.for_ms);
        let mut over: Vec<_> = self.newest.values().filter(|entry| !entry.is_open()).cloned().collect();
        over.sort_unstable_by(|a, b| (a.event.at, &a.event.id).cmp(&(b.event.at, &b.event.id)));
        let too_many = over.len().saturating_sub(self.keep.at_most);
        let too_old = over.partition_point(|entry| entry.event.at < limit);
        for entry in &over[..too_many.max(too_old)] {
            self.newest.remove(&entry.event.id);
            self.note_dropped(entry.at);
        }
    }

    fn note_dropped(&mut self, at: Place) {
        let partition = at.partition as usize;
        if self.dropped.len() <= partition {
            self.dropped.resize(partition + 1, 0);
        }
        self.dropped[partition] = self.dropped[partition].max(at.offset + 1);
    }
}
