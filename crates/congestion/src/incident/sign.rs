//! Signs: what a link's own readings show that is rare where nothing blocks the road.
//!
//! Each sign is worth the logarithm of how much likelier it is where something blocks the road (in nats), against what is
//! usual on this very link: a street on which many stand far back at each red is no incident. All of it is a function of the
//! window and of what has settled, so late readings change it as they should.

use serde::{Deserialize, Serialize};

use super::fall::{self, MOST_NATS};
use super::lane;
use super::stand;
use super::usual::Usual;
use crate::evidence::Evidence;
use crate::health::Health;
use crate::sample::{Sample, What};
use crate::site::{Device, Site};

/// What was seen; in the order in which they are told.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub(crate) enum Kind {
    /// A device says so itself.
    Alert,
    /// A vehicle stands where few do.
    Stands,
    /// A lane's detector is covered and nobody passes it.
    Covered,
    /// Nobody comes to the detectors ahead of those who stand.
    Missing,
    /// A lane has emptied beside one that flows.
    Empty,
    /// Far fewer pass than usual, and they are slow.
    Fallen,
    /// Far fewer come than usual, and they drive freely: no sign of an incident here, but the reason of what is missed ahead.
    FewerCome,
}

/// One sign.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct Sign {
    pub(crate) kind: Kind,
    /// How much likelier it is where something blocks the road, as a natural logarithm.
    pub(crate) nats: f32,
    /// Event time at which it began, ms.
    pub(crate) since: i64,
    /// Event time of the newest reading of it, ms.
    pub(crate) seen_at: i64,
    /// Event time until which it counts when nothing more is heard, ms.
    pub(crate) until: i64,
    /// Where, m from the link's start.
    pub(crate) place_m: f32,
    /// 0 = none of its own.
    pub(crate) lane: u8,
    /// Vehicles that passed beside it, or that should have come.
    pub(crate) vehicles: f32,
}

impl Sign {
    /// Tells whether it is that far fewer pass than usual.
    pub(crate) fn is_of_flow(&self) -> bool {
        matches!(self.kind, Kind::Fallen | Kind::FewerCome)
    }
}

/// All that signs are read from.
pub(crate) struct Past<'a> {
    /// The window, oldest first.
    pub(crate) samples: &'a [Sample],
    pub(crate) usual: &'a Usual,
    pub(crate) settled: &'a Evidence,
    pub(crate) site: &'a Site,
    pub(crate) devices: &'a [Device],
    pub(crate) health: &'a Health,
    /// The usual cycle of its signal, s, where one tells its changes.
    pub(crate) cycle_s: Option<f64>,
}

/// What the links around one tell.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub(crate) struct Beside {
    pub(crate) jammed_ahead: bool,
    /// What it is worth that fewer come to the free links ahead, by the share that turns there, nats.
    pub(crate) starved: f64,
    /// What it is worth that fewer come from the free links behind, by the share that turns here, nats.
    pub(crate) fewer_come: f64,
}

/// A reading counts for this long, ms: two periods of 30 s, or some of a probe, and the way of a message.
pub(super) const COUNTS_MS: i64 = 75_000;

/// What a rarity of the link is drawn to while little of it was seen, and the passages that this is worth: of a street that
/// nobody drove along before, nothing is rare.
const PRIOR: f64 = 0.3;
const PRIOR_PASSAGES: f64 = 3.0;

/// The longer a vehicle stands the likelier something blocks it: nats a second, as most queues that may move do so within half
/// a minute, and the most that this is worth.
const NATS_A_SECOND: f64 = 1.0 / 30.0;
const MOST_FOR_TIME: f64 = 2.5;

impl Past<'_> {
    /// Returns the signs that the link shows, at most one of each kind.
    pub(crate) fn signs(&self) -> Vec<Sign> {
        let mut signs = Vec::new();
        signs.extend(self.alert());
        let stands = stand::stands(self);
        let covered = stand::covered(self);
        let first = stands.into_iter().chain(covered).max_by(|a, b| a.nats.total_cmp(&b.nats));
        signs.extend(stands);
        signs.extend(covered);
        signs.extend(first.and_then(|sign| stand::missing(self, &sign)));
        signs.extend(lane::empty(self));
        signs.extend(fall::fallen(self));
        signs.retain(|sign| sign.nats > 0.0);
        signs
    }

    /// Returns a device's own alarm, by how rarely it raises one here.
    fn alert(&self) -> Option<Sign> {
        /// A device sees most of what it is there for.
        const SEEN: f64 = 0.8;
        const ONE_INCIDENT_MS: i64 = 120_000;
        let alerts = || self.samples.iter().filter(|s| matches!(s.what, What::Alert { .. }));
        let newest = alerts().next_back()?;
        let What::Alert { confidence } = newest.what else { return None };
        let before = alerts().filter(|s| newest.at - s.at > ONE_INCIDENT_MS).count() as f64;
        let of_a_minute = self.usual.alarms.of_a_minute(before);
        Some(Sign {
            kind: Kind::Alert,
            nats: (SEEN * f64::from(confidence) / of_a_minute).ln() as f32,
            since: newest.at,
            seen_at: newest.at,
            until: newest.at + ONE_INCIDENT_MS,
            place_m: 0.0,
            lane: newest.lane,
            vehicles: 0.0,
        })
    }

    /// Returns what a device that sees a point or the stop line is; `None` for probes and strangers.
    pub(super) fn device(&self, sample: &Sample) -> Option<&Device> {
        self.devices.get(sample.sensor as usize)
    }
}

