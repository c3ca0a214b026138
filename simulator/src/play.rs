//! One scenario as it happens, second by second: traffic moves, incidents begin, devices speak, the truth is noted.

use std::num::NonZeroUsize;

use model::Timestamp;
use roadnet::{LinkIndex, RoadClass};

use crate::city::City;
use crate::event::Message;
use crate::random::{Draw, Stream};
use crate::scenario::{PlannedIncident, Scenario};
use crate::sensing::Sensing;
use crate::traffic::{Incident, Traffic};
use crate::truth::{Truth, TruthError};

/// A scenario under way.
pub(crate) struct Play<'a> {
    city: &'a City,
    scenario: &'a Scenario,
    seed: u64,
    traffic: Traffic<'a>,
    sensing: Sensing<'a>,
    truth: Option<Truth>,
    second: u64,
}

/// What happened in one second.
#[derive(Debug)]
pub(crate) struct Moment {
    /// Seconds since the beginning.
    pub(crate) second: u64,
    /// Events that arrived, in order of arrival.
    pub(crate) messages: Vec<Message>,
    /// Vehicles on the roads.
    pub(crate) vehicles: u64,
}

/// Traffic that has been warmed up and waits for its first seen second.
pub(crate) fn warm_up<'a>(
    city: &'a City,
    scenario: &'a Scenario,
    seed: u64,
    threads: NonZeroUsize,
    mut go_on: impl FnMut() -> bool,
) -> Traffic<'a> {
    let hour = scenario.start_hour - scenario.warmup_s as f64 / 3600.0;
    let mut traffic = Traffic::new(city, seed, scenario.demand, hour, threads);
    for _ in 0..scenario.warmup_s {
        if !go_on() {
            break;
        }
        traffic.step();
    }
    for link in city.network.indices() {
        traffic.take_tally(link);
    }
    traffic
}

impl<'a> Play<'a> {
    pub(crate) fn new(
        city: &'a City,
        scenario: &'a Scenario,
        seed: u64,
        traffic: Traffic<'a>,
        starts: Timestamp,
        truth: Option<Truth>,
    ) -> Result<Self, TruthError> {
        let sensing = Sensing::new(city, scenario, seed, starts);
        if let Some(truth) = &truth {
            truth.faults(city, sensing.faults())?;
        }
        Ok(Self { city, scenario, seed, traffic, sensing, truth, second: 0 })
    }

    /// Plays the next second; `None` after the scenario's last.
    pub(crate) fn next(&mut self) -> Result<Option<Moment>, TruthError> {
        let duration = self.scenario.duration_s;
        if duration > 0 && self.second >= duration {
            return Ok(None);
        }
        self.begin_incidents()?;
        self.traffic.step();
        self.second += 1;
        let messages = self.sensing.look(&self.traffic, self.second);
        if self.second.is_multiple_of(60)
            && let Some(truth) = &mut self.truth
        {
            truth.minute(self.city, &mut self.traffic, self.second)?;
        }
        let vehicles = self.traffic.census().on_links;
        Ok(Some(Moment { second: self.second, messages, vehicles }))
    }

    /// Ends it: returns the events still under way and closes the truth.
    pub(crate) fn end(mut self) -> Result<Vec<Message>, TruthError> {
        if let Some(truth) = self.truth.take() {
            truth.close()?;
        }
        Ok(self.sensing.rest())
    }

    fn begin_incidents(&mut self) -> Result<(), TruthError> {
        for (i, planned) in self.scenario.incident.iter().enumerate() {
            let Some(time) = planned.times_begun(self.second) else { continue };
            // The scenario was checked against the city before; a place that is not there begins nothing.
            let Ok(told) = planned.link(&self.city.network) else { continue };
            let mut draw = Draw::new(self.seed, Stream::Incident, i as u64, time);
            let Some(link) = told.or_else(|| any_artery(self.city, &mut draw)) else { continue };
            let starts = self.traffic.second();
            let incident = Incident {
                link,
                at_m: planned.position * f64::from(self.city.network.link(link).length_m),
                start_s: starts,
                end_s: starts + planned.duration_s,
                lanes: planned.lanes,
            };
            if let Some(truth) = &mut self.truth {
                truth.incident(self.city, &incident, self.second)?;
            }
            self.traffic.plan_incident(incident);
        }
        Ok(())
    }
}

impl PlannedIncident {
    /// Returns which time it begins in this second, 0 the first time; `None` when it does not.
    fn times_begun(&self, second: u64) -> Option<u64> {
        let since = second.checked_sub(self.start_s)?;
        match self.every_s {
            0 => (since == 0).then_some(0),
            every => since.is_multiple_of(every).then_some(since / every),
        }
    }
}

fn any_artery(city: &City, draw: &mut Draw) -> Option<LinkIndex> {
    let arteries: Vec<LinkIndex> = city
        .network
        .indices()
        .filter(|&link| {
            let road = city.network.link(link);
            (RoadClass::Trunk..=RoadClass::Secondary).contains(&road.class)
                && road.lanes >= 2.0
                && (150.0..1500.0).contains(&road.length_m)
        })
        .collect();
    arteries.get(draw.below(arteries.len())).copied()
}
