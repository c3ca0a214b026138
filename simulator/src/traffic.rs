//! Traffic on a network, second by second.
//!
//! Each link holds its vehicles in line ([`Stream`]); at each junction the first ones go on where signals, capacity and
//! room allow it (in `junction`); trips begin and end in zones. Vehicles are whole and each is in exactly one place, so
//! none is lost or made. Random numbers are asked by (seed, entity, second), and links move independently of each
//! other, so that any number of threads gives the same traffic.

mod demand;
mod flow;
mod incident;
mod junction;
mod profile;
mod routes;
mod signals;
mod stream;
mod tally;
#[cfg(test)]
mod tests;
mod vehicle;

use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::thread;

use model::SignalState;
use roadnet::LinkIndex;

use crate::city::City;
use crate::random::{Draw, Stream as Numbers};
use demand::Demand;
use junction::Junction;

pub use flow::FundamentalDiagram;
pub use incident::Incident;
pub use signals::{Phase, SignalPlan};
pub use stream::Stream;
pub use tally::Tally;
pub use vehicle::Vehicle;

pub(crate) use stream::{STANDING_MPS, STEP_S};
pub(crate) use vehicle::length_m as vehicle_length_m;

/// Below this many links more threads cost more than they bring; tests want to see more than one.
const LINKS_PER_THREAD: usize = if cfg!(test) { 100 } else { 20_000 };

/// Drivers hear of the traffic so often; each time those of another set of trees look for better ways.
const LEARN_EVERY_S: u64 = 90;
/// How much of the newest travel time goes into what drivers believe.
const LEARNING: f64 = 0.35;
/// A link that stands is believed to move at a walk some time.
const SLOWEST_MPS: f64 = 0.6;
/// In larger cities drivers keep to what they know: new trees would cost more than the traffic.
const MOST_LINKS_TO_LEARN: usize = 3000;
/// Vehicles that wait at a zone for room on their first link; more don't set out.
const LONGEST_WAIT: usize = 40;

/// All vehicles of a city.
#[derive(Debug)]
pub struct Traffic<'a> {
    city: &'a City,
    seed: u64,
    threads: NonZeroUsize,
    start_hour: f64,
    second: u64,
    streams: Vec<Stream>,
    junctions: Vec<Junction>,
    plans: Vec<SignalPlan>,
    /// Per link: its signal plan and phase.
    phases: Vec<Option<(u32, u32)>>,
    demand: Demand,
    /// Per zone: trips that wait for room on their first link.
    waiting: Vec<VecDeque<(Vehicle, LinkIndex)>>,
    /// Per link: seconds that drivers believe it takes, from what it took lately.
    believed_s: Vec<f64>,
    incidents: Vec<Incident>,
    began: u64,
    ended: u64,
}

/// How many vehicles there are and were.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Census {
    /// Trips that began, waiting ones included.
    pub began: u64,
    /// Trips that reached their end.
    pub ended: u64,
    /// Vehicles on links.
    pub on_links: u64,
    /// Vehicles that wait to enter their first link.
    pub waiting: u64,
}

impl<'a> Traffic<'a> {
    /// Returns an empty city at `start_hour` of the day, with `level` times the usual traffic to come.
    pub fn new(city: &'a City, seed: u64, level: f64, start_hour: f64, threads: NonZeroUsize) -> Self {
        let network = &city.network;
        let (demand, load) = Demand::new(city, seed, level);
        let junctions = Junction::all(network);
        let plans: Vec<SignalPlan> = junctions
            .iter()
            .filter(|j| network.node(j.node).signal)
            .filter_map(|j| SignalPlan::of_approaches(network, j.node, &j.arriving, |l| load[l.index()]))
            .collect();
        let mut phases = vec![None; network.links().len()];
        for (p, plan) in plans.iter().enumerate() {
            for (i, phase) in plan.phases.iter().enumerate() {
                phase.links.iter().for_each(|l| phases[l.index()] = Some((p as u32, i as u32)));
            }
        }
        let streams = network.indices().map(|link| Self::stream(city, seed, link)).collect();
        let waiting = vec![VecDeque::new(); city.zones.len()];
        Self {
            city,
            seed,
            threads,
            start_hour,
            second: 0,
            streams,
            junctions,
            plans,
            phases,
            demand,
            waiting,
            believed_s: network.indices().map(|link| demand::free_seconds(network, link)).collect(),
            incidents: Vec::new(),
            began: 0,
            ended: 0,
        }
    }

    /// Drivers keep to a little below the limit; each street has its own habit.
    fn stream(city: &City, seed: u64, link: LinkIndex) -> Stream {
        let road = city.network.link(link);
        let mut draw = Draw::new(seed, Numbers::City, u64::from(link.0), u64::MAX);
        let free = f64::from(road.speed_limit_kmh) / 3.6 * draw.between(0.88, 1.0);
        Stream::new(FundamentalDiagram::of_width(free, f64::from(road.width_m)), f64::from(road.length_m))
    }

