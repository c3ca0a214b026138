//! Whether ingest can do its work, and if not, why: what the admin endpoint shows.

use std::sync::{Mutex, PoisonError};

/// Whether ingest can do its work.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Status {
    /// Events are taken and acknowledged.
    Ready,
    /// They are not, for these reasons, in words.
    NotReady(Vec<String>),
}

#[derive(Debug, Default)]
pub(crate) struct Health {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    log: Option<String>,
    broker: Option<String>,
    stopping: bool,
}

impl Health {
    pub(crate) fn status(&self) -> Status {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let stopping = state.stopping.then(|| "ingest is stopping".to_owned());
        let why: Vec<String> =
            [stopping, state.log.clone(), state.broker.clone()].into_iter().flatten().collect();
        if why.is_empty() { Status::Ready } else { Status::NotReady(why) }
    }

    pub(crate) fn log_works(&self) {
        self.change(|state| state.log = None);
    }

    pub(crate) fn log_fails(&self, why: &str) {
        self.change(|state| state.log = Some(format!("the log does not take events: {why}")));
    }

    pub(crate) fn broker_connected(&self) {
        self.change(|state| state.broker = None);
    }

    pub(crate) fn broker_lost(&self, why: &str) {
        self.change(|state| state.broker = Some(format!("not connected to the MQTT broker: {why}")));
    }

    pub(crate) fn stopping(&self) {
        self.change(|state| state.stopping = true);
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner));
    }
}
