//! How far the readings of a device scatter about what others say, as a multiple of what its kind is taken to: its weight.
//!
//! Each minute a device's reading is held against what the other devices of its link foretold. That the reading is off by `d` where a
//! variance `v` was foretold of it and `w` of the others is expected to come to `d² = f v + w`; the ratio `f` is found by Fisher
//! scoring, so a minute counts by the share that the device's own variance has in it. Squares are held to two standard
//! deviations, so that a jam which only one of them has seen yet teaches nothing (Huber 1964, proposal 2).

use serde::{Deserialize, Serialize};

use crate::bands::{self, SummedUp};
use crate::delay::{self, Heard};
use crate::evidence::{Evidence, Means};
use crate::fusion::Belief;
use crate::health::Health;
use crate::partition::Context;
use crate::regime::{GATE_SD, Hidden, Regimes};
use crate::sample::Sample;
use crate::site::{Device, Site};
use crate::typical::Typical;

/// The variance of one device's readings over that of its kind, or of a kind's over what the literature has.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct Scatter {
    /// Sums over minutes: their worth, and ratios times it.
    worth: f32,
    ratios: f32,
    /// What follows.
    ratio: f32,
    /// Minutes, and those of which the reading was beyond the gate.
    minutes: u32,
    gated: u32,
}

impl Default for Scatter {
    fn default() -> Self {
        Self { worth: 0.0, ratios: 0.0, ratio: 1.0, minutes: 0, gated: 0 }
    }
}

/// What one device told of a minute, and what its link's others foretold of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pair {
    pub(crate) sensor: u32,
    pub(crate) means: Means,
    /// As it would be, were the device like its kind.
    pub(crate) seen: Belief,
    pub(crate) foretold: Regimes,
}

/// How far the readings of one kind of device are off what others foretell, over what is expected: common to all, for what
/// others foretell has spreads of its own, and errors that it shares with the readings.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Common {
    minutes: f32,
    squares: f32,
}

/// Sums are halved above so many minutes: a device that was mended or moved is learned anew.
const MOST_MINUTES: f32 = 200.0;

/// The least of a normal's square and that of two deviations, and its mean.
const HELD: f64 = 4.0;
const HELD_MEAN: f64 = 0.9205;

impl Common {
    /// `part`: that of the device's own variance in what is expected; so the ratios of all devices come to one on average.
    fn take(&mut self, square: f64, part: f64) {
        self.minutes += part as f32;
        self.squares += (part * square) as f32;
        if self.minutes > MOST_MINUTES {
            self.minutes /= 2.0;
            self.squares /= 2.0;
        }
    }

    fn ratio(&self) -> f64 {
        /// What is expected is worth that many minutes.
        const PRIOR_MINUTES: f32 = 5.0;
        f64::from((self.squares + PRIOR_MINUTES) / (self.minutes + PRIOR_MINUTES))
    }
}

impl Scatter {
    /// Takes a reading of one minute.
    pub(crate) fn take(&mut self, pair: &Pair, common: &mut Common) {
        /// Minutes that its kind is worth.
        const PRIOR: f32 = 20.0;
        /// A device can't be better or worse by more: the model of the unseen piece is the same for all.
        const MOST_RATIO: f32 = 4.0;
        let Pair { seen, foretold, .. } = pair;
        let var = self.ratio() * seen.var;
        let after = foretold.and(Belief { var, ..*seen }, Hidden::Nothing, foretold);
        let scale = common.ratio();
        for (share, hump) in [(1.0 - after.jammed, foretold.free), (after.jammed, foretold.jam)] {
            let total = var + hump.var;
            let square = ((seen.y - hump.y).powi(2) / total / scale).min(HELD) / HELD_MEAN;
            let worth = share * (var / total).powi(2);
            self.worth += worth as f32;
            self.ratios += (worth * (square * total - hump.var) / seen.var) as f32;
            common.take(square * scale, share * var / total);
        }
        if self.worth > MOST_MINUTES {
            self.worth /= 2.0;
            self.ratios /= 2.0;
        }
        let ratio = (self.ratios + PRIOR) / (self.worth + PRIOR);
        self.ratio = ratio.clamp(MOST_RATIO.recip(), MOST_RATIO);
        self.minutes = self.minutes.saturating_add(1);
        self.gated = self.gated.saturating_add(u32::from(foretold.surprise(*seen) > GATE_SD));
    }

    pub(crate) fn ratio(&self) -> f64 {
        f64::from(self.ratio)
    }

    /// Returns the minutes that it was held against others, and those of which its reading was beyond the gate.
    pub(crate) fn minutes(&self) -> (u32, u32) {
        (self.minutes, self.gated)
    }
}

