//! The graph stage: joins the own estimates of all owned partitions as of one boundary, estimates the links that no sensor
//! counts on, and keeps the book of events.

use model::{Forecast, Source, Timestamp, TrafficEvent};
use roadnet::{LinkIndex, Network};
use serde::{Deserialize, Serialize};

use crate::delay::Typical;
use crate::events::Faults;
use crate::forecast::Seen;
use crate::forecasts::Forecasts;
use crate::level::Level;
use crate::link::Own;
use crate::neighbours::{self, Coupling};
use crate::partition::{Context, Frozen};
use crate::queue::{Picture, Queues};
use crate::regime::Regimes;
use crate::told::Told;
use crate::turns::Turns;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Graph {
    own: Vec<Own>,
    /// What each link is believed to be, own or estimated.
    belief: Vec<Regimes>,
    /// Probability of a jam above the usual.
    departure: Vec<f64>,
    flow_vph: Vec<f64>,
    /// Whether evidence of the last lateness reaches the link; made anew in each step.
    #[serde(skip)]
    reached: Vec<bool>,
    /// PCU and MCU per vehicle, over all links that count.
    mix: (f64, f64),
    coupling: Coupling,
    /// By partition number: what is typical there.
    typical: Vec<(u32, Typical)>,
    levels: Vec<Level>,
    /// What was told of the links that do not tell their state themselves.
    told: Vec<Told>,
    turns: Turns,
    queues: Queues,
    faults: Faults,
    forecasts: Forecasts,
}

/// Sweeps per graph boundary; warm-started, so that a change has spread by two links at once and on at each boundary.
const SWEEPS: usize = 2;

impl Graph {
    pub(crate) fn new(network: &Network) -> Self {
        let links = network.links().len();
        Self {
            own: vec![Own::NOTHING; links],
            belief: vec![Own::NOTHING.belief; links],
            departure: vec![0.0; links],
            flow_vph: vec![f64::NAN; links],
            reached: Vec::new(),
            mix: (1.0, 1.0),
            coupling: Coupling::default(),
            typical: Vec::new(),
            levels: vec![Level::default(); links],
            told: vec![Told::NOTHING; links],
            turns: Turns::new(network),
            queues: Queues::new(links),
            faults: Faults::default(),
            forecasts: Forecasts::new(links),
        }
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
        self.turns.prepare(context.network);
        for part in frozen {
            self.take(part);
            self.turns.see(context.network, &part.turned);
        }
        for part in frozen {
            self.faults.take(at, &part.faults, context, &mut events);
        }
        self.spread(at, context);
        for link in 0..self.own.len() {
            if let Some(told) = self.news(at, link, context) {
                tell(link as u32, &told);
            }
        }
        let seen: Vec<bool> =
            context.network.indices().map(|link| self.is_fresh(at, link, context)).collect();
        let picture = Picture {
            belief: &self.belief,
            flow_vph: &self.flow_vph,
            own: &self.own,
            mix: self.mix,
            seen: &seen,
            turns: &self.turns,
        };
        self.queues.step(at, &picture, context, &mut events);
        events
    }

    /// Takes the boundary into the forecasts; returns those that changed notably.
    pub(crate) fn forecasts(&mut self, at: Timestamp, context: &Context<'_>) -> Vec<Forecast> {
        let mut forecasts = std::mem::replace(&mut self.forecasts, Forecasts::new(0));
        let typical = |link: u32| (-self.rest(link as usize, context).free.y).exp() as f32;
        let told = forecasts.step(at, context, |link| self.seen(at, link as usize, context), typical);
        self.forecasts = forecasts;
        told
    }

    /// Returns what was last told to be expected of links.
    pub(crate) fn told_forecasts(&self, context: &Context<'_>) -> Vec<Forecast> {
        self.forecasts.told(context).collect()
    }

    /// Returns what is known of a link: the middle and half the width of what is believed of its speed.
    fn seen(&self, at: Timestamp, link: usize, context: &Context<'_>) -> Option<Seen> {
        if !self.reached[link] {
            return None;
        }
        let [fast, middle, slow] = [0.9, 0.5, 0.1].map(|above| (-self.belief[link].quantile(above)).exp());
        let observed = heard_within(&self.own[link], at, (context.config.long_window_s * 1000.0) as i64);
        let source = if observed { Source::Observed } else { Source::Estimated };
        Some(Seen { share: middle.min(1.1) as f32, half: ((fast - slow) / 2.0) as f32, source })
    }

    /// Returns what was last told of a link here.
    pub(crate) fn told(&self, link: u32) -> Told {
        self.told[link as usize]
    }

    fn take(&mut self, part: &Frozen) {
        for (link, own) in &part.own {
            self.own[*link as usize] = *own;
        }
        match self.typical.binary_search_by_key(&part.partition, |(number, _)| *number) {
            Ok(place) => self.typical[place].1 = part.typical,
            Err(place) => self.typical.insert(place, (part.partition, part.typical)),
        }
    }

    fn rest(&self, link: usize, context: &Context<'_>) -> Regimes {
        let site = &context.sites[link];
        let found = self.typical.binary_search_by_key(&site.partition, |(number, _)| *number);
        let typical = found.map_or_else(|_| Typical::default(), |place| self.typical[place].1);
        typical.rest(site)
    }

