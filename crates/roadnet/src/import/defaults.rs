//! What a road is taken for where the map is silent: the one table of lanes, widths and speeds by class.
//!
//! Speeds follow Vietnamese law for built-up areas (Circular 38/2024/TT-BGTVT: 60 km/h where directions are divided or a
//! one-way road has two lanes, else 50), lowered on small streets to what can be driven there: a default stands in for the
//! free-flow speed until that is learned. Expressways are signed 80 to 120; 100 is the middle. Lane widths are those that
//! urban design uses: 3.75 m on expressways, 3.5 m on arteries, 3 m or less on streets; an alley is 2 m between its
//! walls. Each value that comes from here is marked in [`crate::Defaults`].

use crate::RoadClass;

/// What a class of road usually is, per direction.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Usual {
    /// Lanes of one direction of a two-way road.
    pub(super) lanes_two_way: f32,
    /// Lanes of a one-way road.
    pub(super) lanes_one_way: f32,
    /// Width of one lane.
    pub(super) lane_width_m: f32,
    /// Speed on a two-way road.
    pub(super) speed_two_way_kmh: f32,
    /// Speed on a one-way road; dual carriageways are drawn as two of these.
    pub(super) speed_one_way_kmh: f32,
}

/// Returns what a road of that class usually is.
pub(super) fn usual(class: RoadClass, ramp: Ramp) -> Usual {
    let [lanes_two_way, lanes_one_way, lane_width_m, speed_two_way_kmh, speed_one_way_kmh] =
        match (class, ramp) {
            // A ramp has one lane and bends.
            (RoadClass::Motorway | RoadClass::Trunk, Ramp::Yes) => [1.0, 1.0, 3.75, 50.0, 50.0],
            (_, Ramp::Yes) => [1.0, 1.0, 3.5, 40.0, 40.0],
            (RoadClass::Motorway, Ramp::No) => [2.0, 2.0, 3.75, 100.0, 100.0],
            (RoadClass::Trunk, Ramp::No) => [1.0, 2.0, 3.5, 60.0, 70.0],
            (RoadClass::Primary, Ramp::No) => [1.0, 2.0, 3.5, 50.0, 60.0],
            (RoadClass::Secondary, Ramp::No) => [1.0, 2.0, 3.5, 50.0, 60.0],
            (RoadClass::Tertiary, Ramp::No) => [1.0, 1.0, 3.25, 50.0, 50.0],
            (RoadClass::Unclassified, Ramp::No) => [1.0, 1.0, 3.0, 40.0, 40.0],
            (RoadClass::Residential, Ramp::No) => [1.0, 1.0, 2.75, 30.0, 30.0],
            // One lane serves both directions.
            (RoadClass::Service, Ramp::No) => [0.5, 1.0, 3.0, 20.0, 20.0],
            (RoadClass::Alley, Ramp::No) => [0.5, 1.0, 2.0, 15.0, 15.0],
        };
    Usual { lanes_two_way, lanes_one_way, lane_width_m, speed_two_way_kmh, speed_one_way_kmh }
}

/// Lanes and width of a direction that only two-wheelers may use against a one-way street: they squeeze along the kerb.
pub(super) const CONTRAFLOW_LANES: f32 = 0.5;
/// See [`CONTRAFLOW_LANES`].
pub(super) const CONTRAFLOW_WIDTH_M: f32 = 1.5;

/// Whether a road is a slip road (`highway=*_link`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Ramp {
    Yes,
    No,
}