/// Returns what each device that stands on a link told of a minute, beside what the others there did; nothing where one spoke alone.
///
/// Of a fleet nothing is learned: where its vehicles are off what a link's device says, always the same link is, and no one knows
/// by whose fault.
pub(crate) fn pairs(
    minute: &[Sample],
    scale: f64,
    typical: &Typical,
    health: &Health,
    (site, context): (&Site, &Context<'_>),
) -> Vec<Pair> {
    let summed_up = SummedUp::of(minute);
    let speaks = |sample: &&Sample| {
        let means = Means::of(sample, context.devices.get(sample.sensor as usize));
        means.is_some() && health.believes(sample) && !summed_up.holds(sample)
    };
    let mut sensors: Vec<u32> = minute.iter().filter(speaks).map(|sample| sample.sensor).collect();
    sensors.sort_unstable();
    sensors.dedup();
    let (Some(newest), true) = (minute.last(), sensors.len() > 1) else { return Vec::new() };
    let (rest, parts) = (typical.rest(site), &context.config.parts);
    let told = |sensor: u32, own: bool| -> Evidence {
        let of_it = |sample: &&Sample| (sample.sensor == sensor) == own;
        let samples: Vec<Sample> = minute.iter().filter(speaks).filter(of_it).copied().collect();
        let [all, ..] = bands::of(&samples, newest.at, health, site, context);
        all
    };
    let pair = |&sensor: &u32| {
        let mut own = None;
        let keep = |means, heard: Heard, _: &Regimes| own = Some((means, heard.seen));
        delay::joined(rest, &told(sensor, true), scale, (site, &rest), typical, parts, keep);
        let (means, seen) = own?;
        let others = told(sensor, false);
        let foretold = delay::joined(rest, &others, scale, (site, &rest), typical, parts, |_, _, _| ());
        let seen = Belief { var: seen.var / health.scatter_of(sensor), ..seen };
        Some(Pair { sensor, means, seen, foretold })
    };
    let stands = |sensor: &&u32| context.devices.get(**sensor as usize).is_some_and(Device::counts);
    sensors.iter().filter(stands).filter_map(pair).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::regime::Jams;

    const VAR: f64 = 0.1;

    fn pair(off: f64) -> Pair {
        let rest = Regimes::unseen(0.2, 0.3, Jams::default());
        let foretold = Regimes { free: Belief { y: 0.2, var: VAR }, ..rest };
        Pair { sensor: 0, means: Means::Loops, seen: Belief { y: 0.2 + off, var: VAR }, foretold }
    }

    /// Errors of a normal's standard deviation 1, as far as five readings have them.
    const ERRORS: [f64; 5] = [-1.28, -0.52, 0.0, 0.52, 1.28];

    /// What is learned of devices whose own errors have these standard deviations, as multiples of what is usual.
    fn learned<const N: usize>(sds: [f64; N], rounds: usize) -> [f64; N] {
        let (mut devices, mut common) = ([Scatter::default(); N], Common::default());
        for round in 0..rounds * ERRORS.len() {
            for (device, sd) in devices.iter_mut().zip(sds) {
                let own = sd * ERRORS[round % ERRORS.len()];
                let others = ERRORS[round / ERRORS.len() % ERRORS.len()];
                device.take(&pair((own + others) * VAR.sqrt()), &mut common);
            }
        }
        devices.map(|device| device.ratio())
    }

    #[test]
    fn who_scatters_more_than_its_kind_counts_for_less_and_who_scatters_less_for_more() {
        let [usual, noisy, good, ..] = learned([1.0, 2.0, 0.3, 1.0, 1.0, 1.0], 60);
        assert!((0.7..1.3).contains(&usual), "{usual}");
        assert!(noisy > 1.7 && good < 0.7, "{noisy} {good}");
    }

    #[test]
    fn what_a_whole_kind_is_off_is_no_device_s_fault() {
        let ratios = learned([2.0; 4], 60);
        assert!(ratios.iter().all(|ratio| (0.7..1.4).contains(ratio)), "{ratios:?}");
    }

    #[test]
    fn a_few_minutes_say_little() {
        let [noisy, ..] = learned([3.0, 1.0, 1.0, 1.0], 1);
        assert!((0.9..1.5).contains(&noisy), "{noisy}");
    }

    #[test]
    fn what_neither_a_free_link_nor_a_jam_explains_is_noted() {
        let (mut device, mut common) = (Scatter::default(), Common::default());
        device.take(&pair(0.0), &mut common);
        device.take(&pair(-3.0), &mut common);
        device.take(&pair(1.6), &mut common);
        assert_eq!(device.minutes(), (3, 1), "a jam may always begin");
    }

    proptest! {
        #[test]
        fn a_ratio_stays_within_bounds_whatever_comes(offs in prop::collection::vec(-5.0f64..5.0, 0..300)) {
            let (mut device, mut common) = (Scatter::default(), Common::default());
            for off in offs {
                device.take(&pair(off), &mut common);
                prop_assert!((0.25..=4.0).contains(&device.ratio()));
                prop_assert!(common.ratio() > 0.0);
            }
        }
    }
}
