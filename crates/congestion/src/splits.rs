//! What a signal's own times say of the traffic before it.
//!
//! An actuated signal goes on being green while vehicles stand on its detectors, and ends it early when nobody comes (Signal Timing
//! Manual, NCHRP 812, chapter 6). Where the road behind the junction is full, those who have green cannot leave: it runs to its
//! longest, cycle after cycle, and those across wait as long. So a split, the share of green, that departs from the usual of its
//! link is a sign of a jam there, whichever way it departs. A signal of fixed times never departs, and says nothing.
//!
//! Splits are made of whole greens and reds, from the change that begins one to the one that ends it: what runs on may have ended unheard,
//! as one change in twenty gets lost, and what lasts longer than any phase did.

use model::SignalState;
use serde::{Deserialize, Serialize};

use crate::bands::BANDS_S;
use crate::cycle::Cycle;
use crate::sample::{Sample, What};

/// What is newer than this is laid beside the usual, ms: two to three cycles.
const LATELY_MS: i64 = (BANDS_S[1] * 1000.0) as i64;

/// No phase is longer, s: a change in between was lost, or the device was silent.
const LONGEST_S: f32 = 300.0;

/// No junction has more groups for one link. A device that gives them ever new names is not followed.
const MOST_GROUPS: usize = 16;

/// A group that told nothing for so long is gone, ms.
const GONE_MS: i64 = 3_600_000;

/// Greens and reds that make a usual.
const ENOUGH: f32 = 3.0;

/// The signal groups of a link, and how long they usually are green and red.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Splits(Vec<Group>);

#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
struct Group {
    sensor: u32,
    group: u32,
    state: SignalState,
    /// Event time of its newest change, ms.
    told_at: i64,
    /// Since when it is so, event time, ms; unknown where the change before was not heard.
    since: Option<i64>,
    usual: Times,
}

/// Sums over whole greens, reds and ambers.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize)]
struct Times {
    green_s: f32,
    greens: f32,
    red_s: f32,
    reds: f32,
    amber_s: f32,
    ambers: f32,
}

impl Times {
    fn add(&mut self, state: SignalState, seconds: f32) {
        let (sum, count) = match state {
            SignalState::Green => (&mut self.green_s, &mut self.greens),
            SignalState::Red => (&mut self.red_s, &mut self.reds),
            SignalState::Amber => (&mut self.amber_s, &mut self.ambers),
            _ => return,
        };
        *sum += seconds;
        *count += 1.0;
    }

    /// Lets what was count for less: after an hour of cycles of a minute a third of it is left.
    fn fade(&mut self) {
        const KEPT: f32 = 0.99;
        let Self { green_s, greens, red_s, reds, amber_s, ambers } = self;
        [green_s, greens, red_s, reds, amber_s, ambers].into_iter().for_each(|sum| *sum *= KEPT);
    }

    /// A cycle is a green, the amber after it where one is told, and a red; a light that flickers has none.
    fn cycle(&self) -> Option<Cycle> {
        /// Nobody could go where it changes more often, s.
        const LEAST_RED_S: f32 = 1.0;
        const LEAST_S: f32 = 4.0;
        self.split(ENOUGH)?;
        let amber_s = if self.ambers >= ENOUGH { self.amber_s / self.ambers } else { 0.0 };
        let (green_s, red_s) = (self.green_s / self.greens, self.red_s / self.reds);
        let length_s = green_s + amber_s + red_s;
        let is_one = red_s >= LEAST_RED_S && length_s >= LEAST_S;
        is_one.then(|| Cycle { red_s: f64::from(red_s), length_s: f64::from(length_s) })
    }

    /// Returns the share of green in the mean green and the mean red, when there are so many of each.
    fn split(&self, least: f32) -> Option<f64> {
        let enough = self.greens >= least && self.reds >= least && self.green_s + self.red_s > 0.0;
        let (green_s, red_s) = (self.green_s / self.greens, self.red_s / self.reds);
        enough.then(|| f64::from(green_s / (green_s + red_s)))
    }
}

impl Splits {
    /// Takes what has left the window.
    pub(crate) fn settle(&mut self, sample: &Sample) {
        if let Some((place, ended, seconds)) = self.change(sample) {
            let usual = &mut self.0[place].usual;
            usual.fade();
            usual.add(ended, seconds);
        }
    }

