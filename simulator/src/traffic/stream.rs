//! The stream of vehicles on one link: Newell's car following (2002) for a road without lanes.
//!
//! Behind each other, vehicles have a *place in line*: the MCU between them and the link's end. In a queue the vehicle
//! at place n does what the one `wave x jam` MCU ahead of it did a second ago, a second's wave travel further back:
//! the exact solution of the kinematic wave model with a triangular diagram, in whole vehicles, so that nothing is
//! lost or made between them.

use std::collections::VecDeque;

use super::flow::FundamentalDiagram;
use super::tally::Tally;
use super::vehicle::{Arriving, Vehicle};

/// Length of a step, seconds.
pub(crate) const STEP_S: f64 = 1.0;
/// Slower than this a vehicle stands: 5 km/h.
pub(crate) const STANDING_MPS: f64 = 5.0 / 3.6;

/// What [`Vehicle::was_m`] is for a vehicle that was on another link a step ago.
const ELSEWHERE: f64 = -1.0;

/// Vehicles of one link from its end to its start.
#[derive(Clone, Debug)]
pub struct Stream {
    /// Front of the line first.
    pub vehicles: VecDeque<Vehicle>,
    /// How they move.
    pub diagram: FundamentalDiagram,
    /// Of the link, metres.
    pub length_m: f64,
    /// MCU on the link.
    pub(crate) load: f64,
    /// MCU that may still enter in this step.
    pub(crate) room: f64,
    /// At the step's beginning no queue reached back to the entry.
    open_behind: bool,
    /// What capacity still lets in during this step; below 0 it pays for a large vehicle.
    pub(crate) entry_credit: f64,
    /// The same at the exit.
    pub(crate) exit_credit: f64,
    pub(crate) breakdown: Breakdown,
    pub(crate) blockage: Option<Blockage>,
    pub(crate) tally: Tally,
}

/// Whether the link's entry is a bottleneck that has broken down.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Breakdown {
    /// Somebody was turned away for want of capacity in this step.
    pub(crate) denied: bool,
    /// Seconds in a row with somebody turned away, 0 to [`Breakdown::FULL_S`].
    pub(crate) pressure_s: u8,
    pub(crate) broken: bool,
}

impl Breakdown {
    const FULL_S: u8 = 15;

    /// Breaks down after 15 s of pressure and recovers when it has been gone for as long.
    fn step(&mut self) {
        self.pressure_s = if self.denied {
            (self.pressure_s + 1).min(Self::FULL_S)
        } else {
            self.pressure_s.saturating_sub(1)
        };
        self.broken = self.pressure_s == Self::FULL_S || (self.broken && self.pressure_s > 0);
        self.denied = false;
    }

    fn share_left(self) -> f64 {
        if self.broken { 1.0 - super::flow::CAPACITY_DROP } else { 1.0 }
    }
}

/// Lanes blocked by an incident.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Blockage {
    pub(crate) at_m: f64,
    /// Share of the capacity that is left, drop included.
    pub(crate) share_left: f64,
    pub(crate) credit: f64,
}

impl Stream {
    /// Returns an empty link.
    pub fn new(diagram: FundamentalDiagram, length_m: f64) -> Self {
        let mut stream = Self {
            vehicles: VecDeque::new(),
            diagram,
            length_m,
            load: 0.0,
            room: 0.0,
            open_behind: true,
            entry_credit: 0.0,
            exit_credit: 0.0,
            breakdown: Breakdown::default(),
            blockage: None,
            tally: Tally::default(),
        };
        stream.open();
        stream
    }

    /// Returns the speed of who is not hindered, m/s.
    pub(crate) fn free_now(&self) -> f64 {
        self.diagram.free_at(self.load / self.length_m)
    }

    /// Tells whether the next vehicle may enter.
    pub(crate) fn admits(&self) -> bool {
        let last_clear = self
            .vehicles
            .back()
            .is_none_or(|last| last.arriving.is_none() || last.at_m >= last.mcu() / self.diagram.jam_per_m);
        self.room >= 0.0 && self.entry_credit > 0.0 && last_clear
    }

    /// Tells whether capacity alone, not a queue, keeps the next vehicle out.
    pub(crate) fn at_capacity(&self) -> bool {
        self.entry_credit <= 0.0 && self.open_behind
    }

    /// Takes a vehicle in. How far it really comes shows when those before it have moved.
    pub(crate) fn enter(&mut self, mut vehicle: Vehicle, reach_m: f64, arriving: Arriving) {
        let last = self.vehicles.back().filter(|last| last.arriving.is_some());
        let behind = last.map_or(self.length_m, |last| last.at_m - last.mcu() / self.diagram.jam_per_m);
        let open_to = self.blockage.map_or(self.length_m, |blockage| blockage.at_m);
        vehicle.at_m = reach_m.min(behind).min(open_to).clamp(0.0, self.length_m);
        vehicle.arriving = Some(arriving);
        vehicle.blocked_s = 0;
        self.load += vehicle.mcu();
        self.room -= vehicle.mcu();
        self.entry_credit -= vehicle.mcu();
        self.tally.entered += 1;
        self.vehicles.push_back(vehicle);
    }

    /// Takes in a vehicle that sets out here: a second's drive in, or behind the last one as at capacity.
    pub(crate) fn set_out(&mut self, vehicle: Vehicle) {
        let free = self.free_now();
        let last = self.vehicles.back().filter(|last| last.arriving.is_some());
        let spaced = last.map_or(f64::INFINITY, |v| v.at_m - v.mcu() / self.diagram.critical_per_m);
        let reach = (free * STEP_S).min(spaced).max(0.0);
        self.enter(vehicle, reach, Arriving { seconds: reach / free, metres_before: 0.0 });
        self.tally.departed += 1;
    }

