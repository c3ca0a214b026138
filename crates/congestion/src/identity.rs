//! One observation counts once: remembers identities for as long as a repetition could still count.
//!
//! Two generations: an identity is remembered for at least one lateness and at most two, then forgotten, so that memory is
//! bounded by the rate of readings. A device numbers its readings one after the other, so what is remembered of a series is a
//! few bits around its newest number, as the windows against replay of network protocols keep (RFC 6479); a number that is too
//! far away for them, such as a stamp in place of one, is kept as it is.

use model::{Observation, Timestamp};
use rustc_hash::{FxHashMap, FxHashSet};
use serde::{Deserialize, Serialize};

/// Sensor, lane and kind packed, with `seq`, or the stamp where there is no `seq`.
type Key = (u64, u64);

/// Bits of a series.
const BITS: u64 = 64;

/// The numbers that came of one (sensor, lane, kind).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Series {
    /// Lane and kind packed; `NOBODY`: nothing has come yet.
    of: u16,
    /// Generations for which keys of it may be among those that are kept as they are.
    strays: u8,
    /// The generation that `young` is of.
    generation: u32,
    /// The number that the lowest bits stand for.
    base: u64,
    young: u64,
    old: u64,
}

const NOBODY: u16 = u16::MAX;

#[derive(Clone, Debug, Default)]
pub(crate) struct Identities {
    /// Counts the generations.
    generation: u32,
    since: Timestamp,
    /// Series of sensors that have several, after the first.
    more: FxHashMap<u64, Series>,
    strays: Strays,
}

/// Keys that fit into no series.
#[derive(Clone, Debug, Default)]
struct Strays {
    young: FxHashSet<Key>,
    old: FxHashSet<Key>,
}

/// What a checkpoint holds: sorted, so that equal states are equal bytes.
#[derive(Serialize, Deserialize)]
pub(crate) struct Saved {
    generation: u32,
    since: Timestamp,
    more: Vec<(u64, Series)>,
    young: Vec<Key>,
    old: Vec<Key>,
}

/// Returns lane and kind of an observation, packed, and its number.
fn numbered(observation: &Observation) -> (u16, u64) {
    let lane = observation.lane.map_or(0, |lane| u16::from(lane) + 1);
    let (flag, number) = match observation.seq {
        Some(seq) => (1, seq),
        None => (0, observation.at.as_millis() as u64),
    };
    (lane << 4 | (observation.reading.kind() as u16) << 1 | flag, number)
}

impl Default for Series {
    fn default() -> Self {
        Self { of: NOBODY, strays: 0, generation: 0, base: 0, young: 0, old: 0 }
    }
}

impl Series {
    fn age(&mut self, generation: u32) {
        let passed = generation.wrapping_sub(self.generation);
        if passed > 0 {
            self.old = if passed == 1 { self.young } else { 0 };
            self.young = 0;
            self.strays = self.strays.saturating_sub(u8::try_from(passed).unwrap_or(u8::MAX));
            self.generation = generation;
        }
    }

    /// Returns the bit of a number, once it has one; `None` when the numbers that are remembered leave no room for it.
    fn bit(&mut self, number: u64) -> Option<u64> {
        let taken = self.young | self.old;
        if taken == 0 {
            self.base = number;
        }
        let ahead = number.wrapping_sub(self.base);
        if ahead < BITS {
            return Some(1 << ahead);
        }
        let behind = self.base.wrapping_sub(number);
        if ahead <= behind {
            let shift = ahead - (BITS - 1);
            if shift > u64::from(taken.trailing_zeros()) {
                return None;
            }
            (self.young, self.old) = (self.young >> shift, self.old >> shift);
            self.base = self.base.wrapping_add(shift);
            Some(1 << (BITS - 1))
        } else {
            if behind > u64::from(taken.leading_zeros()) {
                return None;
            }
            (self.young, self.old) = (self.young << behind, self.old << behind);
            self.base = number;
            Some(1)
        }
    }
}

impl Identities {
    /// Remembers an observation of the sensor with that number and tells whether it is new. `first` is the sensor's first
    /// series: most have no other.
    pub(crate) fn insert(
        &mut self,
        sensor: u32,
        observation: &Observation,
        first: &mut Series,
        now: Timestamp,
        lateness_ms: i64,
    ) -> bool {
        self.turn(now, lateness_ms);
        let (of, number) = numbered(observation);
        if first.of == NOBODY {
            first.of = of;
        }
        let name = u64::from(sensor) << 32 | u64::from(of);
        let series = if first.of == of {
            first
        } else {
            self.more.entry(name).or_insert(Series { of, ..Series::default() })
        };
        series.age(self.generation);
        if series.strays > 0 && self.strays.holds(&(name, number)) {
            return false;
        }
        if let Some(bit) = series.bit(number) {
            let is_new = (series.young | series.old) & bit == 0;
            // A repetition does not prolong the memory of the first.
            series.young |= bit & !series.old;
            return is_new;
        }
        series.strays = 2;
        self.strays.young.insert((name, number))
    }

