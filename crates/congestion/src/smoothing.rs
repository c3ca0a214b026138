//! Expressway links of which nothing is heard: adaptive smoothing between the detectors up- and downstream.
//!
//! On a road without signals disturbances travel: with the vehicles where traffic is free, against them in jams. Treiber and
//! Helbing (2002, cond-mat/0210050) average what detectors saw along both directions, and take the jam's average the more the
//! slower it is. Two things are added. What is smoothed is each detector's speed as a share of what is usual there, for lanes,
//! grades and the detector itself make a lasting difference that does not reach the next one (kriging with a nugget); what is
//! usual of the link between is a mean over more of the road. And how far off this is, and how often there is a jam after all, is
//! learned from the links that are measured, each estimated as if it were not.

use roadnet::Network;
use serde::{Deserialize, Serialize};

use crate::config::LEARN_EVERY_MS;
use crate::fusion::Belief;
use crate::own::Own;
use crate::regime::Regimes;
use crate::road::Road;
use crate::site::Site;

/// Step of what is kept, ms.
pub(crate) const STEP_MS: i64 = LEARN_EVERY_MS;

/// Steps that are kept: a jam's front needs 12 min for 3 km.
const KEPT: usize = 12;

/// A detector is heard of while it measured in so many of them: it measures for five minutes after its last reading, so that its word
/// is gone after ten, as any other evidence's.
const HEARD: usize = 5;

/// What is smoothed counts e-fold less over this distance, m, and this time, s: twice the spacing of the detectors of Treiber and
/// Helbing (0.6 km there), since what differs for good is taken out before; and 1.1 min.
const SPACE_M: f64 = 1200.0;
const TIME_S: f64 = 66.0;

/// Speeds of disturbances in free traffic and in jams, m/s: 80 and -15 km/h.
const FREE_MPS: f64 = 80.0 / 3.6;
const JAM_MPS: f64 = -15.0 / 3.6;

/// Where the two averages count alike, and how wide the change is: 60 and 20 km/h of 110 km/h.
const CHANGE_SHARE: f64 = 0.55;
const CHANGE_WIDTH: f64 = 0.18;

/// What is usual counts e-fold less over this distance, m: it varies with the lanes, from one interchange to the next.
const USUAL_M: f64 = 2000.0;

/// A minute's step of the running median of what is usual, share of free flow; slower than [`SLOW_SHARE`] is not free.
const USUAL_STEP: f64 = 0.001;
const SLOW_SHARE: f64 = 0.6;

/// What is usual of a link that was first seen in a jam: HCM 6, chapter 12, speeds at moderate flow.
const USUAL_SHARE: f64 = 0.95;

/// What has been learned of errors is half forgotten in a day.
const ERRORS_KEPT: f64 = 0.999_5;

/// What is believed of expressway links between detectors.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Smoothing {
    /// Of the measured links, by link.
    tracks: Vec<Track>,
    errors: Errors,
    /// Of the links that are not measured, by link.
    smoothed: Vec<(u32, Regimes)>,
    #[serde(skip)]
    road: Option<Road>,
}

/// The last minutes of a measured link.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Track {
    link: u32,
    /// Running median of free speeds, a share of free flow.
    usual: f64,
    /// Speeds as shares of the usual, the newest first; NaN = not known.
    shares: [f64; KEPT],
}

/// How far off smoothing is, by how fast it says that traffic is.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Errors([Error; BANDS.len()]);

/// What measured links turned out to be: in how many minutes they were free and jammed, and how far `y` was off then.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Error {
    free: f64,
    jammed: f64,
    free_off: Spread,
    jam_off: Spread,
}

/// Running median of errors, and of what 80 % of them are off from it by (Koenker and Bassett 1978): neither a few detectors that
/// stand apart nor a few bad minutes move them far.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Spread {
    middle: f64,
    half: f64,
}

/// Bands of what smoothing says, from fast to slow: upper end, share of free flow; and the share of minutes in which there is a
/// jam, as expected before anything is learned.
const BANDS: [(f64, f64); 7] =
    [(f64::MAX, 0.005), (0.9, 0.01), (0.8, 0.03), (0.7, 0.1), (0.6, 0.25), (0.5, 0.5), (0.4, 0.8)];

impl Smoothing {
    /// Takes what is known at a step of [`STEP_MS`]; `edge`: the `y` above which a link is congested.
    pub(crate) fn step(&mut self, network: &Network, sites: &[Site], own: &[Own], edge: f64) {
        let road = self.road.take().unwrap_or_else(|| Road::of(network, sites));
        self.track(&road, own);
        for place in 0..self.tracks.len() {
            let link = self.tracks[place].link as usize;
            if let (Some(y), Some(is)) = (self.y(&road, link), measured_y(&own[link])) {
                self.errors.learn(y, is, is > edge);
            }
        }
        self.errors.fade();
        let silent = road.links().filter(|link| !own[*link as usize].counts());
        let smoothed =
            silent.filter_map(|link| Some((link, self.errors.belief(self.y(&road, link as usize)?))));
        self.smoothed = smoothed.collect();
        self.road = Some(road);
    }

