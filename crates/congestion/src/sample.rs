//! A reading boiled down to the numbers that the estimate needs: fixed size, no text.

pub(crate) mod record;

use std::cmp::Ordering;

use model::{
    Aggregate, Alert, AlertKind, Observation, Reading, SignalState, SpeedMean, Timestamp, VehicleClass,
};

use crate::Config;

/// One reading of one sensor in a link's window.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Sample {
    /// The end of its period, event time, ms.
    pub(crate) at: i64,
    /// Number of the sensor (its place in the registry).
    pub(crate) sensor: u32,
    /// 0 = all lanes.
    pub(crate) lane: u8,
    /// Flags of [`Quality`](model::Quality), all that there are.
    pub(crate) quality: u16,
    /// What was measured.
    pub(crate) what: What,
}

/// Speeds are km/h, lengths metres; NaN = not measured.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum What {
    /// Vehicles that passed a point in one period.
    Count { period_s: f32, n: f32, pcu: f32, mcu: f32, persons: f32, speed: f32, occupancy: f32 },
    /// One vehicle that passed a point.
    Passage { pcu: f32, mcu: f32, persons: f32, speed: f32 },
    /// A standing queue, seen from the stop line.
    Queue { queue_m: f32, stopped: f32 },
    /// One vehicle where it was; `vehicle` is a hash of its pseudonym and of the fleet that calls it so.
    Probe { vehicle: u32, speed: f32, offset_m: f32 },
    /// A signal group changed.
    Signal { group: u32, state: SignalState },
    /// A device says that something stands or lies on the road; how sure it is, 0..1.
    Alert { confidence: f32 },
}

impl What {
    /// Tells whether it measures traffic.
    pub(crate) fn is_traffic(&self) -> bool {
        !matches!(self, Self::Signal { .. } | Self::Alert { .. })
    }
}

impl Sample {
    /// Returns the place of the sample in its window: a total order that no arrival order changes.
    pub(crate) fn cmp(&self, other: &Self) -> Ordering {
        let tie = || self.order().cmp(&other.order()).then_with(|| self.rest().cmp(&other.rest()));
        self.at.cmp(&other.at).then_with(tie)
    }

    /// What tells almost all of one instant apart. Who was counted in a period comes before the queue at its end, whichever device is
    /// registered first.
    fn order(&self) -> (u8, u32, u8, u64) {
        let (kind, tie) = match self.what {
            What::Count { n, speed, .. } => (0, u64::from(n.to_bits()) << 32 | u64::from(speed.to_bits())),
            What::Queue { queue_m, .. } => (1, u64::from(queue_m.to_bits())),
            What::Probe { vehicle, speed, .. } => (2, u64::from(vehicle) << 32 | u64::from(speed.to_bits())),
            What::Passage { speed, pcu, .. } => {
                (4, u64::from(speed.to_bits()) << 32 | u64::from(pcu.to_bits()))
            }
            What::Signal { group, state } => (3, u64::from(group) << 8 | state as u64),
            What::Alert { confidence } => (5, u64::from(confidence.to_bits())),
        };
        (kind, self.sensor, self.lane, tie)
    }

    /// All that `order` leaves out.
    fn rest(&self) -> (u16, [u32; 5]) {
        let numbers = match self.what {
            What::Count { period_s, pcu, mcu, persons, occupancy, .. } => {
                [period_s, pcu, mcu, persons, occupancy]
            }
            What::Passage { mcu, persons, .. } => [mcu, persons, 0.0, 0.0, 0.0],
            What::Queue { stopped, .. } => [stopped, 0.0, 0.0, 0.0, 0.0],
            What::Probe { offset_m, .. } => [offset_m, 0.0, 0.0, 0.0, 0.0],
            What::Signal { .. } | What::Alert { .. } => [0.0; 5],
        };
        (self.quality, numbers.map(f32::to_bits))
    }
}

/// Speeds above this are errors of a device, km/h; one would outweigh a street of true ones.
const FASTEST_KMH: f32 = 300.0;

/// Coefficient of variation of the speeds of those who pass a detector in one period: as drivers differ on a free street.
const SPEED_CV: f32 = 0.12;

/// A period that a device does not tell, s: what most loops and cameras are set to.
const USUAL_PERIOD_S: f32 = 30.0;

/// Returns what the estimate needs of an observation, all of it finite; nothing when it says nothing about traffic or signals.
pub(crate) fn of(
    observation: &Observation,
    sensor: u32,
    at: Timestamp,
    config: &Config,
) -> impl Iterator<Item = Sample> + use<> {
    let (at, lane, quality) = (at.as_millis(), observation.lane.unwrap_or(0), observation.quality.0 as u16);
    let sample = move |what| Sample { at, sensor, lane, quality, what };
    [measured(observation, sensor, config), queue(&observation.reading)].into_iter().flatten().map(sample)
}

