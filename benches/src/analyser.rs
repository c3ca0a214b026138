//! The analyser: one observation, one tick, at 10 k and 100 k links.

use std::time::Instant;

use anyhow::Result;
use congestion::Analyzer;
use model::Observation;

use crate::fixture::{self, City};
use crate::table::{Table, median_of};

/// The analyser's step of log time, ms.
const BOUNDARY_MS: i64 = 250;
/// Ticks measured of which the median is kept.
const TICKS: usize = 15;

pub(crate) fn measure(table: &mut Table) -> Result<()> {
    for links in [10_000, 100_000] {
        let city = fixture::city(links)?;
        let mut rig = Rig::new(&city);
        let observe = rig.observe_all();
        let copy = rig.copy_observations();
        table.time(&format!("observe, {links} links"), observe, Some(("copy the observation", copy)), "1 µs");
        let full = rig.tick(1);
        let incremental = rig.tick(20);
        let states = rig.copy_states();
        table.time(
            &format!("tick, {links} links, all heard"),
            full,
            Some(("memcpy of the states", states)),
            "-",
        );
        table.time(
            &format!("tick, {links} links, 5 % heard"),
            incremental,
            Some(("memcpy of the states", states)),
            "-",
        );
    }
    Ok(())
}

struct Rig {
    analyzer: Analyzer,
    observations: Vec<Observation>,
    round: u64,
    at_ms: i64,
}

impl Rig {
    fn new(city: &City) -> Self {
        let config = congestion::Config::default();
        let analyzer = Analyzer::new(city.network.clone(), city.registry.clone(), config, &[0], 1);
        let now = fixture::now();
        let observations =
            city.network.indices().map(|link| fixture::observation(&city.network, link, 0, now)).collect();
        let mut rig = Self { analyzer, observations, round: 0, at_ms: now.as_millis() };
        // Five minutes of readings, so that the windows are as full as they are in service.
        for _ in 0..10 {
            rig.next_round(30_000);
            rig.observe(1);
        }
        rig
    }

    /// Moves all readings on in time and makes them new.
    fn next_round(&mut self, step_ms: i64) {
        self.round += 1;
        self.at_ms += step_ms;
        let at = model::Timestamp::from_millis(self.at_ms);
        for observation in &mut self.observations {
            (observation.at, observation.received_at, observation.seq) = (at, at, Some(self.round));
        }
        std::hint::black_box(self.analyzer.advance(0, at));
    }

    fn observe(&mut self, every: usize) {
        for observation in self.observations.iter().step_by(every) {
            self.analyzer.observe(0, observation);
        }
    }

    /// Seconds an observation.
    fn observe_all(&mut self) -> f64 {
        let mut runs: Vec<f64> = (0..TICKS)
            .map(|_| {
                self.next_round(30_000);
                let start = Instant::now();
                self.observe(1);
                start.elapsed().as_secs_f64() / self.observations.len() as f64
            })
            .collect();
        runs.sort_by(f64::total_cmp);
        runs[TICKS / 2]
    }

    fn copy_observations(&self) -> f64 {
        median_of(self.observations.len(), || {
            for observation in &self.observations {
                std::hint::black_box(observation.clone());
            }
        })
    }

    /// Seconds a tick after every `every`th link heard something.
    fn tick(&mut self, every: usize) -> f64 {
        let mut runs: Vec<f64> = (0..TICKS)
            .map(|_| {
                self.next_round(BOUNDARY_MS);
                self.observe(every);
                self.at_ms += BOUNDARY_MS;
                let start = Instant::now();
                std::hint::black_box(self.analyzer.advance(0, model::Timestamp::from_millis(self.at_ms)));
                start.elapsed().as_secs_f64()
            })
            .collect();
        runs.sort_by(f64::total_cmp);
        runs[TICKS / 2]
    }

    fn copy_states(&self) -> f64 {
        let states = vec![0_u8; self.analyzer.snapshot().count() * size_of::<model::LinkState>()];
        let mut copy = vec![0_u8; states.len()];
        median_of(1, || {
            copy.copy_from_slice(&states);
            std::hint::black_box(&copy);
        })
    }
}