    /// Takes a change of a signal; returns the place of its group, what has ended with it, and how long that was, s.
    fn change(&mut self, sample: &Sample) -> Option<(usize, SignalState, f32)> {
        let What::Signal { group, state } = sample.what else { return None };
        let known = self.0.iter().position(|known| (known.sensor, known.group) == (sample.sensor, group));
        let Some(place) = known else {
            let (sensor, told_at, since, usual) = (sample.sensor, sample.at, None, Times::default());
            self.follow(Group { sensor, group, state, told_at, since, usual });
            return None;
        };
        let group = &mut self.0[place];
        let (before, since) = (group.state, group.since);
        // The same again: a change between the two was lost, or the device repeats itself. Either way nobody knows since when.
        group.since = (state != before).then_some(sample.at);
        (group.state, group.told_at) = (state, sample.at);
        let seconds = (sample.at - since?) as f32 / 1000.0;
        (is_followed_by(before, state) && seconds <= LONGEST_S).then_some((place, before, seconds))
    }

    /// Takes a group that was not heard of, in the place of one that is gone, if there is any.
    fn follow(&mut self, group: Group) {
        let gone = self.0.iter().position(|known| group.told_at - known.told_at > GONE_MS);
        match gone {
            Some(place) => self.0[place] = group,
            None if self.0.len() < MOST_GROUPS => self.0.push(group),
            None => {}
        }
    }

    /// Returns by how much the split of late departs from the usual, -1..1: that of the group which departs most.
    fn departure(&self, samples: &[Sample], now: i64) -> Option<f64> {
        let mut usual = self.clone();
        let mut lately = Vec::new();
        for sample in samples {
            let Some((place, ended, seconds)) = usual.change(sample) else { continue };
            lately.resize(usual.0.len(), Times::default());
            let is_late = now - sample.at < LATELY_MS;
            let times = if is_late { &mut lately[place] } else { &mut usual.0[place].usual };
            times.add(ended, seconds);
        }
        let departures = lately
            .iter()
            .zip(&usual.0)
            .filter_map(|(lately, group)| Some(lately.split(1.0)? - group.usual.split(ENOUGH)?));
        departures.max_by(|a, b| a.abs().total_cmp(&b.abs()))
    }

    /// Returns the usual cycle, the mean of the groups that have told enough; unknown where none has.
    pub(crate) fn cycle(&self) -> Cycle {
        let known = || self.0.iter().filter_map(|group| group.usual.cycle());
        let count = known().count() as f64;
        // No number is what none has told.
        let mean_s = |of: fn(Cycle) -> f64| known().map(of).sum::<f64>() / count;
        Cycle { red_s: mean_s(|cycle| cycle.red_s), length_s: mean_s(|cycle| cycle.length_s) }
    }

    /// Returns the odds by which a jam is likelier because a split departs from its usual; `None` where no signal tells enough.
    pub(crate) fn jam_odds(&self, samples: &[Sample], now: i64) -> Option<f64> {
        self.departure(samples, now).map(odds)
    }
}

/// Tells whether nothing can have been lost between the two: whoever hears red and then amber has missed a green.
fn is_followed_by(state: SignalState, next: SignalState) -> bool {
    match state {
        SignalState::Green => matches!(next, SignalState::Amber | SignalState::Red),
        SignalState::Amber => next == SignalState::Red,
        SignalState::Red => next == SignalState::Green,
        _ => false,
    }
}

