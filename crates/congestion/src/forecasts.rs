//! Forecasts as they are told: what the graph stage knows goes into the [`Forecaster`], what changed notably comes out.

use model::{Forecast, ForecastPoint, LinkId, Source, Timestamp};
use serde::{Deserialize, Serialize};

use crate::ForecastConfig;
use crate::forecast::{Around, Expected, Forecaster, PARTS, STEP_MS, Seen};
use crate::partition::Context;

/// Once a minute each link is looked at: five samples a step.
const SAMPLE_MS: i64 = 60_000;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Forecasts {
    forecaster: Forecaster,
    told: Vec<Told>,
    /// What is usual of each link at this time of the week, a share of free flow; NaN where no whole day was seen.
    usual: Vec<f32>,
    /// Those of which it is another since that was last asked. Who begins anew looks at all links.
    #[serde(skip)]
    renewed: Vec<u32>,
    /// End of the newest step that was closed, or in which all began.
    ended: Option<Timestamp>,
    /// The part of the links that is worked off next; [`PARTS`] = the step is done.
    next_part: u32,
    /// Follows from the map.
    #[serde(skip)]
    around: Option<Around>,
}

/// What was last told of a link: lower end, middle and upper end by horizon, in tenths of km/h.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
struct Told {
    made_at: Timestamp,
    source: Source,
    /// Base free flow when it was told, km/h.
    base_kmh: f32,
    points: [[u16; 3]; Forecast::HORIZONS_S.len()],
}

impl Told {
    const NOTHING: Self = Self {
        made_at: Timestamp::MIN,
        source: Source::None,
        base_kmh: 0.0,
        points: [[0; 3]; Forecast::HORIZONS_S.len()],
    };

    /// `map_kmh`: what shares are of.
    fn of(made_at: Timestamp, expected: &Expected, map_kmh: f64, base_kmh: f64) -> Self {
        let tenths = |share: f32| (f64::from(share) * map_kmh * 10.0).round() as u16;
        let points = expected.points.map(|point| point.map(tenths));
        Self { made_at, source: expected.source, base_kmh: base_kmh as f32, points }
    }

    /// Tells whether it differs notably from what was told before.
    fn is_news_after(&self, told: &Self, free_kmh: f64, config: &ForecastConfig) -> bool {
        if self.source != told.source {
            return true;
        }
        let most = config.tell_share * free_kmh * 10.0;
        let off = |(new, old): (&[u16; 3], &[u16; 3])| {
            let differs = |i: usize, most: f64| f64::from(new[i].abs_diff(old[i])) > most;
            differs(1, most) || differs(0, 2.0 * most) || differs(2, 2.0 * most)
        };
        let old = (self.made_at - told.made_at) as f64 >= config.tell_every_s * 1000.0;
        self.source > Source::None && (old || self.points.iter().zip(&told.points).any(off))
    }

    fn forecast(&self, link: LinkId) -> Forecast {
        let kmh = |tenths: u16| f32::from(tenths) / 10.0;
        let point = |(&horizon_s, &[low, middle, high]): (&u32, &[u16; 3])| ForecastPoint {
            horizon_s,
            speed_kmh: kmh(middle),
            speed_lo_kmh: kmh(low),
            speed_hi_kmh: kmh(high),
        };
        let known = if self.source > Source::None { &self.points[..] } else { &[] };
        Forecast {
            link,
            made_at: self.made_at,
            source: self.source,
            free_flow_speed_kmh: self.base_kmh,
            points: Forecast::HORIZONS_S.iter().zip(known).map(point).collect(),
        }
    }
}

impl Forecasts {
    pub(crate) fn new(links: usize) -> Self {
        let (forecaster, told) = (Forecaster::new(links), vec![Told::NOTHING; links]);
        Self {
            forecaster,
            told,
            usual: vec![f32::NAN; links],
            renewed: Vec::new(),
            ended: None,
            next_part: PARTS,
            around: None,
        }
    }

    /// Returns what is usual for a link at that time: lower end, middle and upper end of its speed, shares of free flow.
    pub(crate) fn usual(&self, link: u32, at: Timestamp, config: &ForecastConfig) -> Option<[f32; 3]> {
        self.forecaster.usual(link, at.plus_millis(config.ahead_ms()))
    }

    /// Returns what was usual of a link at the newest step, a share of free flow, where a whole day was seen of it.
    pub(crate) fn usual_share(&self, link: usize) -> Option<f64> {
        Some(f64::from(self.usual[link])).filter(|share| !share.is_nan())
    }

