//! One pass over the picture for one watcher: a snapshot, or what changed since.
//!
//! A pass may take several frames, and a slow client may take long for each. Nothing is queued and no old picture is
//! held: every step looks at the newest picture. What changed behind the pass meanwhile comes with the next one, since
//! that starts from the commit at which this one started.

use std::sync::Arc;

use bytes::Bytes;
use model::Timestamp;
use wire::v1;
use wire::v1::state_update::Kind;

use crate::frames::{FrameBuilder, StepKey};
use crate::picture::{Picture, Slot, bits};
use crate::selection::Selection;
use crate::shared::Shared;
use crate::token::{self, StateToken};

/// What a client has.
#[derive(Clone, Debug)]
pub(crate) struct Cursor {
    /// All commits up to this one; counts in this process only.
    pub(crate) version: u64,
    /// The same in terms of the log; `None` = nothing complete yet.
    pub(crate) positions: Option<Arc<[u64]>>,
    /// The newest state that it has.
    pub(crate) as_of: Option<Timestamp>,
}

impl Cursor {
    pub(crate) fn at(picture: &Picture) -> Self {
        Self {
            version: picture.version(),
            positions: Some(Arc::clone(picture.positions())),
            as_of: picture.as_of(),
        }
    }
}

/// A pass and how far it got.
#[derive(Clone, Debug)]
pub(crate) struct Walk {
    since: Since,
    /// What the client has until the pass is complete.
    from: Cursor,
    /// What it has then.
    pub(crate) goal: Cursor,
    next: usize,
    reset_reason: String,
}

#[derive(Clone, Debug)]
enum Since {
    /// A snapshot.
    Nothing,
    /// A delta, after this commit.
    Version(u64),
    /// A resumed watch, from these places of the log.
    Positions(Arc<[u64]>),
}

/// What one step brings.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    /// Nothing, when nothing changed that the client would see.
    pub(crate) frame: Option<Bytes>,
    /// Where the next one begins; `None` = the pass is complete.
    pub(crate) next: Option<usize>,
}

/// Which links were told to a watcher; kept where they come and go with their states, else nothing.
pub(crate) type Sent = Option<Vec<u64>>;

impl Walk {
    /// A fresh snapshot; `reset_reason` says why, where the client wanted to resume.
    pub(crate) fn snapshot(picture: &Picture, reset_reason: String) -> Self {
        let from = Cursor { version: 0, positions: None, as_of: None };
        Self { since: Since::Nothing, from, goal: Cursor::at(picture), next: 0, reset_reason }
    }

    /// What changed since `from`.
    pub(crate) fn delta(picture: &Picture, from: Cursor) -> Self {
        let since = Since::Version(from.version);
        Self { since, from, goal: Cursor::at(picture), next: 0, reset_reason: String::new() }
    }

    /// What changed since the token was given.
    pub(crate) fn resumed(picture: &Picture, positions: Vec<u64>, as_of: Option<Timestamp>) -> Self {
        let positions: Arc<[u64]> = positions.into();
        let from = Cursor { version: 0, positions: Some(Arc::clone(&positions)), as_of };
        let since = Since::Positions(positions);
        Self { since, from, goal: Cursor::at(picture), next: 0, reset_reason: String::new() }
    }

    /// Tells whether it starts from nothing.
    pub(crate) fn is_snapshot(&self) -> bool {
        matches!(self.since, Since::Nothing)
    }

    /// Goes on to the next frame, over the newest picture.
    pub(crate) fn step(
        &mut self,
        picture: &Picture,
        selection: &Selection,
        sent: &mut Sent,
        shared: &Shared,
    ) -> Step {
        let build = |walk: &Self, sent: &mut Sent| walk.build(picture, selection, sent, shared);
        let step = match self.key(picture, selection) {
            Some(key) => picture.shared_step(key, || build(self, sent)),
            None => build(self, sent),
        };
        self.next = step.next.unwrap_or(self.next);
        step
    }

