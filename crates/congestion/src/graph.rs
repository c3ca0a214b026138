//! The graph stage: joins the own estimates of all owned partitions as of one boundary, estimates the links that no sensor
//! counts on, and keeps the book of events.

mod asked;
mod estimate;
mod spread;

use std::hint::black_box;

use model::{Forecast, Quality, Source, Timestamp, TrafficEvent};
use roadnet::Network;
use serde::{Deserialize, Serialize};

use crate::events::Faults;
use crate::field::Field;
use crate::forecast::{self, Seen};
use crate::forecasts::Forecasts;
use crate::incident::{Around, Incidents};
use crate::level::Level;
use crate::neighbours::{self, Coupling};
use crate::own::Own;
use crate::pairs::Pairs;
use crate::partition::{AT_ONCE, Context, Frozen};
use crate::picture::Picture;
use crate::queue::Queues;
use crate::regime::Regimes;
use crate::shown::Shown;
use crate::site::Site;
use crate::smoothing::Smoothing;
use crate::told::{Basis, Told};
use crate::turns::Turns;
use crate::typical::Typical;
use crate::work::{Ages, Work};

pub use estimate::Stage;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Graph {
    own: Vec<Own>,
    /// What is usual of each link; made anew with its own estimate, and with what is typical in its partition.
    #[serde(skip)]
    rest: Vec<Regimes>,
    /// What each link is believed to be, own or estimated.
    belief: Vec<Regimes>,
    shown: Vec<Shown>,
    /// Whether evidence of the last lateness reaches the link over turns; made anew where there is none.
    #[serde(skip)]
    reached: Vec<bool>,
    #[serde(skip)]
    work: Work,
    /// The boundary of which `told` is, for all links that it tells of.
    at: Timestamp,
    /// Over all links that count.
    mix: Mix,
    coupling: Coupling,
    field: Field,
    smoothing: Smoothing,
    /// By partition number: what is typical there.
    typical: Vec<(u32, Typical)>,
    levels: Vec<Level>,
    /// What was told of the links that do not tell their state themselves, without its instant.
    told: Vec<Told>,
    turns: Turns,
    pairs: Pairs,
    queues: Queues,
    incidents: Incidents,
    faults: Faults,
    forecasts: Forecasts,
}

/// What an average vehicle is worth.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct Mix {
    pub(crate) pcu: f64,
    pub(crate) mcu: f64,
    pub(crate) persons: f64,
}

impl Mix {
    const UNKNOWN: Self = Self { pcu: 1.0, mcu: 1.0, persons: 1.0 };
}

/// What the guess of the coupling of jams is worth, in squared departures of their probability: a few dozen jammed pairs.
const COUPLING_SQUARES: f64 = 10.0;

impl Graph {
    pub(crate) fn new(network: &Network) -> Self {
        let links = network.links().len();
        Self {
            own: vec![Own::NOTHING; links],
            rest: Vec::new(),
            belief: vec![Own::NOTHING.belief; links],
            shown: vec![Shown::NOTHING; links],
            reached: Vec::new(),
            work: Work::default(),
            at: Timestamp::MIN,
            mix: Mix::UNKNOWN,
            coupling: Coupling::guessed(COUPLING_SQUARES),
            field: Field::guessed(),
            smoothing: Smoothing::default(),
            typical: Vec::new(),
            levels: vec![Level::default(); links],
            told: vec![Told::NOTHING; links],
            turns: Turns::new(network),
            pairs: Pairs::default(),
            queues: Queues::new(links),
            incidents: Incidents::default(),
            faults: Faults::default(),
            forecasts: Forecasts::new(links),
        }
    }

    /// Makes anew what a checkpoint does not hold, as it was at the newest boundary: who asks before the next one is to find what
    /// was known. Changes nothing that a checkpoint holds.
    pub(crate) fn resume(&mut self, context: &Context<'_>) {
        self.begin(context);
        self.weigh_pairs(self.at, context);
        self.reach(self.at, context);
    }

    /// Takes the copies of all partitions, in the order of partitions, for one boundary.
    pub(crate) fn step(
        &mut self,
        at: Timestamp,
        frozen: &[Frozen],
        context: &Context<'_>,
        mut tell: impl FnMut(u32, &Told),
    ) -> Vec<TrafficEvent> {
        let mut events = Vec::new();
        self.begin(context);
        self.at = at;
        for part in frozen {
            self.take(part, context);
            if context.config.parts.journeys {
                self.turns.see(context.network, &part.turned);
            }
            if context.config.parts.travel_times {
                self.pairs.take(&part.pair_times, context);
            }
            part.signs.iter().for_each(|(link, signs)| self.incidents.take(*link, signs));
        }
        self.weigh_pairs(at, context);
        for part in frozen {
            self.faults.take(at, &part.faults, context, &mut events);
        }
        self.spread(at, context);
        let telling = self.work.take_telling(at);
        for few in telling.chunks(AT_ONCE) {
            few.iter().for_each(|link| self.fetch_told(*link as usize, context));
            for &link in few {
                self.judge(link as usize, context);
                if let Some(told) = self.news(at, link as usize, context) {
                    tell(link, &told);
                }
            }
        }
        let picture = Picture {
            belief: &self.belief,
            shown: &self.shown,
            own: &self.own,
            mix: self.mix,
            congested: &self.work.congested,
            seen: self.work.heard(),
            owned: self.work.owned(),
            turns: &self.turns,
        };
        self.queues.step(at, &picture, context, &mut events);
        let around = Around { congested: &self.work.congested, heard: self.work.heard(), turns: &self.turns };
        self.incidents.step(at, &around, context, &mut events);
        events
    }

