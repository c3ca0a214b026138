//! Removes what can't be.
//!
//! One impossible value does not condemn the others: it is removed and [`Quality::VALUE_REMOVED`] says so. When
//! nothing is left, the event is rejected. -1 (and 255 km/h) are how devices write "not measured": such a value is
//! absent, without a flag. The limits are physical, not statistical: a value that is only unlikely stays, and the
//! analyser judges it. Counts are limited by what a wide road can carry, not by what a lane of cars can: one direction
//! of a four-lane street in Hanoi carries 24,335 motorcycles an hour (ASCE JTE 138(6), 2012).

use std::ops::RangeInclusive;

use model::{Aggregate, ClassCounts, Passage, Probe, Quality, Queue, Reading, Signal, TravelTime};

use super::Decoded;
use crate::{Reason, Reject};

/// Faster than any road vehicle in traffic.
const SPEED_KMH: RangeInclusive<f32> = 0.0..=250.0;
const OCCUPANCY: RangeInclusive<f32> = 0.0..=1.0;
/// The longest queues reported anywhere are tens of kilometres.
const QUEUE_M: RangeInclusive<f32> = 0.0..=50_000.0;
const HEADWAY_S: RangeInclusive<f32> = 0.0..=86_400.0;
/// From a bicycle to a road train.
const LENGTH_M: RangeInclusive<f32> = 0.5..=60.0;
const HEADING_DEG: RangeInclusive<f32> = 0.0..=360.0;
/// Longer sums are no traffic data.
const PERIOD_S: RangeInclusive<f32> = 0.001..=86_400.0;
const CYCLE_S: RangeInclusive<f32> = 1.0..=3_600.0;
const TRAVEL_S: RangeInclusive<f32> = 0.001..=86_400.0;
const CONFIDENCE: RangeInclusive<f32> = 0.0..=1.0;
/// No carriageway has more.
const LANES: RangeInclusive<f64> = 1.0..=16.0;
/// Seven times the densest motorcycle flow measured (6.8 a second).
const VEHICLES_PER_S: f32 = 50.0;
/// What a burst may add to that in a short period.
const VEHICLES_AT_ONCE: f32 = 100.0;

/// Removes impossible values.
///
/// # Errors
/// [`Reason::NothingMeasured`] when nothing is left; [`Reason::BadPosition`]; [`Reason::BadValue`].
pub(super) fn screen(mut decoded: Decoded) -> Result<Decoded, Reject> {
    let mut screen = Screen { removed: decoded.quality.has(Quality::VALUE_REMOVED) };
    screen.keep(&mut decoded.header.period_s, PERIOD_S);
    let period_s = decoded.header.period_s;
    match &mut decoded.reading {
        Reading::Aggregate(aggregate) => screen.aggregate(aggregate, period_s)?,
        Reading::Passage(passage) => screen.passage(passage),
        Reading::Probe(probe) => screen.probe(probe)?,
        Reading::Queue(queue) => screen.queue(queue)?,
        Reading::TravelTime(travel) => screen.travel_time(travel)?,
        Reading::Signal(Signal { cycle_s, .. }) => screen.keep(cycle_s, CYCLE_S),
        Reading::Alert(alert) => screen.keep(&mut alert.confidence, CONFIDENCE),
    }
    if screen.removed {
        decoded.quality = decoded.quality.with(Quality::VALUE_REMOVED);
    }
    Ok(decoded)
}

/// Reads a lane's number; -1 is "not told".
pub(super) fn lane(lane: Option<f64>) -> Result<Option<u8>, Reject> {
    match lane {
        None => Ok(None),
        Some(-1.0) => Ok(None),
        Some(n) if LANES.contains(&n) && n.fract() == 0.0 => Ok(Some(n as u8)),
        Some(n) => {
            Err(Reject::new(Reason::BadLane, format!("lane {n} is not 1 to 16 (1 = nearest the kerb)")))
        }
    }
}

struct Screen {
    removed: bool,
}

impl Screen {
    fn keep(&mut self, value: &mut Option<f32>, range: RangeInclusive<f32>) {
        let Some(number) = *value else { return };
        if range.contains(&number) {
            return;
        }
        *value = None;
        self.removed |= number != NOT_MEASURED;
    }