/// Departures in a jam are that of a free link, or anything.
fn odds(departure: f64) -> f64 {
    /// Spread of the mean split of two or three cycles of an actuated signal on a free link.
    const SD: f64 = 0.035;
    /// The share of jams that hold a green or a red, and of departures that have other reasons: a lost green and red, a plan that
    /// was changed.
    const HELD_IN_A_JAM: f64 = 0.25;
    const OTHERWISE: f64 = 0.02;
    /// Density of what may be anywhere between -1/2 and 1/2.
    const ANYWHERE: f64 = 1.0;
    let usual = (-0.5 * (departure / SD).powi(2)).exp() / (SD * std::f64::consts::TAU.sqrt());
    let mix = |held: f64| (1.0 - held) * usual + held * ANYWHERE;
    // Its usual split says nothing: most jams leave it as it is.
    (mix(HELD_IN_A_JAM) / mix(OTHERWISE)).max(1.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn signal(second: i64, state: SignalState) -> Sample {
        Sample { at: second * 1000, sensor: 1, lane: 0, quality: 0, what: What::Signal { group: 7, state } }
    }

    /// Changes of a signal, a cycle of a minute: green for so long in each.
    fn cycles(greens_s: impl IntoIterator<Item = i64>) -> Vec<Sample> {
        let both = |(minute, green_s): (i64, i64)| {
            [signal(60 * minute, SignalState::Green), signal(60 * minute + green_s, SignalState::Red)]
        };
        (0..).zip(greens_s).flat_map(both).collect()
    }

    fn jam_odds(samples: &[Sample]) -> Option<f64> {
        Splits::default().jam_odds(samples, samples.last().unwrap().at)
    }

    #[test]
    fn a_signal_of_fixed_times_says_nothing() {
        assert_eq!(jam_odds(&cycles([25; 10])), Some(1.0));
    }

    #[test]
    fn a_green_that_is_held_and_a_red_that_is_held_are_signs_of_a_jam() {
        for held_s in [50, 6] {
            let greens_s = [25; 7].into_iter().chain([held_s; 4]);
            assert!(jam_odds(&cycles(greens_s)).unwrap() > 5.0, "{held_s}");
        }
    }

    #[test]
    fn a_change_that_was_lost_holds_no_green() {
        let mut samples = cycles([25; 10]);
        // The red of the last minute but one.
        samples.remove(17);
        assert_eq!(jam_odds(&samples), Some(1.0));
    }

    #[test]
    fn hours_of_silence_and_a_green_that_was_lost_before_an_amber_are_no_phase() {
        let mut samples = vec![signal(-14_400, SignalState::Green), signal(-10, SignalState::Red)];
        samples.extend(cycles([25; 10]));
        assert_eq!(jam_odds(&samples), Some(1.0));
        samples.extend([signal(610, SignalState::Amber), signal(613, SignalState::Red)]);
        assert_eq!(jam_odds(&samples), Some(1.0));
    }

    #[test]
    fn a_device_that_gives_its_groups_ever_new_names_is_not_followed_for_ever() {
        let mut splits = Splits::default();
        for group in 0..1000 {
            let what = What::Signal { group, state: SignalState::Red };
            splits.settle(&Sample { what, ..signal(i64::from(group), SignalState::Red) });
        }
        assert_eq!(splits.0.len(), MOST_GROUPS);
        splits.settle(&signal(10_000, SignalState::Red));
        assert!(splits.0.iter().any(|group| group.group == 7 && group.told_at == 10_000_000));
    }

    #[test]
    fn a_signal_that_has_just_begun_to_tell_says_nothing() {
        assert_eq!(jam_odds(&cycles([25, 50])), None);
    }

    #[test]
    fn a_light_that_flickers_has_no_cycle() {
        for [red_ms, green_ms] in [[200, 200], [200, 30_000], [1500, 200]] {
            let mut splits = Splits::default();
            for i in 0..20 {
                let red_at = i * (red_ms + green_ms);
                splits.settle(&Sample { at: red_at, ..signal(0, SignalState::Red) });
                splits.settle(&Sample { at: red_at + red_ms, ..signal(0, SignalState::Green) });
            }
            assert!(!splits.cycle().is_known(), "{red_ms} {green_ms}");
        }
    }

    #[test]
    fn a_cycle_is_its_green_its_amber_and_its_red() {
        let mut splits = Splits::default();
        cycles([20; 10]).iter().for_each(|sample| splits.settle(sample));
        assert_eq!(splits.cycle().rounded().length_s, 60.0);
        let mut with_amber = Splits::default();
        assert!(!with_amber.cycle().is_known());
        for sample in cycles([20; 10]) {
            let What::Signal { state, .. } = sample.what else { unreachable!() };
            if state == SignalState::Red {
                with_amber.settle(&signal(sample.at / 1000 - 3, SignalState::Amber));
            }
            with_amber.settle(&sample);
        }
        assert_eq!(with_amber.cycle().rounded().length_s, 60.0);
    }

    #[test]
    fn what_has_settled_is_the_usual_of_what_comes() {
        let (past, now) = (cycles([25; 7]), cycles([25, 25, 25, 25, 25, 25, 25, 50, 50, 50]));
        let mut splits = Splits::default();
        past.iter().for_each(|sample| splits.settle(sample));
        assert!(splits.jam_odds(&now[past.len()..], now.last().unwrap().at).unwrap() > 5.0);
    }

    proptest! {
        #[test]
        fn the_further_a_split_departs_the_likelier_is_a_jam(departure in 0.0f64..0.4, more in 0.0f64..0.3) {
            prop_assert!(1.0 <= odds(departure) && odds(departure) <= odds(departure + more));
            prop_assert_eq!(odds(departure), odds(-departure));
        }
    }
}