    /// Takes the vehicle at that place in line out.
    pub(crate) fn leave(&mut self, place: usize) -> Option<Vehicle> {
        let vehicle = self.vehicles.remove(place)?;
        self.load = if self.vehicles.is_empty() { 0.0 } else { self.load - vehicle.mcu() };
        self.exit_credit -= vehicle.mcu();
        self.tally.left += 1;
        Some(vehicle)
    }

    /// Opens a step: fills the credits and computes the room behind the last vehicle.
    pub(crate) fn open(&mut self) {
        self.breakdown.step();
        let entry = self.diagram.capacity_per_s * STEP_S * self.breakdown.share_left();
        self.entry_credit = (self.entry_credit + entry).min(entry);
        let exit = self.diagram.capacity_per_s * STEP_S;
        self.exit_credit = (self.exit_credit + exit).min(exit);
        self.room = self.place_at(self.diagram.wave_mps * STEP_S)
            + self.diagram.wave_mps * self.diagram.jam_per_m * STEP_S
            - self.load;
        self.open_behind = self.room >= 0.99 * self.diagram.capacity_per_s * STEP_S;
    }

    /// Returns the place in line (MCU from the front) of whoever would be at that distance from the link's start.
    fn place_at(&self, at_m: f64) -> f64 {
        let mut place = self.load;
        let mut behind: Option<&Vehicle> = None;
        for vehicle in self.vehicles.iter().rev() {
            place -= vehicle.mcu();
            if vehicle.at_m >= at_m {
                let gap_share = behind.map_or_else(
                    || (vehicle.at_m - at_m) * self.diagram.jam_per_m / vehicle.mcu(),
                    |next| (vehicle.at_m - at_m) / (vehicle.at_m - next.at_m).max(1e-9),
                );
                return place + vehicle.mcu() * gap_share.min(1.0);
            }
            behind = Some(vehicle);
        }
        0.0
    }

    /// Moves all vehicles by one step.
    pub(crate) fn advance(&mut self, scratch: &mut Vec<(f64, f64)>) {
        scratch.clear();
        let mut place = 0.0;
        for vehicle in &self.vehicles {
            scratch.push((place, vehicle.at_m));
            place += vehicle.mcu();
        }
        let free_m = self.free_now() * STEP_S;
        let look_ahead = self.diagram.wave_mps * self.diagram.jam_per_m * STEP_S;
        if let Some(blockage) = &mut self.blockage {
            let rate = self.diagram.capacity_per_s * blockage.share_left * STEP_S;
            blockage.credit = (blockage.credit + rate).min(rate);
        }
        let (mut leader, mut limit) = (0, self.length_m);
        for i in 0..self.vehicles.len() {
            let target = scratch[i].0 - look_ahead;
            while leader + 1 < i && scratch[leader + 1].0 <= target {
                leader += 1;
            }
            let from = scratch[i].1;
            let mcu = self.vehicles[i].mcu();
            let to = if let Some(arriving) = self.vehicles[i].arriving.take() {
                let to = from.min(limit).max(0.0);
                self.arrive(i, to, arriving);
                to
            } else {
                let led_to = self.led_to(scratch, leader, target);
                let reach = (from + free_m).min(led_to).min(limit).max(from);
                let reach = self.past_blockage(from, reach, mcu);
                self.place(i, from, reach);
                reach
            };
            limit = to - mcu / self.diagram.jam_per_m;
        }
        self.tally.sample_queue(standing_m(&self.vehicles));
    }

    /// Returns how far the wave from the vehicle at place `target` lets one go.
    fn led_to(&self, old: &[(f64, f64)], leader: usize, target: f64) -> f64 {
        match old.get(leader..leader + 2) {
            Some(&[ahead, behind]) if target >= 0.0 => {
                let share = (target - ahead.0) / (behind.0 - ahead.0);
                ahead.1 + (behind.1 - ahead.1) * share - self.diagram.wave_mps * STEP_S
            }
            _ => f64::INFINITY,
        }
    }

    fn past_blockage(&mut self, from: f64, reach: f64, mcu: f64) -> f64 {
        match &mut self.blockage {
            Some(blockage) if from <= blockage.at_m && reach > blockage.at_m => {
                if blockage.credit <= 0.0 {
                    return blockage.at_m;
                }
                blockage.credit -= mcu;
                reach
            }
            _ => reach,
        }
    }

    fn arrive(&mut self, i: usize, to: f64, arriving: Arriving) {
        let vehicle = &mut self.vehicles[i];
        vehicle.was_m = ELSEWHERE;
        vehicle.at_m = to;
        let driven_s = if arriving.metres_before > 0.0 { STEP_S } else { arriving.seconds.max(1e-3) };
        vehicle.speed_mps = (arriving.metres_before + to) / driven_s;
        self.tally.travelled(arriving.seconds, to, super::vehicle::length_m(vehicle.class));
    }

    fn place(&mut self, i: usize, from: f64, to: f64) {
        let vehicle = &mut self.vehicles[i];
        vehicle.was_m = from;
        vehicle.at_m = to;
        vehicle.speed_mps = (to - from) / STEP_S;
        self.tally.travelled(STEP_S, to - from, super::vehicle::length_m(vehicle.class));
    }
}

/// Returns the length from the first to the last vehicle that stands.
pub(crate) fn standing_m(vehicles: &VecDeque<Vehicle>) -> f64 {
    let mut standing = vehicles.iter().filter(|v| v.speed_mps < STANDING_MPS);
    let Some(first) = standing.next() else { return 0.0 };
    let last = standing.next_back().unwrap_or(first);
    first.at_m - last.at_m + super::vehicle::length_m(last.class)
}
