//! What is expected of each link in the next hour.
//!
//! Time goes in steps of five minutes. A link's speed, as a share of free flow, is its usual for the time of the week
//! (`profile`) plus a residual; the residuals 5 to 60 minutes ahead are weighted sums of the link's own last residuals and of
//! those around it (`lags`, `around`), with weights learned online (`ridge`); how far forecasts were off makes the interval
//! (`errors`). A profile and a linear model of few lags is about as good as deep networks where one model a sensor is learned
//! (arXiv:2203.02954).
//!
//! What was known at a step and what came of it is learned from when the hour is over: never from what was not known yet. Only
//! what a link's own sensors saw teaches; a link that is only estimated uses what all links have taught.

mod around;
mod errors;
mod lags;
mod packed;
mod profile;
mod ridge;
mod ring;

use model::{Forecast, Source, Timestamp};
use serde::{Deserialize, Serialize};

pub use around::Around;

use errors::{Ends, ROWS, USUAL};
use lags::{FEATURES, KEPT, Lags, back};
use profile::Profile;
use ridge::{HORIZONS, Sums, Weights, fading, times};

/// Length of a step, ms: the period of published speeds.
pub const STEP_MS: i64 = 300_000;

/// Steps of each horizon.
const STEPS: [usize; HORIZONS] = [1, 2, 3, 6, 9, 12];

/// Steps of the longest horizon: after so many all is known that came of a step.
const HOUR: usize = 12;

/// The links are worked off in so many parts, so that no boundary takes long.
pub const PARTS: u32 = 12;

/// What is known of a link at one instant, as shares of free flow.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Seen {
    /// Speed.
    pub share: f32,
    /// Half the width of its 80 % interval.
    pub half: f32,
    /// What it rests on.
    pub source: Source,
}

/// What is expected of a link.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Expected {
    /// What it rests on.
    pub source: Source,
    /// By horizon: lower end, middle and upper end of an 80 % interval, shares of free flow.
    pub points: [[f32; 3]; HORIZONS],
}

/// Learns from what is known of all links, and foretells it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Forecaster {
    /// End of the newest step.
    at: Option<Timestamp>,
    head: usize,
    rows: Vec<Row>,
    /// What all links have taught.
    sums: Sums,
    /// What they taught in this step.
    gathered: Sums,
    weights: Weights,
    errors: errors::Pooled,
}

/// One link.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Row {
    /// Samples of the running step: sum of speeds, of half widths, number of samples.
    sum: f32,
    halves: f32,
    samples: u16,
    source: Source,
    /// Of the newest step.
    now: Source,
    half: f32,
    /// What is typical where nothing was learned.
    typical: f32,
    lags: Lags,
    learned: Option<Box<Learned>>,
}

/// What a link that has sensors of its own has taught.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Learned {
    profile: Profile,
    sums: Sums,
    errors: errors::Own,
}

/// What the work on a link looks at beside the link itself.
struct Step<'a> {
    head: usize,
    /// Local time of the end of the step.
    local: Timestamp,
    weights: &'a Weights,
}

/// What is left after a step: two weeks halve it, so that it follows the seasons and the works on the road.
const KEPT_OF_LINK: f32 = 0.999_83;

/// The same for all links together: they teach a hundred times more.
const KEPT_OF_ALL: f32 = 0.999_5;

/// How strongly a link's weights are drawn to those of all links: (noise / spread of weights between links)^2, for a noise of 5 %
/// of free flow and weights that differ by 0.1.
const TO_ALL: f64 = 0.25;

/// How strongly those of all links are drawn to persistence: as a hundred links of one kind for an hour.
const TO_FADING: f64 = 2.0;

/// Speeds that are expected at all, shares of free flow.
const SLOWEST: f32 = 0.02;
const FASTEST: f32 = 1.2;

impl Forecaster {
    /// Returns one that knows nothing of so many links.
    pub fn new(links: usize) -> Self {
        let row = Row {
            sum: 0.0,
            halves: 0.0,
            samples: 0,
            source: Source::None,
            now: Source::None,
            half: 0.0,
            typical: 1.0,
            lags: Lags::default(),
            learned: None,
        };
        Self {
            at: None,
            head: 0,
            rows: vec![row; links],
            sums: Sums::default(),
            gathered: Sums::default(),
            weights: fading(),
            errors: errors::Pooled::default(),
        }
    }

