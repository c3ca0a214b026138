//! What a sensor said, normalised: units checked, clock judged, placed on a link.

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use crate::{ClassCounts, LinkId, SensorId, Timestamp, VehicleClass};

/// One reading of one sensor, placed on a link.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Observation {
    /// The device.
    pub sensor: SensorId,
    /// The link that it speaks of.
    pub link: LinkId,
    /// The device's own count, where it keeps one.
    pub seq: Option<u64>,
    /// The END of the period, by the device's clock (event time).
    pub at: Timestamp,
    /// Length of the period that the reading sums up; absent for an instant.
    pub period_s: Option<f32>,
    /// 1 = nearest the kerb; absent = all lanes.
    pub lane: Option<u8>,
    /// Distance from the link's start, where the reading has a place.
    pub offset_m: Option<f32>,
    /// When ingest received it (log time).
    pub received_at: Timestamp,
    /// What is to be thought of it.
    pub quality: Quality,
    /// What was measured.
    pub reading: Reading,
}

impl Observation {
    /// Returns what makes this reading one: the same identity counts once, however often it arrives.
    pub fn identity(&self) -> Identity<'_> {
        Identity {
            sensor: &self.sensor,
            lane: self.lane,
            kind: self.reading.kind(),
            seq_or_at: self.seq.ok_or(self.at),
        }
    }
}

/// (sensor, lane, kind, `seq`, or `at` where there is no `seq`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Identity<'a> {
    /// The device.
    pub sensor: &'a SensorId,
    /// Its lane.
    pub lane: Option<u8>,
    /// The kind of reading.
    pub kind: ReadingKind,
    /// The device's own count, else its time.
    pub seq_or_at: Result<u64, Timestamp>,
}

/// What was measured. A value that was not measured is absent, never 0.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum Reading {
    /// Vehicles of one period, summed up by the device.
    Aggregate(Aggregate),
    /// One vehicle passed.
    Passage(Passage),
    /// A vehicle told where it is.
    Probe(Probe),
    /// A standing queue.
    Queue(Queue),
    /// Matched vehicles between two devices.
    TravelTime(TravelTime),
    /// A traffic light changed.
    Signal(Signal),
    /// A device raised an alarm.
    Alert(Alert),
}

/// The kinds of [`Reading`], without their values.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum ReadingKind {
    /// [`Reading::Aggregate`].
    Aggregate,
    /// [`Reading::Passage`].
    Passage,
    /// [`Reading::Probe`].
    Probe,
    /// [`Reading::Queue`].
    Queue,
    /// [`Reading::TravelTime`].
    TravelTime,
    /// [`Reading::Signal`].
    Signal,
    /// [`Reading::Alert`].
    Alert,
}

impl ReadingKind {
    /// All kinds.
    pub const ALL: [Self; 7] = [
        Self::Aggregate,
        Self::Passage,
        Self::Probe,
        Self::Queue,
        Self::TravelTime,
        Self::Signal,
        Self::Alert,
    ];

    /// Returns the name that topics and native events use.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Aggregate => "aggregate",
            Self::Passage => "passage",
            Self::Probe => "probe",
            Self::Queue => "queue",
            Self::TravelTime => "travel_time",
            Self::Signal => "signal",
            Self::Alert => "alert",
        }
    }

    /// Returns the kind of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

impl Reading {
    /// Returns the kind.
    pub const fn kind(&self) -> ReadingKind {
        match self {
            Self::Aggregate(_) => ReadingKind::Aggregate,
            Self::Passage(_) => ReadingKind::Passage,
            Self::Probe(_) => ReadingKind::Probe,
            Self::Queue(_) => ReadingKind::Queue,
            Self::TravelTime(_) => ReadingKind::TravelTime,
            Self::Signal(_) => ReadingKind::Signal,
            Self::Alert(_) => ReadingKind::Alert,
        }
    }
}

