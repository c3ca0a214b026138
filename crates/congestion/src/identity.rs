//! One observation counts once: remembers identities for as long as a repetition could still count.
//!
//! Exact keys in two generations: an identity is remembered for at least one lateness and at most two, then forgotten, so
//! that memory is bounded by the rate of readings.

use model::{Observation, Timestamp};
use rustc_hash::FxHashSet;
use serde::{Deserialize, Serialize};

/// (sensor, lane, kind) packed, and `seq`, or the stamp where there is no `seq`.
pub(crate) type Key = (u64, u64);

#[derive(Clone, Debug, Default)]
pub(crate) struct Identities {
    young: FxHashSet<Key>,
    old: FxHashSet<Key>,
    since: Timestamp,
}

/// What a checkpoint holds: sorted, so that equal states are equal bytes.
#[derive(Serialize, Deserialize)]
pub(crate) struct Saved {
    young: Vec<Key>,
    old: Vec<Key>,
    since: Timestamp,
}

/// Returns the key of an observation of the sensor with that number.
pub(crate) fn key(sensor: u32, observation: &Observation) -> Key {
    let lane = observation.lane.map_or(0, |lane| u64::from(lane) + 1);
    let (flag, count) = match observation.seq {
        Some(seq) => (1, seq),
        None => (0, observation.at.as_millis() as u64),
    };
    (u64::from(sensor) << 32 | lane << 8 | (observation.reading.kind() as u64) << 1 | flag, count)
}

impl Identities {
    /// Remembers the key and tells whether it is new.
    pub(crate) fn insert(&mut self, key: Key, now: Timestamp, lateness_ms: i64) -> bool {
        if now - self.since >= lateness_ms {
            std::mem::swap(&mut self.young, &mut self.old);
            self.young.clear();
            if now - self.since >= 2 * lateness_ms {
                self.old.clear();
            }
            self.since = now;
        }
        !self.old.contains(&key) && self.young.insert(key)
    }

    pub(crate) fn save(&self) -> Saved {
        let sorted = |set: &FxHashSet<Key>| {
            let mut keys: Vec<Key> = set.iter().copied().collect();
            keys.sort_unstable();
            keys
        };
        Saved { young: sorted(&self.young), old: sorted(&self.old), since: self.since }
    }

    pub(crate) fn load(saved: Saved) -> Self {
        Self {
            young: saved.young.into_iter().collect(),
            old: saved.old.into_iter().collect(),
            since: saved.since,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(s: i64) -> Timestamp {
        Timestamp::from_millis(s * 1000)
    }

    #[test]
    fn a_repetition_within_the_lateness_is_known() {
        let mut seen = Identities::default();
        assert!(seen.insert((1, 1), at(1000), 600_000));
        assert!(!seen.insert((1, 1), at(1599), 600_000));
        assert!(!seen.insert((1, 1), at(1601), 600_000));
    }

    #[test]
    fn an_identity_is_forgotten_after_two_latenesses() {
        let mut seen = Identities::default();
        seen.insert((1, 1), at(1000), 600_000);
        seen.insert((2, 2), at(1700), 600_000);
        assert!(seen.insert((1, 1), at(2400), 600_000));
        assert_eq!(seen.young.len() + seen.old.len(), 2);
    }
}
