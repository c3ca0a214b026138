//! One partition: its clock, its boundaries, the links that live in it.
//!
//! A partition's clock is the highest `received_at` of its records. When the clock passes a boundary, the links that heard
//! something since the last one are estimated from all records before it. At a graph boundary those are too whose readings have
//! aged, and a copy of what changed is kept for the graph stage, until the other partitions have got there too. So the memory of a
//! partition that runs ahead grows with its lead: at most one estimate (88 bytes with its link) for each link that changed, a graph
//! boundary. Nothing of it can be left out without the result depending on who was fed first; who feeds several partitions
//! should keep their clocks close: first the one that is furthest behind.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::hint::black_box;

use model::{LinkState, Observation, Reading, SensorId, Timestamp, TravelTime};
use roadnet::{Network, Registry};
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use crate::config::LEARN_EVERY_MS;
use crate::fleet::{self, Fleet};
use crate::handed::Handed;
use crate::health::{Fault, Health};
use crate::identity::{self, Identities};
use crate::incident::Sign;
use crate::journeys::{self, Journeys};
use crate::link::Cell;
use crate::pairs::PairTime;
use crate::rota::{Rota, Turn};
use crate::sample::What;
use crate::site::{self, Device, Site};
use crate::source::{self, Place, Sources};
use crate::told::Told;
use crate::typical::{Signals, Typical};
use crate::{Config, sample};

/// A gap in the log that is longer than this many latenesses is jumped over: every window is empty by then.
const JUMP_LATENESSES: i64 = 2;

/// Links or records of which the memory is asked for at once: as many as the misses of a cache that a processor waits for.
pub const AT_ONCE: usize = 16;

/// What every stage may look at.
pub(crate) struct Context<'a> {
    pub(crate) network: &'a Network,
    pub(crate) registry: &'a Registry,
    pub(crate) config: &'a Config,
    pub(crate) sites: &'a [Site],
    pub(crate) devices: &'a [Device],
}

impl Context<'_> {
    /// Returns the published form of what is told of a link.
    pub(crate) fn state(&self, link: u32, told: &Told) -> LinkState {
        told.state(self.network.links()[link as usize].id.clone(), &self.sites[link as usize])
    }
}

#[derive(Debug)]
pub(crate) struct Partition {
    pub(crate) number: u32,
    clock: Option<Timestamp>,
    /// The boundary that comes next.
    next: Timestamp,
    identities: Identities,
    sources: Sources,
    health: Health,
    journeys: Journeys,
    fleet: Fleet,
    /// Travel times that the graph stage was not handed yet.
    pair_times: Vec<PairTime>,
    /// Sensors that the registry does not know, numbered after it in order of appearance.
    strangers: FxHashMap<SensorId, u32>,
    /// Link -> place in `cells`.
    places: FxHashMap<u32, u32>,
    cells: Vec<Cell>,
    rota: Rota,
    frozen: VecDeque<Frozen>,
    pub(crate) typical: Typical,
}

/// The own estimates that changed up to a graph boundary.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Frozen {
    pub(crate) at: Timestamp,
    pub(crate) partition: u32,
    pub(crate) typical: Typical,
    pub(crate) own: Vec<(u32, Handed)>,
    pub(crate) faults: Vec<Fault>,
    /// Turns that vehicles were seen to take: from a link into another.
    pub(crate) turned: Vec<(u32, u32)>,
    /// Travel times between two sensors.
    pub(crate) pair_times: Vec<PairTime>,
    /// Links whose signs of an incident have changed.
    pub(crate) signs: Vec<(u32, Vec<Sign>)>,
}

/// Sums over the links of which something was heard in a minute.
#[derive(Default)]
struct Learned {
    /// Those that count, and the probabilities that they are jammed.
    heard: f64,
    jammed: f64,
    signals: Signals,
}

/// What a checkpoint holds of a partition: maps as sorted lists, so that equal states are equal bytes.
#[derive(Serialize, Deserialize)]
pub(crate) struct Saved<'a> {
    number: u32,
    clock: Option<Timestamp>,
    next: Timestamp,
    identities: identity::Saved,
    sources: source::Saved,
    health: Cow<'a, Health>,
    journeys: journeys::Saved,
    fleet: fleet::Saved,
    pair_times: Vec<PairTime>,
    strangers: Vec<SensorId>,
    cells: Cow<'a, [Cell]>,
    rota: Cow<'a, Rota>,
    frozen: Cow<'a, VecDeque<Frozen>>,
    typical: Typical,
}