    /// Reads a little of what the news of a link asks for, for nothing but to have it in the cache.
    fn fetch_told(&self, link: usize, context: &Context<'_>) {
        let (own, site, told) = (&self.own[link], &context.sites[link], &self.told[link]);
        black_box((own.flow_vph, own.cycle, own.quality, own.passing_y));
        black_box(context.network.links()[link].id.as_str().len());
        black_box((site.length_m, site.facility, told.was_told(), told.speed_kmh));
        black_box((self.belief[link].jammed, self.shown[link].flow_vph));
    }

    /// Judges how likely it is that a link is congested.
    fn judge(&mut self, link: usize, context: &Context<'_>) {
        let edge = self.own[link].congested_y(&context.sites[link], context.config);
        self.work.congested[link] = self.belief[link].above(edge);
        self.queues.judge_again(link);
    }

    /// Takes the boundary into the forecasts; returns those that changed notably.
    pub(crate) fn forecasts(&mut self, at: Timestamp, context: &Context<'_>) -> Vec<Forecast> {
        let mut forecasts = std::mem::replace(&mut self.forecasts, Forecasts::new(0));
        let typical = |link: u32| (-self.rest[link as usize].free.y).exp() as f32;
        let base_kmh = |link: u32| self.own[link as usize].free_kmh(&context.sites[link as usize]);
        let told =
            forecasts.step(at, context, |link| self.seen(at, link as usize, context), typical, base_kmh);
        forecasts.take_renewed().into_iter().for_each(|link| self.work.again(link as usize));
        self.forecasts = forecasts;
        told
    }

    /// Returns what was last told to be expected of links.
    pub(crate) fn told_forecasts(&self, context: &Context<'_>) -> Vec<Forecast> {
        self.forecasts.told(context).collect()
    }

    /// Returns what is known of a link: the middle and half the width of what is believed of its speed.
    fn seen(&self, at: Timestamp, link: usize, context: &Context<'_>) -> Option<Seen> {
        if !self.is_reached(link) {
            return None;
        }
        let chance = self.belief[link].mixture();
        let [fast, middle, slow] = [0.9, 0.5, 0.1].map(|above| (-chance.quantile(above)).exp());
        let observed = heard_within(&self.own[link], at, (context.config.long_window_s * 1000.0) as i64);
        let source = if observed { Source::Observed } else { Source::Estimated };
        Some(Seen { share: middle.min(1.1) as f32, half: ((fast - slow) / 2.0) as f32, source })
    }

    /// Returns what was last told of a link here.
    pub(crate) fn told(&self, link: u32) -> Told {
        self.told[link as usize].dated(self.at)
    }

    /// Makes anew what a checkpoint does not hold and is not there yet.
    fn begin(&mut self, context: &Context<'_>) {
        self.work.begin(&self.own, context.sites);
        self.turns.prepare(context.network);
        if self.rest.len() != self.own.len() {
            self.rest = (0..self.own.len()).map(|link| self.usual(link, context)).collect();
        }
    }

    fn take(&mut self, part: &Frozen, context: &Context<'_>) {
        let another = match self.typical.binary_search_by_key(&part.partition, |(number, _)| *number) {
            Ok(place) => std::mem::replace(&mut self.typical[place].1, part.typical) != part.typical,
            Err(place) => {
                self.typical.insert(place, (part.partition, part.typical));
                true
            }
        };
        for (link, handed) in &part.own {
            let (place, own) = (*link as usize, Own::from(*handed));
            self.own[place] = own;
            if own.counts() && !self.work.counts(place) {
                self.told[place] = Told::NOTHING;
            }
            self.work.changed(place, &own);
            if !another {
                self.rest[place] = self.usual(place, context);
            }
        }
        if another {
            for link in 0..self.own.len() {
                if context.sites[link].partition == part.partition {
                    self.rest[link] = self.usual(link, context);
                }
            }
            self.work.all_again();
        }
    }

    /// Returns what is usual of a link now: it follows from what is typical in its partition, and before a signal from its
    /// cycle and from how many arrive.
    fn usual(&self, link: usize, context: &Context<'_>) -> Regimes {
        let site = &context.sites[link];
        self.typical(site).here(&self.own[link], site, &context.config.parts).rest(site)
    }

    /// Returns what is usual of a link at this time of the week, where that was learned.
    fn weekly(&self, link: usize, context: &Context<'_>) -> Option<Regimes> {
        let share = self.forecasts.usual_share(link).filter(|_| context.config.parts.weekly)?;
        Some(self.rest[link].with_mean(share))
    }

