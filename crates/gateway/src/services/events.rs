//! `TrafficEvents`.

use std::collections::VecDeque;
use std::sync::Arc;

use futures_util::stream;
use model::EventKind;
use roadnet::{BoundingBox, LinkIndex};
use rustc_hash::FxHashSet;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tonic::metadata::MetadataValue;
use tonic::{Request, Response, Status};
use wire::v1;
use wire::v1::traffic_events_server::TrafficEvents;

use super::{Answers, not_built};
use crate::arguments::{self, invalid};
use crate::book::{Entry, EventBook};
use crate::metrics::Watching;
use crate::shared::Shared;
use crate::token::{self, EventPage, EventToken, stable_hash};

/// Answer header of `WatchEvents`: why a resume token was not honoured.
const RESET_REASON: &str = "luong-reset-reason";

/// `TrafficEvents` over the event book.
pub(crate) struct Events(pub(crate) Arc<Shared>);

#[tonic::async_trait]
impl TrafficEvents for Events {
    type WatchEventsStream = Answers<v1::TrafficEvent>;

    async fn list_events(
        &self,
        request: Request<v1::ListEventsRequest>,
    ) -> Result<Response<v1::ListEventsResponse>, Status> {
        let asked = request.get_ref();
        let selection = EventSelection::new(asked.filter.as_ref(), &self.0)?;
        let size = arguments::page_size(asked.page_size)?;
        let after = read_page(&asked.page_token, selection.hash)?;
        let book = self.0.book()?;
        let mut entries: Vec<_> = book
            .newest()
            .filter(|entry| selection.lists(entry) && selection.sees(entry, &self.0))
            .filter(|entry| after.as_ref().is_none_or(|page| entry.listed_after(page.opened_at, &page.id)))
            .collect();
        entries
            .sort_unstable_by(|a, b| (b.event.opened_at, &b.event.id).cmp(&(a.event.opened_at, &a.event.id)));
        let more = entries.len() > size;
        entries.truncate(size);
        let last = entries.last().filter(|_| more).map(|entry| EventPage {
            filter: selection.hash,
            opened_at: entry.event.opened_at,
            id: entry.event.id.clone(),
        });
        Ok(Response::new(v1::ListEventsResponse {
            events: entries.iter().map(|entry| wire::event_message(&entry.event)).collect(),
            next_page_token: last.map(|page| token::seal(&page)).unwrap_or_default(),
        }))
    }

    async fn watch_events(
        &self,
        request: Request<v1::WatchEventsRequest>,
    ) -> Result<Response<Self::WatchEventsStream>, Status> {
        let closing = request.extensions().get().unwrap_or(&self.0.closing).clone();
        let asked = request.get_ref();
        let selection = EventSelection::new(asked.filter.as_ref(), &self.0)?;
        let token = read_token(&asked.resume_token)?;
        let (watcher, reset_reason) = EventWatcher::new(Arc::clone(&self.0), selection, token, closing)?;
        let mut response: Response<Self::WatchEventsStream> =
            Response::new(Box::pin(stream::unfold(Some(watcher), async |watcher| {
                let mut watcher = watcher?;
                match watcher.next_event().await {
                    Ok(event) => Some((Ok(event), Some(watcher))),
                    Err(status) => Some((Err(status), None)),
                }
            })));
        if let Some(reason) = reset_reason {
            response.metadata_mut().insert(RESET_REASON, MetadataValue::from_static(reason));
        }
        Ok(response)
    }

    async fn acknowledge_event(
        &self,
        _: Request<v1::AcknowledgeEventRequest>,
    ) -> Result<Response<v1::TrafficEvent>, Status> {
        Err(not_built("AcknowledgeEvent"))
    }
}

/// A checked `EventFilter`.
struct EventSelection {
    area: Option<BoundingBox>,
    links: Option<FxHashSet<LinkIndex>>,
    kinds: Vec<EventKind>,
    include_cleared: bool,
    hash: u64,
}

impl EventSelection {
    fn new(filter: Option<&v1::EventFilter>, shared: &Shared) -> Result<Self, Status> {
        let nothing_asked = v1::EventFilter::default();
        let filter = filter.unwrap_or(&nothing_asked);
        let links = arguments::links("filter.link_ids", &filter.link_ids, &shared.network)?;
        Ok(Self {
            area: filter
                .bbox
                .as_ref()
                .map(|bbox| arguments::bounding_box("filter.bbox", bbox))
                .transpose()?,
            links: (!links.is_empty()).then(|| links.into_iter().collect()),
            kinds: kinds(&filter.types)?,
            include_cleared: filter.include_cleared,
            hash: stable_hash(&wire::encode(filter)),
        })
    }

    /// Tells whether an event is listed at all: cleared ones only where asked for.
    fn lists(&self, entry: &Entry) -> bool {
        self.include_cleared || entry.is_open()
    }

    /// Tells whether an event is of the kinds and at the places asked for.
    fn sees(&self, entry: &Entry, shared: &Shared) -> bool {
        let of_kind = self.kinds.is_empty() || self.kinds.contains(&entry.event.kind);
        let on_link =
            self.links.as_ref().is_none_or(|links| entry.touched.iter().any(|link| links.contains(link)));
        of_kind && on_link && self.area.as_ref().is_none_or(|area| is_in(entry, area, shared))
    }
}

fn is_in(entry: &Entry, area: &BoundingBox, shared: &Shared) -> bool {
    let sensor = entry.event.sensor.as_ref().and_then(|id| shared.registry.find(id.as_str()));
    let stands_in = |point| area.intersects(&BoundingBox { min: point, max: point });
    entry.touched.iter().any(|&link| shared.network.link_bounds(link).intersects(area))
        || sensor.and_then(|(_, sensor)| sensor.point).is_some_and(stands_in)
}