    /// Names the step, if other watchers' steps are the same.
    fn key(&self, picture: &Picture, selection: &Selection) -> Option<StepKey> {
        let since = match self.since {
            Since::Nothing => 0,
            Since::Version(version) => version,
            Since::Positions(_) => return None,
        };
        let same = selection.is_everything()
            && self.goal.version == picture.version()
            && self.reset_reason.is_empty();
        same.then_some(StepKey { kind: self.kind(), since, next: self.next })
    }

    fn build(&self, picture: &Picture, selection: &Selection, sent: &mut Sent, shared: &Shared) -> Step {
        let mut frame = FrameBuilder::new();
        let mut left = Vec::new();
        let mut next = self.next;
        let areas = selection.areas(picture);
        while next < areas && !frame.is_full() && left.len() < MOST_LEFT {
            let (tile, asked) = selection.area(next);
            if self.may_have_changed(picture, tile) {
                let changed = asked & self.changed(picture, tile);
                let passing = changed & selection.passing(&picture.tiles()[tile]);
                picture.tiles()[tile].put_update_entries(passing, frame.entries());
                let gone = changed & !passing & told(sent, next, changed, passing);
                left.extend(bits(gone).map(|bit| shared.link_id(Slot::of(tile, bit))));
            }
            next += 1;
        }
        let complete = next >= areas;
        if complete && frame.is_empty() && left.is_empty() && self.kind() == Kind::Delta {
            return Step { frame: None, next: None };
        }
        let header = self.header(complete, left, selection, shared);
        Step { frame: Some(frame.finish(&wire::encode(&header))), next: (!complete).then_some(next) }
    }

    fn header(
        &self,
        complete: bool,
        left: Vec<String>,
        selection: &Selection,
        shared: &Shared,
    ) -> v1::StateUpdate {
        let has = if complete { &self.goal } else { &self.from };
        v1::StateUpdate {
            kind: self.kind().into(),
            complete: complete || self.kind() == Kind::Delta,
            as_of: self.goal.as_of.map(wire::to_proto_time),
            left_filter_link_ids: left,
            reset_reason: if self.next == 0 { self.reset_reason.clone() } else { String::new() },
            ..update(has, selection, shared)
        }
    }

    fn kind(&self) -> Kind {
        match self.since {
            Since::Nothing => Kind::Snapshot,
            Since::Version(_) => Kind::Delta,
            Since::Positions(_) => Kind::Resumed,
        }
    }

    fn may_have_changed(&self, picture: &Picture, tile: usize) -> bool {
        match self.since {
            Since::Version(version) => picture.tile_changed_since(tile, version),
            Since::Nothing | Since::Positions(_) => true,
        }
    }

    fn changed(&self, picture: &Picture, tile: usize) -> u64 {
        let tile = &picture.tiles()[tile];
        match &self.since {
            Since::Nothing => tile.known(),
            Since::Version(version) => tile.changed_since(*version),
            Since::Positions(positions) => tile.recorded_from(positions),
        }
    }
}

/// Links that left the filter in one frame: their names take about 100 KB.
const MOST_LEFT: usize = 5000;

/// Returns an update without states, for what a client has.
pub(crate) fn update(has: &Cursor, selection: &Selection, shared: &Shared) -> v1::StateUpdate {
    let resume = StateToken {
        network: shared.network.version().0,
        filter: selection.hash(),
        as_of: has.as_of,
        positions: has.positions.as_ref().map(|positions| positions.to_vec()),
    };
    v1::StateUpdate {
        kind: Kind::Delta.into(),
        complete: true,
        resume_token: token::seal(&resume),
        as_of: has.as_of.map(wire::to_proto_time),
        network_version: shared.network_version.clone(),
        readings_per_s: shared.readings.per_s(),
        ..v1::StateUpdate::default()
    }
}

/// Returns which links of an area the client may have, and notes what it has now.
fn told(sent: &mut Sent, area: usize, changed: u64, passing: u64) -> u64 {
    let Some(areas) = sent else { return u64::MAX };
    let before = areas[area];
    areas[area] = before & !changed | passing;
    before
}