    /// Returns the links of which the usual is another since this was last called.
    pub(crate) fn take_renewed(&mut self) -> Vec<u32> {
        std::mem::take(&mut self.renewed)
    }

    /// Takes a graph boundary: looks at some links, closes the step that has ended, and works some links off.
    ///
    /// `seen`: what is known of a link; `typical`: its speed where nothing is, a share of free flow; `base_kmh`: its base free flow.
    pub(crate) fn step(
        &mut self,
        at: Timestamp,
        context: &Context<'_>,
        seen: impl Fn(u32) -> Option<Seen>,
        typical: impl Fn(u32) -> f32,
        base_kmh: impl Fn(u32) -> f64,
    ) -> Vec<Forecast> {
        let mut forecasts = Vec::new();
        // What is looked at now belongs to the step that ends now, not to one that ended before.
        self.close(at.plus_millis(-1).floor(STEP_MS), context, &typical, &base_kmh, &mut forecasts);
        let turns = (SAMPLE_MS / context.config.graph_boundary_ms).max(1);
        let turn = (at.as_millis() / context.config.graph_boundary_ms).rem_euclid(turns);
        for link in (turn as u32..self.told.len() as u32).step_by(turns as usize) {
            if let Some(seen) = seen(link).filter(|_| context.sites[link as usize].owned) {
                self.forecaster.see(link, seen);
            }
        }
        self.close(at.floor(STEP_MS), context, &typical, &base_kmh, &mut forecasts);
        self.work(PARTS / turns.min(PARTS.into()) as u32, context, &base_kmh, &mut forecasts);
        forecasts
    }

    /// Closes the step that ended then, if it is not closed yet; the first is that in which all begins.
    fn close(
        &mut self,
        ended: Timestamp,
        context: &Context<'_>,
        typical: &impl Fn(u32) -> f32,
        base_kmh: &impl Fn(u32) -> f64,
        forecasts: &mut Vec<Forecast>,
    ) {
        let Some(before) = self.ended.replace(ended) else { return };
        self.ended = Some(before.max(ended));
        if ended > before {
            self.work(PARTS, context, base_kmh, forecasts);
            let around = self.around.get_or_insert_with(|| Around::of(context.network));
            self.forecaster.close(ended, context.config.forecast.ahead_ms(), around, typical);
            self.next_part = 0;
        }
    }

    /// Yields what was last told of each link of which something is expected.
    pub(crate) fn told<'a>(&'a self, context: &'a Context<'_>) -> impl Iterator<Item = Forecast> + 'a {
        let known =
            self.told.iter().zip(context.network.links()).filter(|(told, _)| told.source > Source::None);
        known.map(|(told, link)| told.forecast(link.id.clone()))
    }

    /// Works off the next parts.
    fn work(
        &mut self,
        parts: u32,
        context: &Context<'_>,
        base_kmh: &impl Fn(u32) -> f64,
        forecasts: &mut Vec<Forecast>,
    ) {
        let Some(made_at) = self.forecaster.at() else { return };
        let config = &context.config.forecast;
        for part in self.next_part..(self.next_part + parts).min(PARTS) {
            self.forecaster.work(part, config.ahead_ms(), |link, expected| {
                let map_kmh = context.sites[link as usize].free_kmh;
                let nothing = Told { made_at, ..Told::NOTHING };
                let new = expected
                    .map_or(nothing, |expected| Told::of(made_at, &expected, map_kmh, base_kmh(link)));
                let told = &mut self.told[link as usize];
                if new.is_news_after(told, map_kmh, config) {
                    *told = new;
                    let id = context.network.links()[link as usize].id.clone();
                    forecasts.push(new.forecast(id));
                }
            });
            self.renew(part, made_at.plus_millis(config.ahead_ms()));
            self.next_part = part + 1;
        }
    }

    /// Looks up what is usual now of the links of a part.
    fn renew(&mut self, part: u32, local: Timestamp) {
        /// Less is no reason to estimate a link and its neighbours again.
        const LEAST: f32 = 0.005;
        for link in (part..self.usual.len() as u32).step_by(PARTS as usize) {
            let new = self.forecaster.usual(link, local).map_or(f32::NAN, |[_, middle, _]| middle);
            let old = &mut self.usual[link as usize];
            if new.is_nan() != old.is_nan() || (new - *old).abs() > LEAST {
                *old = new;
                self.renewed.push(link);
            }
        }
    }
}