    /// Returns what is believed of an expressway link that is not measured, where detectors are near.
    pub(crate) fn of(&self, link: usize) -> Option<Regimes> {
        let place = self.smoothed.binary_search_by_key(&(link as u32), |(link, _)| *link).ok()?;
        Some(self.smoothed[place].1)
    }

    fn track(&mut self, road: &Road, own: &[Own]) {
        for track in &mut self.tracks {
            track.shares.rotate_right(1);
            track.shares[0] = f64::NAN;
        }
        for link in road.links() {
            let Some(share) = measured_y(&own[link as usize]).map(|y| (-y).exp()) else { continue };
            let place = self.place(link).unwrap_or_else(|place| {
                let usual = if share > SLOW_SHARE { share } else { USUAL_SHARE };
                self.tracks.insert(place, Track { link, usual, shares: [f64::NAN; KEPT] });
                place
            });
            let track = &mut self.tracks[place];
            if share > SLOW_SHARE {
                track.usual += USUAL_STEP * (share - track.usual).signum();
            }
            track.shares[0] = share / track.usual;
        }
        self.tracks.retain(|track| track.shares[..HEARD].iter().any(|share| !share.is_nan()));
    }

    fn place(&self, link: u32) -> Result<usize, usize> {
        self.tracks.binary_search_by_key(&link, |track| track.link)
    }

    /// Returns `y` of a link as the detectors near it, without its own, make it.
    fn y(&self, road: &Road, link: usize) -> Option<f64> {
        let (mut free, mut jam, mut usual) = (Mean::default(), Mean::default(), Mean::default());
        for &(other, downstream_m) in road.near(link) {
            let Ok(place) = self.place(other) else { continue };
            let track = &self.tracks[place];
            let downstream_m = f64::from(downstream_m);
            usual.add(track.usual, (-downstream_m.abs() / USUAL_M).exp());
            for (step, share) in track.shares.iter().enumerate().filter(|(_, share)| !share.is_nan()) {
                let age_s = (step as i64 * STEP_MS) as f64 / 1000.0;
                let weight = |speed_mps: f64| {
                    let off_s = (age_s + downstream_m / speed_mps).abs();
                    (-downstream_m.abs() / SPACE_M - off_s / TIME_S).exp()
                };
                free.add(*share, weight(FREE_MPS));
                jam.add(*share, weight(JAM_MPS));
            }
        }
        let (free, jam) = (free.mean()?, jam.mean()?);
        let congested = 0.5 * (1.0 + ((CHANGE_SHARE - free.min(jam)) / CHANGE_WIDTH).tanh());
        Some(-((congested * jam + (1.0 - congested) * free) * usual.mean()?).ln())
    }
}

impl Default for Errors {
    fn default() -> Self {
        /// What is expected is worth half an hour of a link.
        const MINUTES: f64 = 30.0;
        /// Jams on expressways run at 27 % of free flow (30 of 110 km/h).
        const JAM_Y: f64 = 1.3;
        Self(BANDS.map(|(end, share)| Error {
            free: MINUTES * (1.0 - share),
            jammed: MINUTES * share,
            free_off: Spread { middle: 0.0, half: 0.12 },
            jam_off: Spread { middle: (JAM_Y + end.min(1.0).ln()).max(0.0), half: 0.5 },
        }))
    }
}

impl Errors {
    fn band(y: f64) -> usize {
        let share = (-y).exp();
        BANDS.iter().rposition(|(end, _)| share <= *end).unwrap_or(0)
    }

    fn learn(&mut self, smoothed: f64, y: f64, congested: bool) {
        let error = &mut self.0[Self::band(smoothed)];
        let (minutes, off) = if congested {
            (&mut error.jammed, &mut error.jam_off)
        } else {
            (&mut error.free, &mut error.free_off)
        };
        *minutes += 1.0;
        off.learn(y - smoothed);
    }

    /// Forgets, but for what was expected before anything was seen.
    fn fade(&mut self) {
        for (error, prior) in self.0.iter_mut().zip(Self::default().0) {
            error.free = prior.free + ERRORS_KEPT * (error.free - prior.free);
            error.jammed = prior.jammed + ERRORS_KEPT * (error.jammed - prior.jammed);
        }
    }

    fn belief(&self, smoothed: f64) -> Regimes {
        let error = self.0[Self::band(smoothed)];
        let jammed = (error.jammed / (error.free + error.jammed)).clamp(0.01, 0.99);
        Regimes { free: error.free_off.around(smoothed), jam: error.jam_off.around(smoothed), jammed }
    }
}

