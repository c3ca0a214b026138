//! An analyser with windows as full as they are in service, and what is done to it.

use std::hint::black_box;

use anyhow::{Context as _, Result};
use congestion::{AT_ONCE, Analyzer, Config};
use model::{LinkState, Observation, Timestamp};

use super::{GRAPH_MS, STATES_MS};
use crate::fixture::{self, City};
use crate::table::{Table, cpu_s, duration, median, median_of};

/// Loops report every 30 s.
const PERIOD_MS: i64 = 30_000;
/// Readings of each loop in five minutes.
const READINGS: i64 = 10;
/// Ticks measured of which the median is kept.
const TICKS: usize = 5;
/// A checkpoint is written every 20 s, so half of that is to be folded again on average.
const TAIL_S: i64 = 10;

/// How many loops report before a tick.
#[derive(Clone, Copy)]
pub(super) enum Heard {
    All,
    OneIn(usize),
}

pub(super) struct Rig<'a> {
    city: &'a City,
    analyzer: Analyzer,
    /// One of each loop, in random order, as they arrive.
    observations: Vec<Observation>,
    seq: u64,
    at_ms: i64,
    told: usize,
}

impl<'a> Rig<'a> {
    pub(super) fn new(city: &'a City) -> Self {
        let analyzer = Analyzer::new(city.network.clone(), city.registry.clone(), Config::default(), &[0], 1);
        let now = fixture::now().floor(60_000);
        let mut loops: Vec<_> = city.registry.sensors().iter().filter_map(|sensor| sensor.link).collect();
        loops.sort_by_key(|link| link.0.wrapping_mul(0x9E37_79B9));
        let observations =
            loops.into_iter().map(|link| fixture::observation(&city.network, link, 0, now)).collect();
        let mut rig = Self { city, analyzer, observations, seq: 1000, at_ms: now.as_millis(), told: 0 };
        rig.fill_windows();
        rig
    }

    /// Gives each link the readings of five minutes at once, the newest first, so that no clock looks wrong.
    fn fill_windows(&mut self) {
        let received_at = Timestamp::from_millis(self.at_ms);
        self.analyzer.advance(0, received_at);
        for back in 0..READINGS {
            let (at, seq) = (received_at.plus_millis(-back * PERIOD_MS), self.seq - back as u64);
            for (i, observation) in self.observations.iter_mut().enumerate() {
                set(observation, i, seq, at);
                observation.received_at = received_at;
                self.analyzer.observe(0, observation);
            }
        }
        self.advance_to(self.at_ms + 2 * GRAPH_MS);
    }

    /// Bytes a link of the readings that are kept: what the windows hold at least.
    pub(super) fn readings_bytes(&self) -> usize {
        /// Ten numbers a reading: when, who, and six values.
        const READING: usize = 48;
        READINGS as usize * READING
    }

    pub(super) fn name(&self, table: &mut Table, what: &str, figure: String) {
        table.figure(&format!("{what}, {} links", self.city.network.links().len()), figure, "-");
    }

    pub(super) fn row(&self, table: &mut Table, what: &str, seconds: f64, floor: (&str, f64), bar: &str) {
        let what = format!("{what}, {} links", self.city.network.links().len());
        table.time(&what, seconds, Some(floor), bar);
    }

    fn advance_to(&mut self, at_ms: i64) {
        self.at_ms = at_ms;
        let changes = black_box(self.analyzer.advance(0, Timestamp::from_millis(at_ms)));
        self.told = changes.states.len();
    }

    /// Makes the readings new ones, received now.
    fn renew(&mut self) {
        self.seq += 1;
        let at = Timestamp::from_millis(self.at_ms);
        for (i, observation) in self.observations.iter_mut().enumerate() {
            set(observation, i, self.seq, at);
        }
    }

    fn observe(&mut self, heard: Heard) {
        let every = match heard {
            Heard::All => 1,
            Heard::OneIn(n) => n,
        };
        let coming: Vec<&Observation> = self.observations.iter().step_by(every).collect();
        for few in coming.chunks(AT_ONCE) {
            self.analyzer.prepare(0, few.iter().copied());
            few.iter().for_each(|observation| self.analyzer.observe(0, observation));
        }
    }

    /// Seconds an observation.
    pub(super) fn observe_all(&mut self) -> f64 {
        let runs = (0..TICKS).map(|_| {
            self.advance_to(self.at_ms + PERIOD_MS);
            self.renew();
            let start = cpu_s();
            self.observe(Heard::All);
            (cpu_s() - start) / self.observations.len() as f64
        });
        median(runs.collect())
    }