/// Returns what it is worth that a vehicle stands for that long where so many of so many stood.
pub(super) fn rarity(stood: f64, passed: f64, stands_s: f64, least_s: f64) -> f32 {
    let share = (stood + PRIOR * PRIOR_PASSAGES) / (passed + PRIOR_PASSAGES);
    let for_time = ((stands_s - least_s) * NATS_A_SECOND).clamp(0.0, MOST_FOR_TIME);
    (for_time - share.min(1.0).ln()) as f32
}

/// Returns what the sign of a kind is worth, where there is one.
pub(crate) fn nats(signs: &[Sign], kind: Kind) -> f64 {
    signs.iter().find(|sign| sign.kind == kind).map_or(0.0, |sign| f64::from(sign.nats))
}

/// Returns what the signs of a link are worth together. Who stands is told by vehicles and by loops, but stands once; where the
/// road ahead is jammed, it is that which holds them; and those who are missed ahead count with those who are missed here, less
/// those who never came.
pub(crate) fn worth(signs: &[Sign], beside: &Beside) -> f64 {
    let of = |kind: Kind| nats(signs, kind);
    if beside.jammed_ahead {
        return of(Kind::Alert);
    }
    let held = of(Kind::Fallen) + beside.starved - beside.fewer_come;
    let held = if of(Kind::Fallen) > 0.0 { held.clamp(0.0, MOST_NATS) } else { 0.0 };
    of(Kind::Alert) + of(Kind::Stands).max(of(Kind::Covered)) + of(Kind::Missing) + of(Kind::Empty) + held
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    pub(crate) fn sign(kind: Kind, nats: f32) -> Sign {
        Sign { kind, nats, since: 0, seen_at: 0, until: 0, place_m: 0.0, lane: 0, vehicles: 0.0 }
    }

    const KINDS: [Kind; 6] =
        [Kind::Alert, Kind::Stands, Kind::Covered, Kind::Missing, Kind::Empty, Kind::Fallen];

    proptest! {
        #[test]
        fn one_sign_more_or_a_stronger_one_never_lowers_the_statistic(
            nats in prop::array::uniform6(0.0f32..8.0), shown in prop::array::uniform6(any::<bool>()),
            which in 0usize..6, more in 0.0f32..4.0, jammed_ahead: bool,
            starved in 0.0f64..2.0, fewer_come in 0.0f64..4.0,
        ) {
            let beside = Beside { jammed_ahead, starved, fewer_come };
            let pick = |shown: [bool; 6], nats: [f32; 6]| {
                let signs: Vec<Sign> =
                    (0..6).filter(|&i| shown[i]).map(|i| sign(KINDS[i], nats[i])).collect();
                worth(&signs, &beside)
            };
            let (mut also, mut stronger) = (shown, nats);
            also[which] = true;
            stronger[which] += more;
            prop_assert!(pick(also, nats) >= pick(shown, nats));
            prop_assert!(pick(shown, stronger) >= pick(shown, nats));
        }

        #[test]
        fn standing_longer_or_where_fewer_stood_is_rarer(
            stood in 0.0f64..20.0, passed in 0.0f64..100.0, stands_s in 0.0f64..600.0, more in 0.0f64..100.0,
        ) {
            let usual = rarity(stood, passed, stands_s, 20.0);
            prop_assert!(rarity(stood, passed, stands_s + more, 20.0) >= usual);
            prop_assert!(rarity(stood, passed + more, stands_s, 20.0) >= usual);
            prop_assert!(rarity(stood + more, passed, stands_s, 20.0) <= usual);
        }
    }

    #[test]
    fn those_who_stand_behind_a_jam_are_no_sign() {
        let signs = [sign(Kind::Stands, 5.0), sign(Kind::Covered, 4.0)];
        let jammed_ahead = Beside { jammed_ahead: true, ..Beside::default() };
        assert_eq!((worth(&signs, &Beside::default()), worth(&signs, &jammed_ahead)), (5.0, 0.0));
    }

    #[test]
    fn those_who_are_missed_ahead_count_with_those_who_are_missed_here_less_those_who_never_came() {
        let of = |kind: Kind, starved: f64, fewer_come: f64| {
            worth(&[sign(kind, 1.5)], &Beside { jammed_ahead: false, starved, fewer_come })
        };
        assert_eq!((of(Kind::Fallen, 0.0, 0.0), of(Kind::Fallen, 1.0, 0.5)), (1.5, 2.0));
        assert_eq!((of(Kind::Fallen, 0.0, 2.0), of(Kind::Fallen, 9.0, 0.0)), (0.0, MOST_NATS));
        assert_eq!(of(Kind::FewerCome, 1.0, 0.0), 0.0, "they drive freely");
    }
}
