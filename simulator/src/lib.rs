//! A city that moves: traffic, imperfect sensors, faults and the truth.
//!
//! This crate knows roads (`roadnet`) and words (`model`) alone. It never knows how the service decodes, estimates or
//! serves: its encoders are its own, so that one bug can't hide another.
//!
//! Words: a *city* is a road network with devices and *zones*, where trips begin and end; a *scenario* says which city,
//! which hour, which incidents and which faults; *truth* is what really happened on each link in each minute.
//!
//! Start with [`city::demo`] for a city and [`Scenario`] for what happens in it.

pub mod city;
mod random;