    /// Returns the end of the newest step; `None` before the first.
    pub fn at(&self) -> Option<Timestamp> {
        self.at
    }

    /// Returns what is usual for a link at that local time: lower end, middle and upper end of an 80 % interval, shares of free
    /// flow. `None` where its own sensors have not taught that for a whole day.
    pub fn usual(&self, link: u32, local: Timestamp) -> Option<[f32; 3]> {
        let row = Some(&self.rows[link as usize]).filter(|row| row.knows_usual())?;
        let usual = row.usual(local).clamp(SLOWEST, FASTEST);
        Some(row.ends(USUAL, usual, &self.errors).map(|end| (usual + end).clamp(SLOWEST, FASTEST)))
    }

    /// Takes what is known of a link in the running step; what rests on more counts alone.
    pub fn see(&mut self, link: u32, seen: Seen) {
        let row = &mut self.rows[link as usize];
        if seen.source > row.source {
            (row.sum, row.halves, row.samples, row.source) = (0.0, 0.0, 0, seen.source);
        }
        if seen.source == row.source && seen.source > Source::None && seen.share.is_finite() {
            row.sum += seen.share;
            row.halves += seen.half;
            row.samples = row.samples.saturating_add(1);
        }
    }

    /// Ends the running step at `at`, local time being `ahead_ms` later. Steps that were passed over meanwhile are empty.
    ///
    /// `typical`: the speed of a link of which nothing was learned, a share of free flow.
    pub fn close(&mut self, at: Timestamp, ahead_ms: i64, around: &Around, typical: impl Fn(u32) -> f32) {
        let passed = self.at.map_or(1, |before| ((at - before) / STEP_MS).clamp(1, KEPT as i64));
        for left in (0..passed).rev() {
            self.turn(at.plus_millis(ahead_ms - left * STEP_MS), around, &typical);
        }
        self.at = Some(at);
        self.sums.fade(KEPT_OF_ALL);
        self.sums.join(&std::mem::take(&mut self.gathered));
        self.weights = self.sums.solve(&fading(), TO_FADING);
        self.errors.settle();
    }

    fn turn(&mut self, local: Timestamp, around: &Around, typical: &impl Fn(u32) -> f32) {
        let before = self.head;
        self.head = (self.head + 1) % KEPT;
        for (link, row) in (0..).zip(&mut self.rows) {
            row.typical = typical(link);
            row.enter(self.head, local);
        }
        let residuals: Vec<f32> = self.rows.iter().map(|row| row.lags.residual(self.head)).collect();
        let downstream = self.rows.iter().map(|row| row.lags.downstream(before)).collect();
        for (row, means) in self.rows.iter_mut().zip(around.means(&residuals, downstream)) {
            row.lags.enter_around(self.head, means);
        }
    }

    /// Works off one of [`PARTS`] parts of the links after a step: learns what an hour has taught, and calls `expect` with what
    /// is expected of each, `None` where nothing is. To be called once for each part.
    pub fn work(&mut self, part: u32, ahead_ms: i64, mut expect: impl FnMut(u32, Option<Expected>)) {
        let Some(at) = self.at else { return };
        let step = Step { head: self.head, local: at.plus_millis(ahead_ms), weights: &self.weights };
        for link in (part..self.rows.len() as u32).step_by(PARTS as usize) {
            let row = &mut self.rows[link as usize];
            let weights = row.learn(&step, &mut self.gathered, &mut self.errors);
            expect(link, row.expect(&step, &weights, &self.errors));
        }
    }
}

impl Row {
    /// Enters the running step, which begins anew.
    fn enter(&mut self, head: usize, local: Timestamp) {
        const HALF_AN_HOUR_MS: i64 = 1_800_000;
        let known = (self.samples > 0).then(|| self.sum / f32::from(self.samples));
        self.half = self.halves / f32::from(self.samples.max(1));
        self.now = if known.is_some() { self.source } else { Source::None };
        if self.now == Source::Observed && self.learned.is_none() {
            self.learned = Some(Box::default());
        }
        let [usual, ahead] = [local, local.plus_millis(HALF_AN_HOUR_MS)].map(|local| self.usual(local));
        self.lags.enter(head, known, self.now == Source::Observed, usual, ahead);
        (self.sum, self.halves, self.samples, self.source) = (0.0, 0.0, 0, Source::None);
    }

