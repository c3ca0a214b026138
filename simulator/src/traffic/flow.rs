//! The fundamental diagram: how fast a stream of vehicles moves at which density.
//!
//! Everything is per link and in motorcycle units (MCU): in mixed traffic there are no lanes to speak of, so capacity
//! comes per metre of width.

/// Motorcycle units per second and metre of width at saturation. Hanoi's approaches carry 6,100 to 7,200 MCU an hour
/// and lane of 3.5 m (ASCE Journal of Transportation Engineering 138(6), 2012); 1,900 MCU an hour and metre lies between.
pub(crate) const SATURATION_PER_M: f64 = 1900.0 / 3600.0;

/// Congestion travels backwards at 15 km/h; published values lie between 15 and 20.
pub(crate) const WAVE_MPS: f64 = 15.0 / 3.6;

/// At capacity the stream is slower than free by this share.
pub(crate) const SLOWING: f64 = 0.18;

/// A bottleneck that has broken down discharges less than its capacity by this share (literature: 5 to 15 %).
/// Signals are exempt: their saturation flow is measured from standing queues.
pub(crate) const CAPACITY_DROP: f64 = 0.10;

/// Speed, capacity and densities of one link.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct FundamentalDiagram {
    /// Of a lone vehicle, m/s.
    pub free_mps: f64,
    /// Of a disturbance in a queue, against the traffic, m/s.
    pub wave_mps: f64,
    /// MCU per second over the whole width.
    pub capacity_per_s: f64,
    /// MCU per metre at capacity.
    pub critical_per_m: f64,
    /// MCU per metre when all stand.
    pub jam_per_m: f64,
    slowing: f64,
}

impl FundamentalDiagram {
    /// Returns the diagram of a carriageway: `width_m` metres wide, `free_mps` fast when empty.
    pub fn of_width(free_mps: f64, width_m: f64) -> Self {
        Self::new(free_mps, SATURATION_PER_M * width_m, SLOWING)
    }

    /// Returns a triangular diagram: vehicles go at free speed up to capacity.
    pub fn triangular(free_mps: f64, capacity_per_s: f64) -> Self {
        Self::new(free_mps, capacity_per_s, 0.0)
    }

    fn new(free_mps: f64, capacity_per_s: f64, slowing: f64) -> Self {
        let critical_per_m = capacity_per_s / (free_mps * (1.0 - slowing));
        let jam_per_m = critical_per_m + capacity_per_s / WAVE_MPS;
        Self { free_mps, wave_mps: WAVE_MPS, capacity_per_s, critical_per_m, jam_per_m, slowing }
    }

    /// Returns the speed that a vehicle takes when none hinders it, at this mean density of the link.
    pub fn free_at(&self, density_per_m: f64) -> f64 {
        self.free_mps * (1.0 - self.slowing * (density_per_m / self.critical_per_m).min(1.0))
    }

    /// Returns the flow of a steady stream of that density, MCU per second.
    pub fn flow_at(&self, density_per_m: f64) -> f64 {
        let free = density_per_m * self.free_at(density_per_m);
        let congested = self.wave_mps * (self.jam_per_m - density_per_m).max(0.0);
        free.min(congested)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_branches_meet_at_capacity() {
        for diagram in [FundamentalDiagram::of_width(13.9, 7.0), FundamentalDiagram::triangular(13.9, 3.0)] {
            let peak = diagram.flow_at(diagram.critical_per_m);
            assert!((peak / diagram.capacity_per_s - 1.0).abs() < 1e-9, "{peak}");
            assert!(diagram.flow_at(diagram.jam_per_m) < 1e-12);
        }
    }

    #[test]
    fn a_lane_of_cars_has_the_capacity_and_spacing_that_textbooks_give() {
        let lane = FundamentalDiagram::of_width(50.0 / 3.6, 3.5);
        let cars_per_hour = lane.capacity_per_s / 3.4 * 3600.0;
        let spacing_m = 3.4 / lane.jam_per_m;
        assert!((1800.0..2100.0).contains(&cars_per_hour), "{cars_per_hour}");
        assert!((5.0..7.5).contains(&spacing_m), "{spacing_m}");
    }
}