    pub(super) fn copy_observations(&self) -> f64 {
        median_of(self.observations.len(), || {
            for observation in &self.observations {
                black_box(observation.clone());
            }
        })
    }

    /// Seconds a tick at a boundary of that step, after some loops reported.
    pub(super) fn tick(&mut self, step_ms: i64, heard: Heard) -> f64 {
        let runs = (0..TICKS).map(|_| {
            // Just before the next boundary of that step and of no longer one.
            let next =
                (self.at_ms / GRAPH_MS + 1) * GRAPH_MS + if step_ms == GRAPH_MS { GRAPH_MS } else { step_ms };
            self.advance_to(next - step_ms.min(STATES_MS) + 1);
            self.renew();
            self.observe(heard);
            let start = cpu_s();
            self.advance_to(next + 1);
            cpu_s() - start
        });
        median(runs.collect())
    }

    /// Seconds to copy as many states as a tick tells at most.
    pub(super) fn copy_told(&self, heard: Heard) -> f64 {
        let told = match heard {
            Heard::All => self.observations.len(),
            Heard::OneIn(n) => self.observations.len() / n,
        };
        let states = vec![0_u8; told * size_of::<LinkState>()];
        let mut copy = vec![0_u8; states.len()];
        median_of(1, || {
            copy.copy_from_slice(&states);
            black_box(&copy);
        })
    }

    /// Seconds an observation, with all the ticks of the 30 s in which each loop reports once.
    pub(super) fn replay(&mut self) -> f64 {
        self.play(PERIOD_MS) / self.observations.len() as f64
    }

    /// Plays some of a period, in which each loop reports once, one after the other; returns the seconds that it took.
    fn play(&mut self, for_ms: i64) -> f64 {
        self.seq += 1;
        let (start_ms, count) = (self.at_ms, self.observations.len() as i64);
        let heard = (count * for_ms / PERIOD_MS) as usize;
        let stamp = |i: usize| Timestamp::from_millis(start_ms + i as i64 * PERIOD_MS / count);
        for (i, observation) in self.observations.iter_mut().enumerate() {
            set(observation, i, self.seq, stamp(i));
        }
        let start = cpu_s();
        for few in self.observations[..heard].chunks(AT_ONCE) {
            self.analyzer.prepare(0, few);
            for observation in few {
                black_box(self.analyzer.advance(0, observation.received_at));
                self.analyzer.observe(0, observation);
            }
        }
        self.advance_to(start_ms + for_ms);
        cpu_s() - start
    }

    /// A checkpoint, and what it takes to go on from it.
    pub(super) fn recovery(&mut self, table: &mut Table) -> Result<()> {
        let start = cpu_s();
        let bytes = self.analyzer.checkpoint();
        let write = cpu_s() - start;
        let copy = median_of(1, || drop(black_box(bytes.clone())));
        self.row(table, "checkpoint, written", write, ("copy its bytes", copy), "-");
        let start = cpu_s();
        let (network, registry) = (self.city.network.clone(), self.city.registry.clone());
        let restored = Analyzer::restore(network, registry, Config::default(), &bytes);
        let read = cpu_s() - start;
        self.analyzer = restored.context("its own checkpoint")?;
        let tail = self.play(TAIL_S * 1000);
        let megabytes = bytes.len() as f64 / 1e6;
        let what = format!(
            "recovery: {} to read {megabytes:.0} MB, {} for a tail of {TAIL_S} s",
            duration(read),
            duration(tail)
        );
        let bar = if self.city.network.links().len() > 900_000 { "2 s" } else { "-" };
        self.row(table, &what, read + tail, ("copy its bytes", copy), bar);
        Ok(())
    }
}

/// Makes an observation of loop `i` a new one, received at once.
fn set(observation: &mut Observation, i: usize, seq: u64, at: Timestamp) {
    (observation.at, observation.received_at, observation.seq) = (at, at, Some(seq));
    observation.reading = fixture::reading(i as u64, seq);
}

/// Memory of this process, bytes.
pub(super) fn resident_bytes() -> Result<f64> {
    let status = std::fs::read_to_string("/proc/self/status").context("reading /proc/self/status")?;
    let resident =
        status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("the kernel tells it")?;
    let kilobytes: f64 = resident.trim().trim_end_matches(" kB").trim().parse()?;
    Ok(kilobytes * 1024.0)
}
