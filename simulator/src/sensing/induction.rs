//! Inductive loops: counts, time-mean speed and occupancy at a point, for all lanes or lane by lane.

use model::{ReadingKind, VehicleClass};
use roadnet::LinkIndex;

use super::{Look, eye, phase};
use crate::city::City;
use crate::event::Fields;
use crate::random::{Draw, Stream};
use crate::scenario::Scenario;
use crate::traffic::{self, Vehicle};

/// Along the road.
const DETECTOR_M: f64 = 2.0;

#[derive(Debug)]
pub(super) struct Induction {
    sensor: u32,
    link: LinkIndex,
    at_m: f64,
    period_s: u64,
    phase_s: u64,
    lanes: u8,
    reports: Reports,
    sums: Vec<Sums>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Reports {
    AllLanes,
    LaneByLane,
}

#[derive(Clone, Copy, Default, Debug)]
struct Sums {
    counts: [u32; 10],
    speeds_kmh: f64,
    covered_s: f64,
}

impl Induction {
    pub(super) fn new(city: &City, scenario: &Scenario, seed: u64, sensor: u32, link: LinkIndex) -> Self {
        let device = &city.registry.sensors()[sensor as usize];
        let period_s = device.period_s.map_or(30, |s| s as u64).max(1);
        let lanes = (city.network.link(link).lanes.round() as u8).max(1);
        let mut draw = Draw::new(seed, Stream::Placement, u64::from(sensor), 2);
        let by_lane = lanes > 1 && draw.chance(scenario.measuring.per_lane_share);
        Self {
            sensor,
            link,
            at_m: f64::from(device.offset_m.unwrap_or(0.0)),
            period_s,
            phase_s: phase(seed, sensor, period_s),
            lanes,
            reports: if by_lane { Reports::LaneByLane } else { Reports::AllLanes },
            sums: vec![Sums::default(); usize::from(lanes)],
        }
    }

    pub(super) fn look(&mut self, look: &mut Look<'_, '_>) {
        let stream = &look.traffic.streams()[self.link.index()];
        let (seed, noise) = (look.seed, look.scenario.measuring.speed_noise);
        // The busier the road, the more motorcycles ride side by side, and a loop counts them as one.
        let busy = (stream.load / stream.length_m / stream.diagram.critical_per_m).min(1.0);
        let missed = look.scenario.measuring.loop_miss * busy;
        for (vehicle, _) in eye::passed(stream, self.at_m) {
            let mut draw = Draw::new(seed, Stream::Count, vehicle.id, u64::from(self.sensor));
            if vehicle.class == VehicleClass::Motorcycle && draw.chance(missed) {
                continue;
            }
            let sums = &mut self.sums[usize::from(eye::lane(seed, vehicle, self.link.0, self.lanes)) - 1];
            sums.counts[vehicle.class.index()] += 1;
            sums.speeds_kmh += eye::measured_kmh(seed, vehicle, noise, &mut draw);
        }
        self.cover(seed, stream);
        if (look.second + self.phase_s).is_multiple_of(self.period_s) && look.second > 0 {
            self.report(look);
        }
    }

    /// Adds the time that vehicles covered the loop; those side by side cover it together.
    fn cover(&mut self, seed: u64, stream: &traffic::Stream) {
        let from = stream.vehicles.partition_point(|v| v.at_m > self.at_m + 60.0);
        let mut covered = [0.0_f64; 16];
        let near = |v: &&Vehicle| v.at_m >= self.at_m;
        for vehicle in stream.vehicles.range(from..).take_while(near) {
            let lane = usize::from(eye::lane(seed, vehicle, self.link.0, self.lanes)) - 1;
            covered[lane.min(15)] += eye::covered_s(vehicle, self.at_m, DETECTOR_M);
        }
        for (sums, covered) in self.sums.iter_mut().zip(covered) {
            sums.covered_s += covered.min(traffic::STEP_S);
        }
    }

    fn report(&mut self, look: &mut Look<'_, '_>) {
        match self.reports {
            Reports::LaneByLane => {
                for lane in 0..self.sums.len() {
                    let fields =
                        Fields::default().integer("period_s", self.period_s).integer("lane", lane as u64 + 1);
                    let fields = self.sums[lane].describe(fields, self.period_s as f64);
                    look.say(self.sensor, ReadingKind::Aggregate, lane as u8 + 1, fields);
                }
            }
            Reports::AllLanes => {
                let all = self.sums.iter().fold(Sums::default(), Sums::and);
                let fields = Fields::default().integer("period_s", self.period_s);
                let fields = all.describe(fields, self.period_s as f64 * self.sums.len() as f64);
                look.say(self.sensor, ReadingKind::Aggregate, 0, fields);
            }
        }
        self.sums.fill(Sums::default());
    }
}

impl Sums {
    fn and(mut self, other: &Self) -> Self {
        self.counts.iter_mut().zip(other.counts).for_each(|(mine, theirs)| *mine += theirs);
        self.speeds_kmh += other.speeds_kmh;
        self.covered_s += other.covered_s;
        self
    }

    fn describe(&self, fields: Fields, lane_seconds: f64) -> Fields {
        let n: u32 = self.counts.iter().sum();
        let mut fields = fields.counts("counts", &self.counts);
        if n > 0 {
            fields = fields.number("speed_kmh", self.speeds_kmh / f64::from(n), 1).text("speed_mean", "time");
        }
        fields.number("occupancy", (self.covered_s / lane_seconds).min(1.0), 4)
    }
}
