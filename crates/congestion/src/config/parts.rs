//! Parts of the analyser that can be left out.

use serde::{Deserialize, Serialize};

/// Parts of the analyser, each of which can be left out to see what it is worth. In service all are on.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PartsConfig {
    /// A loop's free passage leaves a jam behind it possible.
    pub hidden_jams: bool,
    /// A loop that falls silent is evidence for a jam.
    pub silence: bool,
    /// A signal whose green or red is held is evidence for a jam.
    pub signal_splits: bool,
    /// What is lost at a signal follows from its times, where it tells them, and from how many arrive.
    pub signal_delay: bool,
    /// Who was counted onto a link and not off it is there.
    pub conservation: bool,
    /// Density is corrected by the probes that are on a link.
    pub probe_density: bool,
    /// Travel times between two devices are evidence for the links between.
    pub travel_times: bool,
    /// What is typical in the city is learned.
    pub typical_learning: bool,
    /// How far the readings of each device scatter is learned.
    pub variances: bool,
    /// Evidence that neither a free link nor a jam explains is not taken at face value.
    pub gates: bool,
    /// Links without counters take the jam odds of their neighbours.
    pub neighbours: bool,
    /// What is usual of a link at this time of the week is what silent links and their neighbours are held against.
    pub weekly: bool,
    /// Expressways are smoothed along the road.
    pub smoothing: bool,
    /// Turn shares are fitted to what was counted.
    pub turn_fitting: bool,
    /// Turn shares learn from vehicles that were seen on one link and then on the next.
    pub journeys: bool,
    /// In a jam there are minutes in which nobody moves.
    pub standstills: bool,
    /// The minutes of a signal differ by its cycles, where one gives way by the gaps, those of a jam by how many leave it.
    pub minute_spread: bool,
    /// Of the minutes of a quiet street that have a speed more are jammed than of all, for in a jam there always is somebody.
    pub driven_minutes: bool,
    /// That far fewer pass than usual is a sign of an incident.
    pub fallen_flow: bool,
}

impl Default for PartsConfig {
    fn default() -> Self {
        Self {
            hidden_jams: true,
            silence: true,
            signal_splits: true,
            signal_delay: true,
            conservation: true,
            probe_density: true,
            travel_times: true,
            typical_learning: true,
            variances: true,
            gates: true,
            neighbours: true,
            weekly: true,
            smoothing: true,
            turn_fitting: true,
            journeys: true,
            standstills: true,
            minute_spread: true,
            driven_minutes: true,
            fallen_flow: true,
        }
    }
}