    fn spread(&mut self, at: Timestamp, context: &Context<'_>) {
        /// The coupling changes over hours.
        const LEARN_EVERY_MS: i64 = 60_000;
        let rest: Vec<Regimes> = (0..self.own.len()).map(|link| self.rest(link, context)).collect();
        for (link, own) in self.own.iter().enumerate().filter(|(_, own)| own.counts()) {
            self.belief[link] = own.belief;
            self.departure[link] = own.belief.jammed - rest[link].jammed;
            self.flow_vph[link] = own.flow_vph;
        }
        if at.as_millis() % LEARN_EVERY_MS == 0 {
            let own = &self.own;
            self.coupling
                .learn(context.network, &self.turns, &self.departure, |link| own[link.index()].counts());
        }
        self.reached = neighbours::reached(context.network, |link| self.is_fresh(at, link, context));
        if self.reached.contains(&true) {
            // What a link said itself fades for longer than it is news to others; but not where all have fallen silent.
            for (reached, own) in self.reached.iter_mut().zip(&self.own) {
                *reached |= heard_within(own, at, FADED_MS);
            }
        }
        for (link, rest) in rest.iter().enumerate().filter(|(link, _)| !self.reached[*link]) {
            // What was estimated from evidence that is gone must not echo between neighbours.
            (self.belief[link], self.departure[link], self.flow_vph[link]) = (*rest, 0.0, f64::NAN);
        }
        for _ in 0..SWEEPS {
            for link in context.network.indices() {
                if !self.own[link.index()].counts() && self.reached[link.index()] {
                    self.estimate(link, &rest[link.index()], context);
                }
            }
        }
        if at.as_millis() % LEARN_EVERY_MS == 0 {
            let own = &self.own;
            self.turns.fit(context.network, &self.flow_vph, |link| own[link].counts());
        }
        self.learn_mix();
    }

    /// Estimates a link that nothing counts on from its neighbours and its probes.
    fn estimate(&mut self, link: LinkIndex, rest: &Regimes, context: &Context<'_>) {
        let (network, place) = (context.network, link.index());
        let around = neighbours::around(network, &self.turns, link, &self.departure, self.coupling);
        let prior = Regimes { jammed: (rest.jammed + around).clamp(0.02, 0.9), ..*rest };
        let own = &self.own[place];
        self.belief[place] = if own.newest_at == i64::MIN {
            prior
        } else {
            Regimes { jammed: prior.jammed, ..own.belief }.by_odds(own.belief.odds_against(rest))
        };
        self.departure[place] = self.belief[place].jammed - rest.jammed;
        if let Some(flow_vph) = neighbours::flow(network, &self.turns, link, &self.flow_vph) {
            self.flow_vph[place] = flow_vph;
        }
    }

    /// Tells whether the link's own sensors said anything in the last lateness.
    fn is_fresh(&self, at: Timestamp, link: LinkIndex, context: &Context<'_>) -> bool {
        heard_within(&self.own[link.index()], at, context.config.lateness_ms())
    }

    fn learn_mix(&mut self) {
        let (n, pcu, mcu) =
            self.own.iter().filter(|own| own.counts()).fold((0.0, 0.0, 0.0), |(n, pcu, mcu), own| {
                (n + own.flow_vph, pcu + own.flow_pcuph, mcu + own.flow_mcuph)
            });
        if n > 0.0 {
            self.mix = (pcu / n, mcu / n);
        }
    }

    fn news(&mut self, at: Timestamp, link: usize, context: &Context<'_>) -> Option<Told> {
        let own = &self.own[link];
        if own.counts() || !context.sites[link].owned {
            self.told[link] = Told::NOTHING;
            return None;
        }
        if !self.reached[link] {
            self.levels[link] = Level::default();
            let new = Told::nothing(at);
            let old = std::mem::replace(&mut self.told[link], new);
            return (!new.looks_like(&old)).then_some(new);
        }
        let seen_s = (at.as_millis() - own.newest_at.max(0)) as f64 / 1000.0;
        let source =
            if seen_s <= context.config.long_window_s { Source::Observed } else { Source::Estimated };
        let flow = self.flow_vph[link];
        let own = Own {
            flow_vph: flow,
            flow_pcuph: flow * self.mix.0,
            flow_mcuph: flow * self.mix.1,
            newest_at: if source == Source::Observed { own.newest_at } else { i64::MIN },
            quality: if source == Source::Observed { own.quality } else { 0 },
            ..*own
        };
        let site = &context.sites[link];
        let new =
            Told::of(at, &self.belief[link], &own, source, &mut self.levels[link], site, context.config);
        let old = std::mem::replace(&mut self.told[link], new);
        (!new.looks_like(&old)).then_some(new)
    }
}

/// An hour: by then nothing is left of what a link's sensors said.
const FADED_MS: i64 = 3_600_000;

fn heard_within(own: &Own, at: Timestamp, age_ms: i64) -> bool {
    own.newest_at > i64::MIN && at.as_millis() - own.newest_at <= age_ms
}
