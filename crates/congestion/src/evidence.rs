//! Sums over readings of one stretch of time: what each kind of source says of a link, in Edie's terms.
//!
//! Edie (1963): over a region of space and time, flow is the distance driven in it over its area, density the time spent
//! in it over its area, and the space-mean speed is distance over time. All fields are sums, so that pieces of time can be
//! added, and faded by a factor.

use roadnet::SensorKind;
use serde::{Deserialize, Serialize};

use crate::sample::{Sample, What};
use crate::site::{self, Device, Site};

#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Evidence {
    pub(crate) area: Area,
    pub(crate) point: Point,
    pub(crate) probes: Probes,
}

/// By what vehicles are seen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Means {
    /// Cameras that watch a stretch of road.
    Cameras,
    /// Loops, radars and whatever else sees a point.
    Loops,
    /// Vehicles that tell where they are.
    Probes,
}

impl Means {
    /// Returns by what the speed in a reading was seen; nothing of one that tells none.
    pub(crate) fn of(sample: &Sample, device: Option<&Device>) -> Option<Self> {
        // A camera whose stretch nobody told sees a line.
        let sees_stretch = device.is_some_and(|d| d.kind == SensorKind::AreaCamera && d.reach_m > 0.0);
        match sample.what {
            What::Count { .. } if sees_stretch => Some(Self::Cameras),
            What::Count { .. } | What::Passage { .. } => Some(Self::Loops),
            What::Probe { .. } => Some(Self::Probes),
            What::Queue { .. } | What::Signal { .. } | What::Alert { .. } => None,
        }
    }
}

/// A camera that watches a stretch before the stop line.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Area {
    /// Metres that its stretch is long, once a period.
    pub(crate) reach_m: f64,
    /// Time that vehicles spent in the stretch, s.
    pub(crate) spent_s: f64,
    /// Distance that they drove in it, m.
    pub(crate) driven_m: f64,
    /// Vehicles that left it.
    pub(crate) vehicles: f64,
    /// Periods told, and their time, s.
    pub(crate) periods: f64,
    pub(crate) seconds: f64,
    /// Readings of the queue, and those in which it filled the stretch.
    pub(crate) queues: f64,
    pub(crate) full_queues: f64,
    /// Periods, each times what its device's readings scatter by (see `scatter`).
    pub(crate) scatter: f64,
}

/// Loops, radars and other sensors that see a point.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Point {
    /// Vehicles whose speed was measured.
    pub(crate) vehicles: f64,
    /// Those of them that were counted period by period.
    pub(crate) counted: f64,
    /// Their paces, h/km.
    pub(crate) pace: f64,
    /// Room that they take when they stand, m.
    pub(crate) room_m: f64,
    /// Their places on the link, m.
    pub(crate) offset_m: f64,
    /// Periods in which somebody stood on the detector and nobody passed.
    pub(crate) blocked: f64,
    /// Time that was watched, s: of the whole width; and the part of it in which somebody was on the detector.
    pub(crate) seconds: f64,
    pub(crate) covered_s: f64,
    /// Vehicles whose speed was measured and periods in which somebody stood, each times what its device's readings scatter by.
    pub(crate) scatter: f64,
}

/// Vehicles that tell where they are, at equal steps of time: the number of points is time spent.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Probes {
    pub(crate) spent_s: f64,
    pub(crate) driven_m: f64,
    pub(crate) vehicles: f64,
    /// Time spent, times what its fleet's readings scatter by.
    pub(crate) scatter: f64,
}

/// The share of its stretch from which a camera's queue counts as filling it: the last vehicle stands across the edge.
pub(crate) const FULL: f64 = 0.9;

/// A detector that is covered for this share of a period in which nobody passed has somebody standing on it.
pub(crate) const STANDING: f32 = 0.5;

/// Length of a vehicle from its car units, m: motorcycle 2.1, car 4.7, bus 10.2, trailer 15.8.
fn vehicle_m(pcu: f64) -> f64 {
    LEAST_M + PCU_M * pcu
}

const LEAST_M: f64 = 1.0;
const PCU_M: f64 = 3.7;

/// Room of a standing vehicle over its length.
const STANDING_ROOM: f64 = 1.5;

impl Evidence {
    /// Adds one reading; `scatter`: variance of its device's readings over that of its kind.
    #[inline]
    pub(crate) fn add(&mut self, sample: &Sample, device: Option<&Device>, scatter: f64, site: &Site) {
        match sample.what {
            What::Count { .. } if Means::of(sample, device) == Some(Means::Cameras) => {
                self.area.add(sample, device.map_or(0.0, |d| d.reach_m), scatter, site);
            }
            What::Count { .. } | What::Passage { .. } => {
                let offset_m = device.map_or(site.length_m / 2.0, |d| d.offset_m);
                self.point.add(sample, offset_m, scatter, site);
            }
            What::Queue { queue_m, .. } => {
                if let Some(device) = device.filter(|d| d.reach_m > 0.0 && !queue_m.is_nan()) {
                    self.area.queues += 1.0;
                    let full = f64::from(queue_m) >= FULL * device.reach_m;
                    self.area.full_queues += f64::from(u8::from(full));
                }
            }
            What::Probe { speed, .. } => {
                let step_s = site::step_ms(device) as f64 / 1000.0;
                self.probes.spent_s += step_s;
                self.probes.scatter += scatter * step_s;
                self.probes.driven_m += f64::from(speed) / 3.6 * step_s;
            }
            What::Signal { .. } | What::Alert { .. } => {}
        }
    }