fn kinds(given: &[i32]) -> Result<Vec<EventKind>, Status> {
    let kind = |(i, &number): (usize, &i32)| match v1::EventType::try_from(number) {
        Ok(v1::EventType::Queue) => Ok(EventKind::Queue),
        Ok(v1::EventType::Incident) => Ok(EventKind::Incident),
        Ok(v1::EventType::Spillback) => Ok(EventKind::Spillback),
        Ok(v1::EventType::SensorFault) => Ok(EventKind::SensorFault),
        Ok(v1::EventType::Unspecified) | Err(_) => {
            Err(invalid(&format!("filter.types[{i}]"), format_args!("no event type {number}")))
        }
    };
    given.iter().enumerate().map(kind).collect()
}

fn read_page(text: &str, filter: u64) -> Result<Option<EventPage>, Status> {
    if text.is_empty() {
        return Ok(None);
    }
    match token::open::<EventPage>(text) {
        Some(page) if page.filter == filter => Ok(Some(page)),
        Some(_) => Err(invalid("page_token", "was given for another filter")),
        None => Err(invalid("page_token", "was not given by ListEvents, or was changed on the way")),
    }
}

fn read_token(text: &str) -> Result<Option<EventToken>, Status> {
    match token::open(text) {
        None if !text.is_empty() => {
            Err(invalid("resume_token", "was not given by WatchEvents, or was changed on the way"))
        }
        token => Ok(token),
    }
}

/// One `WatchEvents` call.
struct EventWatcher {
    shared: Arc<Shared>,
    books: watch::Receiver<Option<Arc<EventBook>>>,
    selection: EventSelection,
    /// The commit up to which everything is sent or in `batch`.
    version: u64,
    /// What one commit brought, with the log positions that a client has after each; the client takes it one by one.
    batch: VecDeque<(Arc<Entry>, Arc<[u64]>)>,
    closing: CancellationToken,
    _watching: Watching,
}

impl EventWatcher {
    fn new(
        shared: Arc<Shared>,
        selection: EventSelection,
        token: Option<EventToken>,
        closing: CancellationToken,
    ) -> Result<(Self, Option<&'static str>), Status> {
        let book = shared.book()?;
        let (entries, reset_reason) = match token.map(|token| honoured(token, &book, &selection)) {
            Some(Ok(positions)) => (book.recorded_from(&positions), None),
            Some(Err(reason)) => (listed(&book, &selection), Some(reason)),
            None => (listed(&book, &selection), None),
        };
        let mut watcher = Self {
            books: shared.books.clone(),
            version: book.version(),
            batch: VecDeque::new(),
            closing,
            _watching: shared.metrics.watching_events(),
            selection,
            shared,
        };
        watcher.take(entries, &book);
        Ok((watcher, reset_reason))
    }

    async fn next_event(&mut self) -> Result<v1::TrafficEvent, Status> {
        loop {
            if self.closing.is_cancelled() {
                return Err(self.shared.farewell());
            }
            if let Some((entry, positions)) = self.batch.pop_front() {
                let token = EventToken { filter: self.selection.hash, positions: positions.to_vec() };
                return Ok(v1::TrafficEvent {
                    resume_token: token::seal(&token),
                    ..wire::event_message(&entry.event)
                });
            }
            self.wait().await?;
            let newest = self.books.borrow_and_update().clone();
            if let Some(book) = newest {
                self.take(book.changes_since(self.version), &book);
                self.version = book.version();
            }
        }
    }

    /// Waits for the next commit. Each branch may be dropped: what it waits for stays there.
    async fn wait(&mut self) -> Result<(), Status> {
        tokio::select! {
            () = self.closing.cancelled() => Err(self.shared.farewell()),
            changed = self.books.changed() => changed.map_err(|_| self.shared.log_ended()),
        }
    }

    /// Takes what the client is to see, oldest first. After each event the client stands before the first record
    /// that it still lacks, partition by partition.
    fn take(&mut self, mut entries: Vec<Arc<Entry>>, book: &EventBook) {
        entries.retain(|entry| self.selection.sees(entry, &self.shared));
        entries.sort_by(|a, b| {
            (a.event.at, &a.event.id, a.event.revision).cmp(&(b.event.at, &b.event.id, b.event.revision))
        });
        let mut positions: Vec<u64> = book.positions().to_vec();
        for entry in entries.into_iter().rev() {
            let (partition, offset) = (entry.at.partition as usize, entry.at.offset);
            self.batch.push_front((entry, positions.clone().into()));
            positions[partition] = positions[partition].min(offset);
        }
    }
}

fn listed(book: &EventBook, selection: &EventSelection) -> Vec<Arc<Entry>> {
    book.newest().filter(|entry| selection.lists(entry)).cloned().collect()
}

/// Returns where a token's owner stands in the log, or why what it missed can't be told.
fn honoured(
    token: EventToken,
    book: &EventBook,
    selection: &EventSelection,
) -> Result<Vec<u64>, &'static str> {
    if token.filter != selection.hash {
        return Err("the token was given for another filter");
    }
    let ahead = |(mine, theirs): (&u64, &u64)| theirs > mine;
    if token.positions.len() != book.positions().len()
        || book.positions().iter().zip(&token.positions).any(ahead)
    {
        return Err("the token is ahead of this gateway's log, or of another log");
    }
    if !book.knows_all_from(&token.positions) {
        return Err("events that were cleared since the token was given are no longer kept");
    }
    Ok(token.positions)
}
