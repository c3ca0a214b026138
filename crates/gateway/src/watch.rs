//! A watcher of link states: a cursor into the picture, never a queue.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::Stream;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tonic::Status;
use wire::v1;

use crate::arguments::{duration, invalid};
use crate::frames::FrameBuilder;
use crate::metrics::Watching;
use crate::picture::Picture;
use crate::selection::Selection;
use crate::shared::Shared;
use crate::token::{self, StateToken};
use crate::walk::{self, Cursor, Sent, Walk};

/// 2 s without a change, and the client is told that there was none: a page can say "connection lost" soon after.
const QUIET: Duration = Duration::from_secs(2);

/// One `WatchState` call.
pub(crate) struct StateWatcher {
    shared: Arc<Shared>,
    pictures: watch::Receiver<Option<Arc<Picture>>>,
    selection: Selection,
    sent: Sent,
    /// What the client has once `walk` is complete.
    at: Cursor,
    walk: Option<Walk>,
    min_interval: Duration,
    /// Not before this.
    due: Instant,
    /// Something, if only that nothing changed, by this.
    quiet_until: Instant,
    closing: CancellationToken,
    _watching: Watching,
}

impl StateWatcher {
    /// Checks a request; `closing` ends the stream.
    pub(crate) fn new(
        shared: Arc<Shared>,
        request: &v1::WatchStateRequest,
        closing: CancellationToken,
    ) -> Result<Self, Status> {
        let selection = Selection::new(request.filter.as_ref(), &shared.network, &shared.layout)?;
        let min_interval = match &request.min_interval {
            Some(given) => duration("min_interval", given.seconds, given.nanos)?,
            None => Duration::ZERO,
        };
        let token = read_token(&request.resume_token)?;
        let picture = shared.picture()?;
        let walk = first_walk(token, &picture, &selection, &shared);
        let now = Instant::now();
        Ok(Self {
            sent: first_sent(&walk, &selection, &picture),
            pictures: shared.pictures.clone(),
            at: walk.goal.clone(),
            walk: Some(walk),
            min_interval,
            due: now,
            quiet_until: now + QUIET,
            closing,
            _watching: shared.metrics.watching_states(),
            selection,
            shared,
        })
    }

    /// Returns the frames; polled only when the client takes more.
    pub(crate) fn frames(self) -> impl Stream<Item = Result<Bytes, Status>> {
        futures_util::stream::unfold(Some(self), async |watcher| {
            let mut watcher = watcher?;
            match watcher.next_frame().await {
                Ok(frame) => Some((Ok(frame), Some(watcher))),
                Err(status) => Some((Err(status), None)),
            }
        })
    }

    async fn next_frame(&mut self) -> Result<Bytes, Status> {
        loop {
            if self.closing.is_cancelled() {
                return Err(self.shared.farewell());
            }
            if let Some(frame) = self.advance() {
                self.shared.metrics.frame_sent(frame.len());
                return Ok(frame);
            }
            self.wait().await?;
        }
    }

    /// Returns what there is to say now.
    fn advance(&mut self) -> Option<Bytes> {
        let picture = self.pictures.borrow_and_update().clone()?;
        let now = Instant::now();
        if self.walk.is_none() && now >= self.due && picture.version() > self.at.version {
            self.shared.metrics.conflated(picture.version() - self.at.version - 1);
            let walk = Walk::delta(&picture, self.at.clone());
            self.at = walk.goal.clone();
            self.walk = Some(walk);
        }
        if let Some(walk) = &mut self.walk {
            let step = walk.step(&picture, &self.selection, &mut self.sent, &self.shared);
            if step.next.is_none() {
                self.walk = None;
                self.due = now + self.min_interval;
            }
            if step.frame.is_some() {
                self.quiet_until = now + QUIET;
                return step.frame;
            }
        }
        (now >= self.quiet_until).then(|| {
            self.quiet_until = now + QUIET;
            let nothing_new = walk::update(&self.at, &self.selection, &self.shared);
            FrameBuilder::new().finish(&wire::encode(&nothing_new))
        })
    }

    /// Waits until there may be something to say. Each branch may be dropped: what it waits for stays there.
    async fn wait(&mut self) -> Result<(), Status> {
        let too_early = Instant::now() < self.due;
        let wake = if too_early { self.due.min(self.quiet_until) } else { self.quiet_until };
        tokio::select! {
            () = self.closing.cancelled() => Err(self.shared.farewell()),
            () = tokio::time::sleep_until(wake) => Ok(()),
            changed = self.pictures.changed(), if !too_early => changed.map_err(|_| self.shared.log_ended()),
        }
    }
}

fn read_token(text: &str) -> Result<Option<StateToken>, Status> {
    if text.is_empty() {
        return Ok(None);
    }
    match token::open(text) {
        Some(token) => Ok(Some(token)),
        None => Err(invalid("resume_token", "was not given by WatchState, or was changed on the way")),
    }
}

fn first_walk(token: Option<StateToken>, picture: &Picture, selection: &Selection, shared: &Shared) -> Walk {
    match token.map(|token| honoured(token, picture, selection, shared)) {
        None => Walk::snapshot(picture, String::new()),
        Some(Err(reason)) => Walk::snapshot(picture, reason.to_owned()),
        Some(Ok((positions, as_of))) => Walk::resumed(picture, positions, as_of),
    }
}

/// Returns where a token's owner stands in the log, or why what it missed can't be told.
fn honoured(
    token: StateToken,
    picture: &Picture,
    selection: &Selection,
    shared: &Shared,
) -> Result<(Vec<u64>, Option<model::Timestamp>), &'static str> {
    if token.network != shared.network.version().0 {
        return Err("the road network is another one now");
    }
    if token.filter != selection.hash() {
        return Err("the token was given for another filter");
    }
    let positions = token.positions.ok_or("the token was given before the snapshot was complete")?;
    let ahead = |(mine, theirs): (&u64, &u64)| theirs > mine;
    if positions.len() != picture.positions().len() || picture.positions().iter().zip(&positions).any(ahead) {
        return Err("the token is ahead of this gateway's log, or of another log");
    }
    let as_of = token.as_of.unwrap_or(model::Timestamp::MIN);
    let unseen =
        |tile: &Arc<crate::picture::Tile>| tile.newer_than(as_of) & !tile.recorded_from(&positions) != 0;
    if picture.tiles().iter().any(unseen) {
        return Err("the token is of another log");
    }
    Ok((positions, token.as_of))
}

/// A fresh client has nothing; one that resumes may have any link.
fn first_sent(walk: &Walk, selection: &Selection, picture: &Picture) -> Sent {
    let all = if walk.is_snapshot() { 0 } else { u64::MAX };
    selection.depends_on_state().then(|| vec![all; selection.areas(picture)])
}