fn measured(observation: &Observation, sensor: u32, config: &Config) -> Option<What> {
    Some(match &observation.reading {
        Reading::Aggregate(a) => count(a, observation.period_s, config),
        Reading::Probe(p) => What::Probe {
            vehicle: pseudonym(sensor, &p.vehicle),
            speed: speed(p.speed_kmh)?,
            offset_m: within(observation.offset_m, 0.0, f32::MAX).unwrap_or(f32::NAN),
        },
        Reading::Signal(s) => What::Signal { group: hash(s.group.bytes()), state: s.state },
        Reading::Passage(p) if !p.wrong_way => What::Passage {
            pcu: config.pcu.of(p.class)? as f32,
            mcu: config.mcu.of(p.class)? as f32,
            persons: config.persons.of(p.class)? as f32,
            speed: speed(p.speed_kmh).unwrap_or(f32::NAN),
        },
        Reading::Alert(a) => alert(a)?,
        Reading::Passage(_) | Reading::Queue(_) | Reading::TravelTime(_) => return None,
    })
}

/// Returns an alarm about what blocks the road; the others speak of other things.
fn alert(alert: &Alert) -> Option<What> {
    /// A device that does not tell how sure it is, is about as sure as not.
    const UNTOLD: f32 = 0.5;
    let blocks = matches!(alert.kind, AlertKind::StoppedVehicle | AlertKind::Debris);
    let confidence = within(alert.confidence, 0.01, 1.0).unwrap_or(UNTOLD);
    blocks.then_some(What::Alert { confidence })
}

fn count(aggregate: &Aggregate, period_s: Option<f32>, config: &Config) -> What {
    let counts = aggregate.counts.unwrap_or_default();
    // Who walks is no vehicle.
    let vehicles = counts.total() - counts[VehicleClass::Pedestrian];
    let n = if aggregate.counts.is_some() { vehicles as f32 } else { f32::NAN };
    let to_space = match aggregate.speed_mean {
        Some(SpeedMean::Time) => time_over_space_mean(n),
        _ => 1.0,
    };
    What::Count {
        period_s: within(period_s, 0.1, 86_400.0).unwrap_or(USUAL_PERIOD_S),
        n,
        pcu: config.pcu.sum(&counts) as f32,
        mcu: config.mcu.sum(&counts) as f32,
        persons: config.persons.sum(&counts) as f32,
        speed: speed(aggregate.speed_kmh).map_or(f32::NAN, |speed| speed / to_space),
        occupancy: within(aggregate.occupancy, 0.0, 1.0).unwrap_or(f32::NAN),
    }
}

/// Wardrop (1952): time mean = space mean (1 + cv^2); of `n` vehicles only (n - 1) / n of the spread shows, one has none.
fn time_over_space_mean(n: f32) -> f32 {
    let shown = if n > 1.0 { 1.0 - n.recip() } else { 0.0 };
    1.0 + SPEED_CV * SPEED_CV * shown
}

/// A camera may tell its queue by itself, or along with its counts.
fn queue(reading: &Reading) -> Option<What> {
    /// No queue is longer, m.
    const LONGEST_M: f32 = 50_000.0;
    let (queue_m, stopped) = match reading {
        Reading::Queue(q) => (q.queue_m, q.stopped_vehicles),
        Reading::Aggregate(a) => (Some(a.queue_m?), None),
        _ => return None,
    };
    Some(What::Queue {
        queue_m: within(queue_m, 0.0, LONGEST_M).unwrap_or(f32::NAN),
        stopped: stopped.map_or(f32::NAN, |n| n as f32),
    })
}

fn speed(kmh: Option<f32>) -> Option<f32> {
    within(kmh, 0.0, FASTEST_KMH)
}

/// Returns a value that is a number between those two; none otherwise: one that is not would poison every sum.
fn within(value: Option<f32>, least: f32, most: f32) -> Option<f32> {
    value.filter(|value| (least..=most).contains(value))
}

/// Returns a vehicle's number: two fleets may well give the same name to two vehicles.
fn pseudonym(fleet: u32, vehicle: &str) -> u32 {
    hash(fleet.to_le_bytes().into_iter().chain(vehicle.bytes()))
}

/// FNV-1a, 32 bits: the same on every machine, as checkpoints need.
fn hash(bytes: impl IntoIterator<Item = u8>) -> u32 {
    bytes.into_iter().fold(0x811c_9dc5, |h, b| (h ^ u32::from(b)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vehicles_that_two_fleets_call_alike_are_two() {
        assert_eq!(pseudonym(1, "taxi-7"), pseudonym(1, "taxi-7"));
        assert_ne!(pseudonym(1, "taxi-7"), pseudonym(2, "taxi-7"));
    }
}
