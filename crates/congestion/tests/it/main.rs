//! What holds of the analyser as a whole: it is a fold of the log.

mod blocked_lane;
mod city;
mod explain;
mod expressway;
mod fold;
mod incidents;
mod readings;
mod states;