impl Partition {
    pub(crate) fn new(number: u32) -> Self {
        Self {
            number,
            clock: None,
            next: Timestamp::MIN,
            identities: Identities::default(),
            sources: Sources::default(),
            health: Health::default(),
            journeys: Journeys::default(),
            fleet: Fleet::default(),
            pair_times: Vec::new(),
            strangers: FxHashMap::default(),
            places: FxHashMap::default(),
            cells: Vec::new(),
            rota: Rota::default(),
            frozen: VecDeque::new(),
            typical: Typical::default(),
        }
    }

    /// Returns the next boundary that the clock passes on its way to `log_time`, and moves past it.
    pub(crate) fn pass(&mut self, log_time: Timestamp, config: &Config) -> Option<Timestamp> {
        let step = config.state_boundary_ms;
        let clock = match self.clock {
            None => {
                // A record that came at a boundary belongs to it.
                self.next = log_time.plus_millis(-1).floor(step).plus_millis(step);
                log_time
            }
            Some(clock) => clock.max(log_time),
        };
        self.clock = Some(clock);
        if clock <= self.next {
            return None;
        }
        let jump = JUMP_LATENESSES * config.lateness_ms();
        let passed = self.next.max(clock.plus_millis(-jump).floor(config.graph_boundary_ms));
        self.next = passed.plus_millis(step);
        Some(passed)
    }

    /// Tells whether nothing can happen before the next boundary that passes: most calls end here.
    pub(crate) fn is_before_boundary(&self, log_time: Timestamp) -> bool {
        self.clock.is_some() && log_time <= self.next
    }

    /// Returns the newest graph boundary that this partition has passed.
    pub(crate) fn progress(&self, config: &Config) -> Timestamp {
        match self.clock {
            None => Timestamp::MIN,
            Some(_) => self.next.plus_millis(-config.state_boundary_ms).floor(config.graph_boundary_ms),
        }
    }

    pub(crate) fn frozen(&mut self) -> &mut VecDeque<Frozen> {
        &mut self.frozen
    }