    /// Adds the sums of another stretch of time.
    pub(crate) fn join(&mut self, other: &Self) {
        let mut other = *other;
        for (mine, theirs) in self.fields_mut().into_iter().zip(other.fields_mut()) {
            *mine += *theirs;
        }
    }

    /// Lets it count for less.
    pub(crate) fn fade(&mut self, factor: f64) {
        self.fields_mut().into_iter().for_each(|field| *field *= factor);
    }

    fn fields_mut(&mut self) -> [&mut f64; 22] {
        let Self { area, point, probes } = self;
        [
            &mut area.reach_m,
            &mut area.spent_s,
            &mut area.driven_m,
            &mut area.vehicles,
            &mut area.periods,
            &mut area.seconds,
            &mut area.queues,
            &mut area.full_queues,
            &mut area.scatter,
            &mut point.vehicles,
            &mut point.counted,
            &mut point.pace,
            &mut point.room_m,
            &mut point.offset_m,
            &mut point.blocked,
            &mut point.seconds,
            &mut point.covered_s,
            &mut point.scatter,
            &mut probes.spent_s,
            &mut probes.driven_m,
            &mut probes.vehicles,
            &mut probes.scatter,
        ]
    }
}

impl Area {
    /// The share of its readings in which a queue filled the stretch.
    pub(crate) fn full(&self) -> f64 {
        if self.queues > 0.0 { self.full_queues / self.queues } else { 0.0 }
    }

    fn add(&mut self, sample: &Sample, reach_m: f64, scatter: f64, site: &Site) {
        let What::Count { period_s, n, pcu, speed, occupancy, .. } = sample.what else { return };
        self.periods += 1.0;
        self.scatter += scatter;
        self.seconds += f64::from(period_s);
        self.reach_m += reach_m;
        let n = if n > 0.0 { f64::from(n) } else { 0.0 };
        self.vehicles += n;
        if speed.is_nan() {
            return;
        }
        // Vehicles in sight, on average: covered length over the length of one.
        let one_m = vehicle_m(if n > 0.0 { f64::from(pcu) / n } else { 0.5 });
        let covered_m = f64::from(if occupancy.is_nan() { 0.0 } else { occupancy }) * reach_m * site.lanes;
        // Who left while in motion was in sight for a while, whatever the rounding of the occupancy.
        let passing = n * reach_m / (f64::from(speed).max(5.0) / 3.6) / f64::from(period_s);
        let in_sight = (covered_m / one_m).max(passing);
        let spent_s = in_sight * f64::from(period_s);
        self.spent_s += spent_s;
        self.driven_m += spent_s * f64::from(speed) / 3.6;
    }
}

impl Point {
    /// Returns the share of time for which the detectors were covered.
    pub(crate) fn covered(&self) -> f64 {
        if self.seconds > 0.0 { self.covered_s / self.seconds } else { 0.0 }
    }

    /// Tells whether a queue stands on the detectors: at saturation flow they are covered for a fifth of the time.
    pub(crate) fn stands(&self) -> bool {
        self.covered() >= f64::from(STANDING)
    }

    /// Returns the length of lane that one of those who passed takes when it stands, m; between a motorcycle's and a car's where nobody
    /// has passed yet.
    pub(crate) fn room_of_one_m(&self) -> f64 {
        if self.vehicles > 0.0 { self.room_m / self.vehicles } else { 5.0 }
    }

    /// Returns the car units of one of those who passed.
    pub(crate) fn pcu(&self) -> f64 {
        (self.room_of_one_m() / STANDING_ROOM - LEAST_M) / PCU_M
    }

    /// Returns `y` of those who passed: of their mean pace.
    pub(crate) fn passing_y(&self, site: &Site) -> Option<f64> {
        (self.vehicles > 0.0).then(|| (site.free_kmh * self.pace / self.vehicles).ln())
    }

    fn add(&mut self, sample: &Sample, offset_m: f64, scatter: f64, site: &Site) {
        let (n, pcu, speed, occupancy) = match sample.what {
            What::Count { period_s, n, pcu, speed, occupancy, .. } => {
                let watched_s = f64::from(period_s) / if sample.lane == 0 { 1.0 } else { site.lanes };
                self.seconds += watched_s;
                self.covered_s += watched_s * f64::from(occupancy.max(0.0));
                (n, pcu, speed, occupancy)
            }
            What::Passage { pcu, speed, .. } => (1.0, pcu, speed, f32::NAN),
            _ => return,
        };
        if n > 0.0 && !speed.is_nan() {
            let n = f64::from(n);
            self.vehicles += n;
            self.scatter += n * scatter;
            if matches!(sample.what, What::Count { .. }) {
                self.counted += n;
            }
            self.pace += n / f64::from(speed).max(1.0);
            self.room_m += STANDING_ROOM * (LEAST_M * n + PCU_M * f64::from(pcu));
            self.offset_m += n * offset_m;
        } else if occupancy >= STANDING {
            self.blocked += 1.0;
            self.scatter += scatter;
        }
    }
}
