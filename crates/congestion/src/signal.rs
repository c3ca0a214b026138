//! Delay at a traffic light.

/// Seconds that a vehicle loses at a light of which nothing is known: Webster's uniform delay `r^2 / 2C` with a cycle of
/// 60 s that is half red, in undersaturated flow with some platoons.
pub(crate) const USUAL_DELAY_S: f64 = 10.0;