    /// Asks for the memory of the next few records at once, so that the misses of the cache overlap: each speaks of another link, and what
    /// is kept of it lies anywhere.
    pub(crate) fn prepare<'o>(
        &self,
        coming: impl IntoIterator<Item = &'o Observation>,
        context: &Context<'_>,
    ) {
        let find = |observation: &Observation| context.registry.find(observation.sensor.as_str());
        let sensors: Vec<u32> = coming.into_iter().filter_map(find).map(|(index, _)| index.0).collect();
        let cell = |&sensor: &u32| {
            self.health.fetch(sensor);
            let source = self.sources.find(sensor, context.devices.get(sensor as usize), self.number)?;
            black_box(source.clock);
            let (_, place) = source.spoke_of.as_ref()?;
            Some(&self.cells[place.cell as usize])
        };
        let cells: Vec<&Cell> = sensors.iter().filter_map(cell).collect();
        black_box(cells.iter().filter(|cell| cell.window().is_empty()).count());
        cells.iter().for_each(|cell| cell.fetch_newest());
    }

    /// Takes one record of this partition.
    pub(crate) fn observe(&mut self, observation: &Observation, context: &Context<'_>) {
        let Context { config, registry, devices, .. } = context;
        let registered = registry.find(observation.sensor.as_str()).map(|(index, _)| index.0);
        let Some(at_place) = self.place_of(registered, observation, context) else { return };
        let sensor = registered.unwrap_or_else(|| self.stranger(&observation.sensor, registry));
        let device = devices.get(sensor as usize);
        let now = self.clock.unwrap_or(observation.received_at);
        let source = self.sources.of(sensor, device, self.number);
        if !self.identities.insert(sensor, observation, &mut source.series, now, config.lateness_ms()) {
            return;
        }
        if source.spoke_of.as_ref().is_none_or(|(_, place)| *place != at_place) {
            source.spoke_of = Some((observation.link.clone(), at_place));
        }
        source.clock.take(observation.at, observation.received_at);
        let error = source.clock.error_ms((config.health.clock_off_s * 1000.0) as i64);
        let at = observation.at.plus_millis(error);
        self.health.take(sensor, device, observation, now, error);
        if now - at > config.lateness_ms() || at - now > (config.max_skew_s * 1000.0) as i64 {
            return;
        }
        if let Reading::TravelTime(travel) = &observation.reading {
            self.pair_times.extend(pair_time(travel, at, registry));
        }
        for sample in sample::of(observation, sensor, at, config) {
            let cell = &mut self.cells[at_place.cell as usize];
            if let (What::Probe { vehicle, .. }, Reading::Probe(probe)) = (sample.what, &observation.reading)
            {
                self.journeys.take(vehicle, at_place.link, sample.at, context.network);
                let place = (at_place.link, &context.sites[at_place.link as usize]);
                let step_ms = site::step_ms(device);
                let others_drive = || cell.window().others_drive(sample.at, vehicle);
                if self.fleet.is_at_stop(probe, &sample, place, step_ms, others_drive) {
                    continue;
                }
            }
            cell.take(sample);
            self.rota.hear(at_place.cell);
        }
    }

    /// Estimates the links that heard something; calls `tell` with each state that changed.
    pub(crate) fn estimate_heard(
        &mut self,
        at: Timestamp,
        context: &Context<'_>,
        mut tell: impl FnMut(u32, &Told),
    ) {
        let heard = self.rota.heard(&self.cells);
        for few in heard.chunks(AT_ONCE) {
            self.fetch_cells(few.iter().copied(), context);
            few.iter().for_each(|&place| self.estimate(place, at, context, &mut tell));
        }
    }

    /// Estimates a link; calls `tell` with its state, if that changed.
    fn estimate(
        &mut self,
        place: u32,
        at: Timestamp,
        context: &Context<'_>,
        tell: &mut impl FnMut(u32, &Told),
    ) {
        let cell = &mut self.cells[place as usize];
        cell.estimate(at, &self.typical, &self.health, context);
        self.rota.estimated(place, at, cell);
        if let Some(told) = cell.news(at, &self.typical, context) {
            tell(cell.link, &told);
        }
    }

    /// Estimates the links that heard something and those whose readings have aged, and keeps a copy of what changed for the
    /// graph stage.
    pub(crate) fn estimate_due(
        &mut self,
        at: Timestamp,
        context: &Context<'_>,
        mut tell: impl FnMut(u32, &Told),
    ) {
        let learns = at.as_millis() % LEARN_EVERY_MS == 0;
        let mut minute = Learned::default();
        let due = self.rota.due(&self.cells, at, learns);
        let (mut own, mut signs) = (Vec::with_capacity(due.len()), Vec::new());
        for few in due.chunks(AT_ONCE) {
            self.fetch_cells(few.iter().map(|(place, _)| *place), context);
            for &(place, turn) in few {
                if turn == Turn::Estimate {
                    self.estimate(place, at, context, &mut tell);
                }
                if turn != Turn::Live {
                    let cell = &mut self.cells[place as usize];
                    own.extend(cell.hand().map(|own| (cell.link, own)));
                    signs.extend(cell.hand_signs(&self.health, context).map(|signs| (cell.link, signs)));
                    self.rota.handed(place);
                }
                if learns {
                    self.learn(place, at, &mut minute, context);
                }
            }
        }
        if learns {
            self.end_minute(at, &minute, context);
        }
        let faults = self.health.judge(at, context);
        let turned = self.journeys.turned(at);
        let pair_times = std::mem::take(&mut self.pair_times);
        let (partition, typical) = (self.number, self.typical);
        self.frozen.push_back(Frozen { at, partition, typical, own, faults, turned, pair_times, signs });
    }

    /// Asks for the memory of the next few cells at once, so that the misses of the cache overlap: a link's readings lie wherever it was
    /// heard of first, and waiting for them one after the other takes as long as half of the estimates.
    fn fetch_cells(&self, few: impl Iterator<Item = u32> + Clone, context: &Context<'_>) {
        let next = || few.clone().map(|place| &self.cells[place as usize]);
        next().for_each(Cell::fetch);
        next().for_each(Cell::fetch_readings);
        next().for_each(|cell| cell.fetch_others(&self.health, context));
    }

    /// Learns from the newest minute of a link.
    fn learn(&mut self, place: u32, at: Timestamp, minute: &mut Learned, context: &Context<'_>) {
        let cell = &mut self.cells[place as usize];
        let (site, parts, own) = (&context.sites[cell.link as usize], &context.config.parts, cell.own);
        if parts.typical_learning
            && let Some((seen_s, weight)) = cell.seen_s(at, &self.typical, &self.health, context)
        {
            let here = self.typical.here(&own, site, parts);
            self.typical.learn(&here, site, seen_s, weight, own.belief.jammed);
            if site.has_signal() {
                minute.signals.add(&own, site, weight);
            }
        }
        self.health.compare(at, &cell.minute(at, context), site, context.devices);
        cell.learn_free_flow(at, context);
        if parts.variances {
            let pairs = cell.pairs(at, &self.typical, &self.health, context);
            self.health.learn_scatter(&pairs, site);
        }
        if own.counts() {
            minute.jammed += own.belief.jammed;
            minute.heard += 1.0;
            self.typical.learn_probes(own.probes.driven_kmh, own.flow_vph * site.length_m / 1000.0);
        }
    }

    /// Learns what all links of the minute say together.
    fn end_minute(&mut self, at: Timestamp, minute: &Learned, context: &Context<'_>) {
        self.typical.fade_probes();
        self.fleet.forget(at);
        if context.config.parts.typical_learning {
            self.typical.learn_share(minute.jammed, minute.heard);
            self.typical.learn_signals(&minute.signals);
        }
    }

    /// Returns what was last told of a link by its own sensors.
    pub(crate) fn told(&self, link: u32) -> Told {
        self.places.get(&link).map_or(Told::NOTHING, |&place| self.cells[place as usize].told)
    }

    /// Returns what is kept of a link that has heard something.
    pub(crate) fn cell(&self, link: u32) -> Option<&Cell> {
        self.places.get(&link).map(|&place| &self.cells[place as usize])
    }

    pub(crate) fn health(&self) -> &Health {
        &self.health
    }

    /// Returns the name of a sensor that the registry does not know.
    pub(crate) fn stranger_named(&self, number: u32) -> Option<SensorId> {
        self.strangers.iter().find(|(_, known)| **known == number).map(|(sensor, _)| sensor.clone())
    }

    /// Returns where the link of an observation is; `None` when the network does not know it.
    fn place_of(
        &mut self,
        sensor: Option<u32>,
        observation: &Observation,
        context: &Context<'_>,
    ) -> Option<Place> {
        let source = sensor
            .and_then(|sensor| self.sources.find(sensor, context.devices.get(sensor as usize), self.number));
        let spoke_of = source.and_then(|source| source.spoke_of.as_ref());
        if let Some((_, place)) = spoke_of.filter(|(link, _)| *link == observation.link) {
            return Some(*place);
        }
        let link = context.network.find(observation.link.as_str())?.0;
        let next = self.cells.len() as u32;
        let cell = *self.places.entry(link).or_insert(next);
        if cell == next {
            self.cells.push(Cell::new(link));
        }
        Some(Place { link, cell })
    }

    /// Numbers a sensor that the registry does not know.
    fn stranger(&mut self, sensor: &SensorId, registry: &Registry) -> u32 {
        let next = (registry.sensors().len() + self.strangers.len()) as u32;
        *self.strangers.entry(sensor.clone()).or_insert(next)
    }

    pub(crate) fn save(&self) -> Saved<'_> {
        let mut strangers: Vec<_> = self.strangers.iter().collect();
        strangers.sort_unstable_by_key(|&(_, number)| *number);
        Saved {
            number: self.number,
            clock: self.clock,
            next: self.next,
            identities: self.identities.save(),
            sources: self.sources.save(),
            health: Cow::Borrowed(&self.health),
            journeys: self.journeys.save(),
            fleet: self.fleet.save(),
            pair_times: self.pair_times.clone(),
            strangers: strangers.into_iter().map(|(sensor, _)| sensor.clone()).collect(),
            cells: Cow::Borrowed(&self.cells),
            rota: Cow::Borrowed(&self.rota),
            frozen: Cow::Borrowed(&self.frozen),
            typical: self.typical,
        }
    }

    pub(crate) fn load(saved: Saved<'_>, known_sensors: usize) -> Self {
        Self {
            number: saved.number,
            clock: saved.clock,
            next: saved.next,
            identities: Identities::load(saved.identities),
            sources: Sources::load(saved.sources),
            health: saved.health.into_owned(),
            journeys: Journeys::load(saved.journeys),
            fleet: Fleet::load(saved.fleet),
            pair_times: saved.pair_times,
            strangers: saved.strangers.into_iter().zip(known_sensors as u32..).collect(),
            places: saved.cells.iter().map(|cell| cell.link).zip(0..).collect(),
            cells: saved.cells.into_owned(),
            rota: saved.rota.into_owned(),
            frozen: saved.frozen.into_owned(),
            typical: saved.typical,
        }
    }
}

/// Returns a travel time between two sensors of the registry.
fn pair_time(travel: &TravelTime, at: Timestamp, registry: &Registry) -> Option<PairTime> {
    /// A device that does not tell how many it knew again tells of one.
    const ONE: f32 = 1.0;
    let number = |sensor: &SensorId| Some(registry.find(sensor.as_str())?.0.0);
    let (from, to) = (number(&travel.from_sensor)?, number(&travel.to_sensor)?);
    let vehicles = travel.vehicles.map_or(ONE, |n| n as f32);
    let sound = travel.seconds.is_finite() && travel.seconds > 0.0;
    sound.then_some(PairTime { from, to, at: at.as_millis(), seconds: travel.seconds, vehicles })
}