impl Spread {
    fn learn(&mut self, error: f64) {
        /// A minute's step: a few hundred minutes of links move it by what it is wide.
        const STEP: f64 = 0.001;
        let off = error - self.middle;
        self.middle += STEP * off.signum();
        let beyond = if off.abs() > self.half { 0.8 } else { -0.2 };
        // No two places of a road are nearer to each other than 2 %.
        self.half = (self.half + STEP * beyond).max(0.02);
    }

    fn around(&self, y: f64) -> Belief {
        /// 80 % of a normal distribution lie within so many standard deviations.
        const Z80: f64 = 1.2816;
        Belief { y: (y + self.middle).clamp(-0.2, 4.0), var: (self.half / Z80).powi(2) }
    }
}

/// What loops measure, or, where there are none, what is believed of a link that counts.
fn measured_y(own: &Own) -> Option<f64> {
    own.counts().then(|| if own.passing_y.is_nan() { own.belief.quantile(0.5) } else { own.passing_y })
}

#[derive(Default)]
struct Mean {
    sum: f64,
    weight: f64,
}

impl Mean {
    fn add(&mut self, value: f64, weight: f64) {
        self.sum += weight * value;
        self.weight += weight;
    }

    fn mean(&self) -> Option<f64> {
        (self.weight > 0.0).then(|| self.sum / self.weight)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::regime::Jams;

    /// A row of expressway links of 500 m, of which all but the third are measured.
    struct Row {
        smoothing: Smoothing,
        own: Vec<Own>,
        sites: Vec<Site>,
    }

    const HIDDEN: usize = 2;

    impl Row {
        fn new() -> Self {
            let site = Site { length_m: 500.0, free_kmh: 100.0, facility: None, ..Site::with_lanes(3.0) };
            let smoothing = Smoothing { road: Some(Road::row(5, 500.0)), ..Smoothing::default() };
            Self { smoothing, own: vec![Own::NOTHING; 5], sites: vec![site; 5] }
        }

        /// A minute in which each link but the third runs at that share of free flow.
        fn minute(&mut self, shares: [f64; 5]) -> Regimes {
            for (link, share) in shares.into_iter().enumerate().filter(|(link, _)| *link != HIDDEN) {
                let free = Belief { y: -share.ln(), var: 0.001 };
                let rest = Regimes::unseen(0.05, 0.12, Jams::default());
                self.own[link].belief = Regimes { free, jam: Belief { y: free.y, ..rest.jam }, ..rest };
                self.own[link].flow_vph = 1000.0;
            }
            let network = crate::streets::streets(&[((0, 0), (1, 0))]);
            self.smoothing.step(&network, &self.sites, &self.own, 0.92);
            self.smoothing.of(HIDDEN).unwrap()
        }
    }

    #[test]
    fn a_jam_downstream_arrives_after_the_time_that_its_front_needs() {
        let mut row = Row::new();
        let before = (0..30).map(|_| row.minute([0.95; 5])).last().unwrap().quantile(0.5);
        let after: Vec<f64> = (0..6).map(|_| row.minute([0.95, 0.95, 0.0, 0.2, 0.2]).quantile(0.5)).collect();
        assert!((before - 0.05).abs() < 0.03, "{before}");
        assert!(after.windows(2).all(|pair| pair[1] >= pair[0] - 0.02), "{after:?}");
        assert!(after[5] > 0.6, "{after:?}");
    }

    #[test]
    fn what_differs_for_good_at_one_detector_is_not_carried_to_the_next_link() {
        let shares = |slow: f64| [1.0, slow, 0.0, 1.0, 1.0];
        let mut row = Row::new();
        let first = (0..5).map(|_| row.minute(shares(0.75))).last().unwrap().quantile(0.5);
        let later = (0..300).map(|_| row.minute(shares(0.75))).last().unwrap().quantile(0.5);
        assert!(later < first, "{first} {later}");
    }

    proptest! {
        #[test]
        fn free_speeds_are_smoothed_to_one_between_them(shares in proptest::collection::vec(0.62f64..1.1, 5)) {
            let mut row = Row::new();
            let shares: [f64; 5] = shares.try_into().unwrap();
            let belief = (0..3).map(|_| row.minute(shares)).last().unwrap();
            prop_assert!(belief.is_finite());
            let road = row.smoothing.road.take().unwrap();
            let share = (-row.smoothing.y(&road, HIDDEN).unwrap()).exp();
            let measured = || shares.iter().enumerate().filter(|(link, _)| *link != HIDDEN).map(|(_, share)| *share);
            let (least, most) = (measured().fold(f64::MAX, f64::min), measured().fold(0.0, f64::max));
            // The usual of one may be up to a few thousandths off that of the others after three minutes.
            prop_assert!(share > 0.98 * least && share < 1.02 * most, "{share} {shares:?}");
        }
    }
}