    fn speed(&mut self, value: &mut Option<f32>) {
        /// An unsigned byte's way to say -1.
        const NOT_MEASURED_BYTE: f32 = 255.0;
        if *value == Some(NOT_MEASURED_BYTE) {
            *value = None;
        }
        self.keep(value, SPEED_KMH);
    }

    fn counts(&mut self, counts: &mut Option<ClassCounts>, period_s: Option<f32>) {
        /// Where the period is not told, it is at most this long.
        const LONGEST_S: f32 = 3_600.0;
        let limit = VEHICLES_AT_ONCE + VEHICLES_PER_S * period_s.unwrap_or(LONGEST_S);
        if counts.is_some_and(|counts| counts.total() as f32 > limit) {
            *counts = None;
            self.removed = true;
        }
    }

    fn aggregate(&mut self, aggregate: &mut Aggregate, period_s: Option<f32>) -> Result<(), Reject> {
        self.counts(&mut aggregate.counts, period_s);
        self.speed(&mut aggregate.speed_kmh);
        self.keep(&mut aggregate.occupancy, OCCUPANCY);
        self.keep(&mut aggregate.queue_m, QUEUE_M);
        self.keep(&mut aggregate.headway_s, HEADWAY_S);
        let Aggregate { counts, speed_kmh, occupancy, queue_m, headway_s, speed_mean: _ } = aggregate;
        self.something_left(
            counts.is_some()
                || [speed_kmh, occupancy, queue_m, headway_s].into_iter().any(|value| value.is_some()),
        )
    }

    fn passage(&mut self, passage: &mut Passage) {
        self.speed(&mut passage.speed_kmh);
        self.keep(&mut passage.length_m, LENGTH_M);
        self.keep(&mut passage.headway_s, HEADWAY_S);
    }

    fn probe(&mut self, probe: &mut Probe) -> Result<(), Reject> {
        let on_globe = (-180.0..=180.0).contains(&probe.lon) && (-90.0..=90.0).contains(&probe.lat);
        // A receiver without a fix says 0, 0: off the coast of Ghana.
        if !on_globe || (probe.lon == 0.0 && probe.lat == 0.0) {
            let place = format!("lon {}, lat {} is no place of a vehicle", probe.lon, probe.lat);
            return Err(Reject::new(Reason::BadPosition, place));
        }
        self.keep(&mut probe.heading_deg, HEADING_DEG);
        self.speed(&mut probe.speed_kmh);
        Ok(())
    }

    fn queue(&mut self, queue: &mut Queue) -> Result<(), Reject> {
        /// More do not stand within one sensor's sight.
        const MOST: u32 = 100_000;
        self.keep(&mut queue.queue_m, QUEUE_M);
        if queue.stopped_vehicles.is_some_and(|n| n > MOST) {
            queue.stopped_vehicles = None;
            self.removed = true;
        }
        // Vehicles in sight, not a flow: the limit is that of a moment.
        if queue.class_counts.is_some_and(|counts| counts.total() > MOST) {
            queue.class_counts = None;
            self.removed = true;
        }
        self.something_left(
            queue.queue_m.is_some() || queue.stopped_vehicles.is_some() || queue.class_counts.is_some(),
        )
    }

    fn travel_time(&mut self, travel: &mut TravelTime) -> Result<(), Reject> {
        if !TRAVEL_S.contains(&travel.seconds) {
            let detail = format!("a travel time of {} s is none", travel.seconds);
            return Err(Reject::new(Reason::BadValue, detail));
        }
        if travel.from_sensor == travel.to_sensor {
            let detail = format!("from_sensor and to_sensor are both {:?}", travel.to_sensor.as_str());
            return Err(Reject::new(Reason::BadValue, detail));
        }
        Ok(())
    }

    fn something_left(&self, left: bool) -> Result<(), Reject> {
        match (left, self.removed) {
            (true, _) => Ok(()),
            (false, true) => {
                Err(Reject::new(Reason::NothingMeasured, "every value is outside its physical range"))
            }
            (false, false) => Err(Reject::new(Reason::NothingMeasured, "the event holds no value")),
        }
    }
}

/// How devices write "not measured" (RSMP S0201: -1 = could not be measured).
const NOT_MEASURED: f32 = -1.0;