    /// Plans an incident; it blocks its lanes from its start to its end.
    pub fn plan_incident(&mut self, incident: Incident) {
        self.incidents.push(incident);
    }

    /// Moves everything by one second.
    pub fn step(&mut self) {
        incident::apply(&self.incidents, self.city, self.second, &mut self.streams);
        self.streams.iter_mut().for_each(Stream::open);
        self.begin_trips();
        for i in 0..self.junctions.len() {
            self.cross(i);
        }
        self.release();
        self.advance();
        self.second += 1;
        if self.second.is_multiple_of(LEARN_EVERY_S) && self.streams.len() <= MOST_LINKS_TO_LEARN {
            self.learn();
        }
    }

    /// Lets drivers hear how long links take now, and those of one set of trees look for better ways.
    fn learn(&mut self) {
        for (link, stream) in self.city.network.indices().zip(&self.streams) {
            let free = demand::free_seconds(&self.city.network, link);
            let n = stream.vehicles.len() as f64;
            let mean_mps = stream.vehicles.iter().map(|v| v.speed_mps).sum::<f64>() / n.max(1.0);
            let now = if n > 0.0 { (stream.length_m / mean_mps.max(SLOWEST_MPS)).max(free) } else { free };
            let believed = &mut self.believed_s[link.index()];
            *believed += (now - *believed) * LEARNING;
        }
        let set = (self.second / LEARN_EVERY_S) as usize % self.demand.sets().max(1);
        self.demand.grow_set(&self.city.network, set, &self.believed_s);
    }

    fn begin_trips(&mut self) {
        for departure in self.demand.departures(self.second, self.hour()) {
            if self.waiting[departure.zone].len() >= LONGEST_WAIT {
                // Who sees the street full before the door stays at home: the trip never begins.
                continue;
            }
            self.began += 1;
            let vehicle = Vehicle {
                id: self.began,
                class: departure.class,
                at_m: 0.0,
                was_m: 0.0,
                speed_mps: 0.0,
                tree: departure.tree,
                arriving: None,
                blocked_s: 0,
            };
            self.waiting[departure.zone].push_back((vehicle, departure.first));
        }
    }

    /// Lets waiting trips begin where their first link has room; who waits for another link holds nobody up.
    fn release(&mut self) {
        for queue in &mut self.waiting {
            let mut place = 0;
            while let Some(&(vehicle, first)) = queue.get(place) {
                let stream = &mut self.streams[first.index()];
                if stream.admits() {
                    stream.set_out(vehicle);
                    queue.remove(place);
                } else {
                    place += 1;
                }
                if place > 8 {
                    break;
                }
            }
        }
    }

    fn advance(&mut self) {
        let threads = self.threads.get().min(self.streams.len() / LINKS_PER_THREAD).max(1);
        let share = self.streams.len().div_ceil(threads).max(1);
        let move_all = |streams: &mut [Stream]| {
            let mut scratch = Vec::new();
            streams.iter_mut().for_each(|stream| stream.advance(&mut scratch));
        };
        if threads == 1 {
            return move_all(&mut self.streams);
        }
        thread::scope(|scope| {
            for chunk in self.streams.chunks_mut(share) {
                scope.spawn(move || move_all(chunk));
            }
        });
    }

    /// Returns the hour of the scenario's day.
    pub fn hour(&self) -> f64 {
        self.start_hour + self.second as f64 / 3600.0
    }

    /// Returns how many seconds have passed.
    pub fn second(&self) -> u64 {
        self.second
    }

    /// Returns the links' vehicles; a [`LinkIndex`] is a place in this slice.
    pub fn streams(&self) -> &[Stream] {
        &self.streams
    }

    /// Returns the signal plans.
    pub fn plans(&self) -> &[SignalPlan] {
        &self.plans
    }

    /// Returns the incidents that were planned.
    pub fn incidents(&self) -> &[Incident] {
        &self.incidents
    }

    /// Returns what the traffic light at the link's end shows, with its cycle; `None` where there is none.
    pub fn signal(&self, link: LinkIndex) -> Option<(SignalState, u32)> {
        let (plan, phase) = self.phases[link.index()]?;
        let plan = &self.plans[plan as usize];
        Some((plan.shows(phase as usize, self.second), plan.cycle_s))
    }

    /// Returns what happened on the link since the last call, and forgets it.
    pub fn take_tally(&mut self, link: LinkIndex) -> Tally {
        std::mem::take(&mut self.streams[link.index()].tally)
    }

    /// Counts all vehicles.
    pub fn census(&self) -> Census {
        Census {
            began: self.began,
            ended: self.ended,
            on_links: self.streams.iter().map(|s| s.vehicles.len() as u64).sum(),
            waiting: self.waiting.iter().map(|w| w.len() as u64).sum(),
        }
    }
}