    /// Begins a new generation when the running one is a lateness old.
    fn turn(&mut self, now: Timestamp, lateness_ms: i64) {
        if now - self.since < lateness_ms {
            return;
        }
        let both_gone = now - self.since >= 2 * lateness_ms;
        self.since = now;
        self.generation = self.generation.wrapping_add(if both_gone { 2 } else { 1 });
        std::mem::swap(&mut self.strays.young, &mut self.strays.old);
        self.strays.young.clear();
        if both_gone {
            self.strays.old.clear();
        }
        let generation = self.generation;
        self.more.retain(|_, series| generation.wrapping_sub(series.generation) < 2);
    }

    pub(crate) fn save(&self) -> Saved {
        let sorted = |set: &FxHashSet<Key>| {
            let mut keys: Vec<Key> = set.iter().copied().collect();
            keys.sort_unstable();
            keys
        };
        let mut more: Vec<_> = self.more.iter().map(|(name, series)| (*name, *series)).collect();
        more.sort_unstable_by_key(|(name, _)| *name);
        let Strays { young, old } = &self.strays;
        let (generation, since) = (self.generation, self.since);
        Saved { generation, since, more, young: sorted(young), old: sorted(old) }
    }

    pub(crate) fn load(saved: Saved) -> Self {
        Self {
            generation: saved.generation,
            since: saved.since,
            more: saved.more.into_iter().collect(),
            strays: Strays { young: saved.young.into_iter().collect(), old: saved.old.into_iter().collect() },
        }
    }
}

impl Strays {
    fn holds(&self, key: &Key) -> bool {
        self.young.contains(key) || self.old.contains(key)
    }
}

#[cfg(test)]
mod tests {
    use model::{Alert, AlertKind, Quality, Reading};
    use proptest::prelude::*;

    use super::*;

    const LATENESS_MS: i64 = 600_000;

    fn alert(lane: u8, seq: Option<u64>, at_ms: i64) -> Observation {
        let at = Timestamp::from_millis(at_ms);
        Observation {
            sensor: "s".into(),
            link: "l".into(),
            seq,
            at,
            period_s: None,
            lane: Some(lane),
            offset_m: None,
            received_at: at,
            quality: Quality::GOOD,
            reading: Reading::Alert(Alert { kind: AlertKind::Debris, confidence: None }),
        }
    }

    /// One sensor's memory.
    #[derive(Default)]
    struct Seen {
        identities: Identities,
        first: Series,
    }

    impl Seen {
        fn insert(&mut self, observation: &Observation, now_s: i64) -> bool {
            let now = Timestamp::from_millis(now_s * 1000);
            self.identities.insert(1, observation, &mut self.first, now, LATENESS_MS)
        }
    }

    /// Every key as it is, in two generations.
    #[derive(Default)]
    struct Plain {
        young: FxHashSet<(u16, u64)>,
        old: FxHashSet<(u16, u64)>,
        since_s: i64,
    }

    impl Plain {
        fn insert(&mut self, observation: &Observation, now_s: i64) -> bool {
            let age_s = now_s - self.since_s;
            if age_s >= 600 {
                self.old = std::mem::take(&mut self.young);
                if age_s >= 1200 {
                    self.old.clear();
                }
                self.since_s = now_s;
            }
            let key = numbered(observation);
            !self.old.contains(&key) && self.young.insert(key)
        }
    }

    #[test]
    fn a_repetition_within_the_lateness_is_known_and_forgotten_after_two() {
        let (mut seen, one) = (Seen::default(), alert(1, Some(7), 0));
        assert!(seen.insert(&one, 1000));
        assert!(!seen.insert(&one, 1599));
        assert!(!seen.insert(&one, 1601));
        assert!(seen.insert(&alert(1, Some(8), 0), 1700));
        assert!(seen.insert(&one, 2900));
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

        #[test]
        fn bits_and_strays_remember_what_a_set_of_keys_does(
            steps in prop::collection::vec((0u8..3, -90i64..100, 0i64..40, 0u8..30), 1..300)
        ) {
            let (mut seen, mut plain) = (Seen::default(), Plain::default());
            let (mut number, mut now_s) = (u64::MAX - 50, 1000);
            for (lane, ahead, later_s, kind) in steps {
                // Now and then the numbers start over, or there are none.
                number = if kind == 0 { 0 } else { number.wrapping_add_signed(ahead / 8) };
                now_s += if kind == 1 { 40 * later_s } else { later_s };
                let about = number.wrapping_add_signed(ahead);
                let one = alert(lane, (kind != 2).then_some(about), now_s * 1000 - ahead * 100);
                prop_assert_eq!(seen.insert(&one, now_s), plain.insert(&one, now_s));
            }
        }
    }
}
