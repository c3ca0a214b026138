//! What the client knows: the newest state of each link, the open events.

use std::collections::BTreeMap;

use wire::v1::state_update::Kind;
use wire::v1::{EventChange, LinkState, Source, StateUpdate, TrafficEvent};

#[derive(Default)]
pub(super) struct Picture {
    states: BTreeMap<String, LinkState>,
    events: BTreeMap<String, TrafficEvent>,
    resume_token: String,
    complete: bool,
    as_of_ms: i64,
    readings_per_s: Option<f64>,
}

impl Picture {
    pub(super) fn update(&mut self, update: StateUpdate) {
        if update.kind() == Kind::Snapshot && self.complete {
            self.states.clear();
            self.complete = false;
        }
        self.complete |= update.complete || update.kind() == Kind::Delta;
        for id in update.left_filter_link_ids {
            self.states.remove(&id);
        }
        for state in update.states {
            self.states.insert(state.link_id.clone(), state);
        }
        self.resume_token = update.resume_token;
        self.readings_per_s = update.readings_per_s.or(self.readings_per_s);
        if let Some(at) = update.as_of {
            self.as_of_ms = at.seconds * 1000 + i64::from(at.nanos / 1_000_000);
        }
    }

    pub(super) fn event(&mut self, event: TrafficEvent) {
        if event.change() == EventChange::Cleared {
            self.events.remove(&event.id);
        } else {
            self.events.insert(event.id.clone(), event);
        }
    }

    pub(super) fn complete(&self) -> bool {
        self.complete
    }

    pub(super) fn resume_token(&self) -> &str {
        if self.complete { &self.resume_token } else { "" }
    }

    pub(super) fn as_of_ms(&self) -> i64 {
        self.as_of_ms
    }

    pub(super) fn readings_per_s(&self) -> Option<f64> {
        self.readings_per_s
    }

    pub(super) fn links(&self) -> usize {
        self.states.len()
    }

    pub(super) fn with_source(&self, source: Source) -> usize {
        self.states.values().filter(|state| state.source() == source).count()
    }

    pub(super) fn congested(&self) -> usize {
        self.states.values().filter(|state| state.congested == Some(true)).count()
    }

    /// Returns the links with the most delay, most first; links of which no delay is known are left out.
    pub(super) fn worst(&self, number: usize) -> Vec<&LinkState> {
        let mut all: Vec<_> = self.states.values().filter(|state| state.delay_s.is_some()).collect();
        all.sort_by(|a, b| {
            b.level_of_service
                .cmp(&a.level_of_service)
                .then(b.delay_s.unwrap_or(0.0).total_cmp(&a.delay_s.unwrap_or(0.0)))
        });
        all.truncate(number);
        all
    }

    pub(super) fn events(&self) -> impl Iterator<Item = &TrafficEvent> {
        self.events.values()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(id: &str, delay_s: f64) -> LinkState {
        LinkState { link_id: id.into(), delay_s: Some(delay_s), ..LinkState::default() }
    }

    #[test]
    fn a_fresh_snapshot_forgets_what_was_there() {
        let mut picture = Picture::default();
        let update = |ids: &[&str], complete| StateUpdate {
            kind: Kind::Snapshot.into(),
            complete,
            states: ids.iter().map(|id| state(id, 1.0)).collect(),
            ..StateUpdate::default()
        };
        picture.update(update(&["a"], false));
        assert!(!picture.complete());
        picture.update(update(&["b"], true));
        assert_eq!((picture.links(), picture.complete()), (2, true));
        picture.update(update(&["c"], true));
        assert_eq!(picture.links(), 1);
    }

    #[test]
    fn the_worst_link_comes_first() {
        let mut picture = Picture::default();
        let states = vec![state("a", 1.0), state("b", 9.0)];
        picture.update(StateUpdate { kind: Kind::Delta.into(), states, ..StateUpdate::default() });
        assert_eq!(picture.worst(1).first().map(|s| s.link_id.as_str()), Some("b"));
    }
}
