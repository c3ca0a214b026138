//! Log time: when this process received what, and what it may promise about it.
//!
//! A marker at T in a partition promises that all that this process received before T stands before it. So a batch is
//! stamped on the way from its lane to the log, and the stamp stays *open* until the log took the batch; a marker says
//! no more than the oldest open stamp.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use model::Timestamp;

/// Tells the time; given by whoever starts the program, so that tests have their own.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// This process's log time. It never goes back, also when the wall clock is set back.
pub(crate) struct LogClock {
    wall: Clock,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    latest: Timestamp,
    open: Vec<Timestamp>,
}

/// When a batch was received; open until it is dropped, which says that the log took the batch.
pub(crate) struct Stamp {
    clock: Arc<LogClock>,
    at: Timestamp,
}

impl LogClock {
    pub(crate) fn new(wall: Clock) -> Arc<Self> {
        Arc::new(Self { wall, state: Mutex::default() })
    }

    /// Returns now.
    pub(crate) fn now(&self) -> Timestamp {
        self.state().advance((self.wall)())
    }

    /// Stamps a batch.
    pub(crate) fn stamp(self: &Arc<Self>) -> Stamp {
        let mut state = self.state();
        // Read under the lock: between reading and opening no marker may slip through.
        let at = state.advance((self.wall)());
        state.open.push(at);
        Stamp { clock: Arc::clone(self), at }
    }

    /// Opens an old stamp again, for a batch that the log gave back.
    pub(crate) fn reopen(self: &Arc<Self>, at: Timestamp) -> Stamp {
        self.state().open.push(at);
        Stamp { clock: Arc::clone(self), at }
    }

    /// Returns up to when everything that was received has been taken by the log.
    pub(crate) fn complete_until(&self) -> Timestamp {
        let mut state = self.state();
        let now = state.advance((self.wall)());
        state.open.iter().min().map_or(now, |&oldest| oldest.min(now))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing under the lock can panic half-way, but for the given clock, which changes nothing here.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn advance(&mut self, wall: Timestamp) -> Timestamp {
        self.latest = self.latest.max(wall);
        self.latest
    }
}

impl Stamp {
    pub(crate) fn at(&self) -> Timestamp {
        self.at
    }
}

impl Drop for Stamp {
    fn drop(&mut self) {
        let mut state = self.clock.state();
        if let Some(place) = state.open.iter().position(|&at| at == self.at) {
            state.open.swap_remove(place);
        }
    }
}

/// What clock markers tell: up to when the log holds everything.
pub(crate) enum Complete {
    /// `clock.mode = "wall"`: of what was received.
    Received(Arc<LogClock>),
    /// `clock.mode = "event"`: of what has happened, by the newest event that the log took.
    Happened(Arc<EventTime>),
}

impl Complete {
    /// Returns the instant; `None` before there is any.
    pub(crate) fn until(&self) -> Option<Timestamp> {
        match self {
            Self::Received(clock) => Some(clock.complete_until()),
            Self::Happened(time) => time.newest(),
        }
    }
}

/// The newest event that the log took.
pub(crate) struct EventTime(AtomicI64);

impl EventTime {
    const NONE: i64 = i64::MIN;

    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self(AtomicI64::new(Self::NONE)))
    }

    /// Takes note of events that the log took, up to this one.
    pub(crate) fn reached(&self, at: Timestamp) {
        self.0.fetch_max(at.as_millis(), Ordering::Relaxed);
    }

    fn newest(&self) -> Option<Timestamp> {
        match self.0.load(Ordering::Relaxed) {
            Self::NONE => None,
            millis => Some(Timestamp::from_millis(millis)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    #[test]
    fn a_marker_waits_for_the_oldest_batch_that_the_log_has_not_taken() {
        let wall = Arc::new(AtomicI64::new(100));
        let hand = Arc::clone(&wall);
        let clock = LogClock::new(Arc::new(move || at(hand.load(Ordering::Relaxed))));
        let first = clock.stamp();
        wall.store(200, Ordering::Relaxed);
        let second = clock.stamp();
        wall.store(300, Ordering::Relaxed);
        assert_eq!(clock.complete_until(), at(100));
        drop(first);
        assert_eq!(clock.complete_until(), at(200));
        let again = clock.reopen(at(100));
        drop(second);
        assert_eq!(clock.complete_until(), at(100));
        drop(again);
        assert_eq!(clock.complete_until(), at(300));
    }

    #[test]
    fn a_wall_clock_that_is_set_back_does_not_turn_log_time_back() {
        let wall = Arc::new(AtomicI64::new(100));
        let hand = Arc::clone(&wall);
        let clock = LogClock::new(Arc::new(move || at(hand.load(Ordering::Relaxed))));
        assert_eq!(clock.now(), at(100));
        wall.store(50, Ordering::Relaxed);
        assert_eq!((clock.now(), clock.stamp().at(), clock.complete_until()), (at(100), at(100), at(100)));
    }

    #[test]
    fn event_time_is_that_of_the_newest_event_and_unknown_before_the_first() {
        let time = EventTime::new();
        let told = Complete::Happened(Arc::clone(&time));
        assert_eq!(told.until(), None);
        time.reached(at(500));
        time.reached(at(200));
        assert_eq!(told.until(), Some(at(500)));
    }
}