    fn knows_usual(&self) -> bool {
        self.learned.as_ref().is_some_and(|learned| learned.profile.is_known())
    }

    fn usual(&self, local: Timestamp) -> f32 {
        self.learned.as_ref().map_or(self.typical, |learned| learned.profile.usual(local, self.typical))
    }

    /// Learns what the newest step has shown; returns the link's weights, as they were before.
    fn learn(&mut self, step: &Step<'_>, gathered: &mut Sums, errors: &mut errors::Pooled) -> Weights {
        let Self { lags, learned: Some(learned), typical, .. } = self else { return *step.weights };
        let weights = learned.sums.solve(step.weights, TO_ALL);
        if let Some(share) = lags.observed(step.head) {
            for (row, steps) in STEPS.into_iter().enumerate() {
                if lags.observed(back(step.head, steps)).is_some() {
                    let features = lags.features(step.head, steps);
                    let expected = lags.usual(step.head) + times(&weights[row], &features) as f32;
                    learned.errors.learn(row, expected, share - expected, errors);
                }
            }
            let usual = lags.usual(step.head);
            learned.errors.learn(USUAL, usual, share - usual, errors);
        }
        if let Some(share) = lags.observed(back(step.head, HOUR)) {
            let features = lags.features(step.head, HOUR);
            let targets: [f32; HORIZONS] = std::array::from_fn(|row| {
                let place = back(step.head, HOUR - STEPS[row]);
                match lags.observed(place) {
                    Some(_) => lags.residual(place),
                    // What is missing teaches nothing.
                    None => times(&weights[row], &features) as f32,
                }
            });
            learned.sums.fade(KEPT_OF_LINK);
            let weight = weight(&weights, &features, &targets);
            learned.sums.add(&features, &targets, weight);
            gathered.add(&features, &targets, weight);
            learned.profile.learn(step.local.plus_millis(-(HOUR as i64) * STEP_MS), share, *typical);
        }
        weights
    }

    fn expect(&self, step: &Step<'_>, weights: &Weights, errors: &errors::Pooled) -> Option<Expected> {
        let source = match self.now {
            Source::Observed | Source::Estimated => self.now,
            _ if self.knows_usual() => Source::Profile,
            _ => return None,
        };
        let features = self.lags.features(step.head, 0);
        let recent = self.lags.is_known_within(step.head, HOUR);
        let point = |row: usize| {
            let usual = self.usual(step.local.plus_millis(STEPS[row] as i64 * STEP_MS));
            let departed = if recent { times(&weights[row], &features) as f32 } else { 0.0 };
            let expected = (usual + departed).clamp(SLOWEST, FASTEST);
            let spread = if source == Source::Profile { USUAL } else { row };
            let [mut low, middle, mut high] = self.ends(spread, expected, errors);
            if source == Source::Estimated {
                // What is not seen now is not known better later.
                low = middle - (middle - low).hypot(self.half);
                high = middle + (high - middle).hypot(self.half);
            }
            [low, middle, high].map(|end| (expected + end).clamp(SLOWEST, FASTEST))
        };
        Some(Expected { source, points: std::array::from_fn(point) })
    }

    fn ends(&self, row: usize, expected: f32, errors: &errors::Pooled) -> Ends {
        debug_assert!(row < ROWS);
        match &self.learned {
            Some(learned) => learned.errors.ends(row, expected, errors),
            None => errors.ends(row, expected),
        }
    }
}

/// Returns what an hour counts for: the less, the farther it was from what was expected, so that the median is learned and not the
/// mean, which a few jams pull (least absolute deviations by reweighting; Schlossmacher 1973).
fn weight(weights: &Weights, features: &[f32; FEATURES], targets: &[f32; HORIZONS]) -> f32 {
    /// As exact as speeds are, share of free flow.
    const EXACT: f32 = 0.02;
    let off =
        weights.iter().zip(targets).map(|(weights, target)| (target - times(weights, features) as f32).abs());
    EXACT / (off.sum::<f32>() / HORIZONS as f32).max(EXACT)
}

const _: () = assert!(
    STEPS[HORIZONS - 1] == HOUR && Forecast::HORIZONS_S[HORIZONS - 1] as i64 * 1000 == HOUR as i64 * STEP_MS
);
