//! Devices that see, and see wrong: one that counts too few, one whose speeds are too high or too low.
//!
//! Vehicles are conserved: what passes one place of a link passes the next one, but for those that stand in between. So when two devices
//! of a link differ by more than the link can hold, one is at fault; and as detectors miss vehicles far more often than they invent
//! them, it is the one that saw fewer. Speeds at a point are held against those of probes that drive by while traffic is free.

use serde::{Deserialize, Serialize};

use crate::site::Site;

/// How far the readings of one device are from those of others.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Bias {
    /// Vehicles that it saw, and that the link's others saw in the same minutes.
    own: f32,
    others: f32,
    /// Log of its speed over a probe's: how many, their mean, and their sum of squares around it.
    speeds: f32,
    mean: f32,
    squares: f32,
}

/// Sums are halved above so many vehicles or speeds: a device that was mended is believed again.
const MOST_VEHICLES: f32 = 4000.0;
const MOST_SPEEDS: f32 = 200.0;

/// Or so many times those that the link can hold: of half as many, who sees half misses twice what may stand in between.
const MOST_STORED: f32 = 8.0;

/// A device that misses fewer than a third of all is as good as most.
const LEAST_SHARE: f32 = 0.7;

/// The least room of a vehicle in a standing queue, m of lane: two-wheelers, two abreast.
pub(crate) const LEAST_ROOM_M: f64 = 1.5;

/// Speeds before they are judged, and the least error that is worth a word, as a log: a fifth.
const ENOUGH_SPEEDS: f32 = 20.0;
const LEAST_ERROR: f32 = 0.18;

/// Standard deviations of what is no chance.
const SIGMAS: f32 = 3.5;

impl Bias {
    /// Takes the vehicles of one minute: its own, and those of another device of its link (the mean of several).
    pub(crate) fn count(&mut self, own: f32, others: f32, site: &Site) {
        self.own += own;
        self.others += others;
        if self.others > MOST_VEHICLES.max(MOST_STORED * stored(site)) {
            self.own /= 2.0;
            self.others /= 2.0;
        }
    }

    /// Takes its speed and that of a probe that drove by.
    pub(crate) fn speed(&mut self, own_kmh: f32, probe_kmh: f32) {
        let log = (own_kmh / probe_kmh).ln();
        self.speeds += 1.0;
        let off = log - self.mean;
        self.mean += off / self.speeds;
        self.squares += off * (log - self.mean);
        if self.speeds > MOST_SPEEDS {
            self.speeds /= 2.0;
            self.squares /= 2.0;
        }
    }

    /// Tells whether it is at fault by more than chance and storage explain.
    pub(crate) fn is_wrong(&self, site: &Site) -> bool {
        self.undercounts(site) || self.misses_speeds()
    }

    fn undercounts(&self, site: &Site) -> bool {
        let missed = self.others - self.own;
        self.own < LEAST_SHARE * self.others
            && missed > stored(site) + SIGMAS * (self.own + self.others).sqrt()
    }

    fn misses_speeds(&self) -> bool {
        let error = self.mean.abs();
        let chance = (self.squares / self.speeds).sqrt() / self.speeds.sqrt();
        self.speeds >= ENOUGH_SPEEDS && error > LEAST_ERROR && error > SIGMAS * chance
    }
}

/// Returns how many vehicles a link can hold.
fn stored(site: &Site) -> f32 {
    (site.length_m * site.lanes / LEAST_ROOM_M) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after_minutes(minutes: usize, own: f32, others: f32) -> bool {
        after_minutes_on(&Site::with_lanes(2.0), minutes, own, others)
    }

    fn after_minutes_on(site: &Site, minutes: usize, own: f32, others: f32) -> bool {
        let mut bias = Bias::default();
        (0..minutes).for_each(|_| bias.count(own, others, site));
        bias.is_wrong(site)
    }

    #[test]
    fn a_loop_that_counts_half_is_named_on_a_link_that_holds_thousands() {
        let site = Site { length_m: 1500.0, ..Site::with_lanes(3.0) };
        assert!(!after_minutes_on(&site, 100, 25.0, 50.0), "3000 may stand in between");
        assert!((150..1000).all(|minutes| after_minutes_on(&site, minutes, 25.0, 50.0)));
        assert!(
            (600..1000).all(|minutes| after_minutes_on(&site, minutes, 30.0, 50.0)),
            "two of five are missed"
        );
    }

    #[test]
    fn a_loop_that_counts_half_is_named_when_the_link_can_hold_no_more() {
        assert!(!after_minutes(30, 5.0, 10.0), "150 may stand in between");
        assert!(after_minutes(120, 5.0, 10.0));
        assert!(!after_minutes(1000, 10.0, 5.0), "it is the other one");
        assert!(!after_minutes(1000, 9.0, 10.0));
    }

    /// Whether a device is wrong whose speeds are that many times those of probes, which spread by a fifth.
    fn at_speeds(factor: f32) -> bool {
        let mut bias = Bias::default();
        for i in 0..40u8 {
            let spread = 0.8 + 0.1 * f32::from(i % 5);
            bias.speed(40.0 * factor, 40.0 * spread);
        }
        bias.is_wrong(&Site::with_lanes(2.0))
    }

    #[test]
    fn a_loop_that_reads_30_percent_fast_or_slow_is_named_and_one_that_is_about_right_is_not() {
        assert!(at_speeds(1.3) && at_speeds(0.7));
        assert!(!at_speeds(1.0) && !at_speeds(1.1));
    }
}