/// Vehicles of one period, summed up by the device.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Aggregate {
    /// Vehicles by class.
    pub counts: Option<ClassCounts>,
    /// Mean speed; how it was averaged is in `speed_mean`.
    pub speed_kmh: Option<f32>,
    /// How the device averages; absent = not told.
    pub speed_mean: Option<SpeedMean>,
    /// Share of the period during which the detector was covered, 0..1.
    pub occupancy: Option<f32>,
    /// Length of the standing queue.
    pub queue_m: Option<f32>,
    /// Mean time between fronts.
    pub headway_s: Option<f32>,
}

/// How a mean speed was averaged (Wardrop 1952: the time mean is never below the space mean).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum SpeedMean {
    /// Arithmetic, over vehicles that pass a point.
    Time,
    /// Harmonic, or over vehicles on a stretch.
    Space,
}

/// One vehicle passed.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Passage {
    /// What it was taken for.
    pub class: VehicleClass,
    /// Spot speed.
    pub speed_kmh: Option<f32>,
    /// Vehicle length.
    pub length_m: Option<f32>,
    /// Time since the vehicle before.
    pub headway_s: Option<f32>,
    /// Against the link's direction.
    pub wrong_way: bool,
}

/// A vehicle told where it is.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Probe {
    /// A pseudonym.
    pub vehicle: CompactString,
    /// Longitude, degrees.
    pub lon: f64,
    /// Latitude, degrees.
    pub lat: f64,
    /// Clockwise from north.
    pub heading_deg: Option<f32>,
    /// Momentary speed.
    pub speed_kmh: Option<f32>,
    /// What it is; absent = not told.
    pub class: Option<VehicleClass>,
    /// Whether a bus or taxi is working.
    pub in_service: Option<bool>,
}

/// A standing queue.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Queue {
    /// Length from the stop line.
    pub queue_m: Option<f32>,
    /// Vehicles that stand.
    pub stopped_vehicles: Option<u32>,
    /// Vehicles in sight by class.
    pub class_counts: Option<ClassCounts>,
}

/// Matched vehicles between two devices.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct TravelTime {
    /// Where they were seen first.
    pub from_sensor: SensorId,
    /// Where they were seen again.
    pub to_sensor: SensorId,
    /// The time between.
    pub seconds: f32,
    /// How many matched; absent = not told.
    pub vehicles: Option<u32>,
}

/// A traffic light changed.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Signal {
    /// The signal group.
    pub group: CompactString,
    /// What it shows now.
    pub state: SignalState,
    /// Length of the cycle that runs.
    pub cycle_s: Option<f32>,
}

/// What a traffic light shows.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum SignalState {
    /// Stop.
    Red,
    /// About to stop.
    Amber,
    /// Go.
    Green,
    /// Off.
    Dark,
    /// Flashing amber: give way.
    Flashing,
}

/// A device raised an alarm.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Alert {
    /// Of what.
    pub kind: AlertKind,
    /// How sure the device is, 0..1.
    pub confidence: Option<f32>,
}

/// What an alarm is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum AlertKind {
    /// A vehicle stands where none should.
    StoppedVehicle,
    /// A vehicle drives against the direction.
    WrongWay,
    /// Something lies on the road.
    Debris,
    /// Smoke or fire.
    Smoke,
    /// Somebody walks on the carriageway.
    Pedestrian,
    /// The device itself judges the traffic congested.
    Congestion,
}

/// What is to be thought of a value: a set of flags.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
pub struct Quality(pub u32);

impl Quality {
    /// Nothing to remark.
    pub const GOOD: Self = Self(0);
    /// A value outside its physical range was removed; the others stand.
    pub const VALUE_REMOVED: Self = Self(1);
    /// The device's clock looks off.
    pub const CLOCK_SUSPECT: Self = Self(2);
    /// Matched to a link by position, not by the registry.
    pub const SNAPPED: Self = Self(4);
    /// Rests on a sensor that is believed faulty.
    pub const SENSOR_SUSPECT: Self = Self(8);
    /// Older than twice the sensor's period.
    pub const STALE: Self = Self(16);

    /// Returns the flags of both.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Tells whether all flags of `other` are set.
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}