    /// Returns what is typical where a link is.
    fn typical(&self, site: &Site) -> Typical {
        let found = self.typical.binary_search_by_key(&site.partition, |(number, _)| *number);
        found.map_or_else(|_| Typical::default(), |place| self.typical[place].1)
    }

    /// Finds what measured travel times say of the links on their ways.
    fn weigh_pairs(&mut self, at: Timestamp, context: &Context<'_>) {
        let mut pairs = std::mem::take(&mut self.pairs);
        let known = |link: u32| self.rest[link as usize];
        for link in pairs.weigh(at.as_millis(), context, known) {
            self.work.changed(link as usize, &self.own[link as usize]);
        }
        for (link, newest_at) in pairs.heard() {
            self.work.heard_of(link as usize, newest_at.max(self.own[link as usize].newest_at));
        }
        self.pairs = pairs;
    }

    /// Tells whether evidence of the last lateness reaches a link: over turns, or along an expressway.
    fn is_reached(&self, link: usize) -> bool {
        self.reached.get(link).is_some_and(|reached| *reached) || self.smoothing.of(link).is_some()
    }

    /// Finds which links evidence reaches.
    fn reach(&mut self, at: Timestamp, context: &Context<'_>) {
        let ages_ms = Ages { heard: context.config.lateness_ms(), faded: FADED_MS };
        let near = |heard: &[bool]| neighbours::reached(context.network, |link| heard[link.index()]);
        self.work.reach(at, ages_ms, near, &mut self.reached);
    }

    fn news(&mut self, at: Timestamp, link: usize, context: &Context<'_>) -> Option<Told> {
        if self.work.counts(link) || !context.sites[link].owned {
            return None;
        }
        if !self.is_reached(link) {
            return self.unreached(at, link, context);
        }
        let (own, source) = self.filled_in(at, link, context);
        let site = &context.sites[link];
        let typical = &self.typical(site);
        let (belief, parts) = (&self.belief[link], &context.config.parts);
        let basis = Basis { belief, own: &own, source, counted: false, site, typical, parts };
        let new = Told::of(at, &basis, &mut self.levels[link], context.config);
        if source == Source::Observed {
            let long_ms = (context.config.long_window_s * 1000.0) as i64;
            self.work.tell_again_at(link, self.own[link].newest_at + long_ms + 1);
        }
        let old = std::mem::replace(&mut self.told[link], new.dated(UNDATED));
        (!new.looks_like(&old)).then_some(new)
    }

    /// Returns what is known of a link that nothing counts on, its flow from its neighbours, and what that rests on.
    fn filled_in(&self, at: Timestamp, link: usize, context: &Context<'_>) -> (Own, Source) {
        let own = &self.own[link];
        let doubts = own.quality & Quality::SENSOR_SUSPECT.0;
        let seen_s = (at.as_millis() - own.newest_at.max(0)) as f64 / 1000.0;
        let source =
            if seen_s <= context.config.long_window_s { Source::Observed } else { Source::Estimated };
        let flow = self.shown[link].flow_vph;
        let own = Own {
            flow_vph: flow,
            flow_pcuph: flow * self.mix.pcu,
            flow_mcuph: flow * self.mix.mcu,
            newest_at: if source == Source::Observed { own.newest_at } else { i64::MIN },
            quality: if source == Source::Observed { own.quality } else { doubts },
            ..*own
        };
        (own, source)
    }
}

impl Graph {
    /// Returns what is to be told of a link that no evidence reaches, when that is news: what is usual at this time of the week, looked
    /// up once a step of the forecasts, or nothing.
    fn unreached(&mut self, at: Timestamp, link: usize, context: &Context<'_>) -> Option<Told> {
        let (begun, old) = (at.floor(forecast::STEP_MS), self.told[link]);
        self.work.tell_again_at(link, begun.plus_millis(forecast::STEP_MS).as_millis());
        if old.was_told() && old.source <= Source::Profile && at > begun {
            return None;
        }
        let (site, config) = (&context.sites[link], context.config);
        let new = match self.forecasts.usual(link as u32, begun, &config.forecast) {
            Some(usual) => {
                let base_kmh = self.own[link].free_kmh(site);
                Told::usual(at, usual, &mut self.levels[link], base_kmh, site, config)
            }
            None => {
                self.levels[link] = Level::default();
                Told::nothing(at, self.own[link].quality & Quality::SENSOR_SUSPECT.0)
            }
        };
        self.told[link] = new.dated(UNDATED);
        (!new.looks_like(&old)).then_some(new)
    }
}

/// What stands for the instant of a state that is kept: all that are kept hold for the same.
const UNDATED: Timestamp = Timestamp::from_millis(0);

/// An hour: by then nothing is left of what a link's sensors said.
const FADED_MS: i64 = 3_600_000;

fn heard_within(own: &Own, at: Timestamp, age_ms: i64) -> bool {
    own.newest_at > i64::MIN && at.as_millis() - own.newest_at <= age_ms
}
