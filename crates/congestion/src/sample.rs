//! A reading boiled down to the numbers that the estimate needs: fixed size, no text.

use model::{Observation, Reading, SignalState, Timestamp};
use serde::{Deserialize, Serialize};

use crate::Config;

/// One reading of one sensor in a link's window.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct Sample {
    /// The end of its period, event time, ms.
    pub(crate) at: i64,
    /// Number of the sensor (its place in the registry).
    pub(crate) sensor: u32,
    /// 0 = all lanes.
    pub(crate) lane: u8,
    /// What was measured.
    pub(crate) what: What,
}

/// Speeds are km/h, lengths metres; NaN = not measured.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) enum What {
    /// Vehicles that passed a point in one period.
    Count { period_s: f32, n: f32, pcu: f32, mcu: f32, speed: f32, occupancy: f32 },
    /// A standing queue, seen from the stop line.
    Queue { queue_m: f32, stopped: f32 },
    /// One vehicle where it was; `vehicle` is a hash of its pseudonym.
    Probe { vehicle: u32, speed: f32, offset_m: f32 },
    /// A signal group changed.
    Signal { group: u32, state: SignalState },
}

impl Sample {
    /// Returns the place of the sample in its window: a total order that no arrival order changes.
    pub(crate) fn order(&self) -> (i64, u32, u8, u8, u64) {
        let (kind, tie) = match self.what {
            What::Count { n, speed, .. } => (0, u64::from(n.to_bits()) << 32 | u64::from(speed.to_bits())),
            What::Queue { queue_m, .. } => (1, u64::from(queue_m.to_bits())),
            What::Probe { vehicle, speed, .. } => (2, u64::from(vehicle) << 32 | u64::from(speed.to_bits())),
            What::Signal { group, state } => (3, u64::from(group) << 8 | state as u64),
        };
        (self.at, self.sensor, self.lane, kind, tie)
    }
}

/// Returns what the estimate needs of an observation; `None` when it says nothing about traffic or signals.
pub(crate) fn of(observation: &Observation, sensor: u32, at: Timestamp, config: &Config) -> Option<Sample> {
    let what = match &observation.reading {
        Reading::Aggregate(a) => {
            let counts = a.counts.unwrap_or_default();
            let n = if a.counts.is_some() { counts.total() as f32 } else { f32::NAN };
            What::Count {
                period_s: observation.period_s.filter(|s| *s > 0.0).unwrap_or(30.0),
                n,
                pcu: config.pcu.sum(&counts) as f32,
                mcu: config.mcu.sum(&counts) as f32,
                speed: a.speed_kmh.unwrap_or(f32::NAN),
                occupancy: a.occupancy.unwrap_or(f32::NAN),
            }
        }
        Reading::Queue(q) => What::Queue {
            queue_m: q.queue_m.unwrap_or(f32::NAN),
            stopped: q.stopped_vehicles.map_or(f32::NAN, |n| n as f32),
        },
        Reading::Probe(p) => What::Probe {
            vehicle: hash(p.vehicle.as_bytes()),
            speed: p.speed_kmh?,
            offset_m: observation.offset_m.unwrap_or(f32::NAN),
        },
        Reading::Signal(s) => What::Signal { group: hash(s.group.as_bytes()), state: s.state },
        Reading::Passage(p) if !p.wrong_way => What::Count {
            period_s: 0.0,
            n: 1.0,
            pcu: config.pcu.of(p.class)? as f32,
            mcu: config.mcu.of(p.class)? as f32,
            speed: p.speed_kmh.unwrap_or(f32::NAN),
            occupancy: f32::NAN,
        },
        Reading::Passage(_) | Reading::TravelTime(_) | Reading::Alert(_) => return None,
    };
    let lane = observation.lane.unwrap_or(0);
    Some(Sample { at: at.as_millis(), sensor, lane, what })
}

/// FNV-1a, 32 bits: the same on every machine, as checkpoints need.
fn hash(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |h, &b| (h ^ u32::from(b)).wrapping_mul(0x0100_0193))
}
