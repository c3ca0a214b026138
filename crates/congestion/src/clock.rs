//! How far a device's clock is from log time.
//!
//! The delay of a reading (log time less its stamp) is the road of the message plus the error of the clock. The road is
//! never negative and now and then short, so the smallest of the last readings' delays is the clock's error, up to that
//! short road. Two blocks of readings: the smallest of the running one and of the one before.

use model::Timestamp;
use serde::{Deserialize, Serialize};

/// Readings of a block: with delays of seconds (median 4 s, one in a hundred 60 s) the smallest of 8 is a short one.
const BLOCK: u8 = 8;

/// Readings before a clock is judged: one slow message is no wrong clock.
const ENOUGH: u8 = 3;

#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct DeviceClock {
    running: i64,
    before: i64,
    count: u8,
}

impl Default for DeviceClock {
    fn default() -> Self {
        Self { running: i64::MAX, before: i64::MAX, count: 0 }
    }
}

impl DeviceClock {
    /// Takes the delay of one reading.
    pub(crate) fn take(&mut self, at: Timestamp, received_at: Timestamp) {
        if self.count == 2 * BLOCK {
            (self.before, self.running, self.count) = (self.running, i64::MAX, BLOCK);
        }
        if self.count == BLOCK && self.before == i64::MAX {
            (self.before, self.running) = (self.running, i64::MAX);
        }
        self.running = self.running.min(received_at - at);
        self.count += 1;
    }

    /// Returns the clock's error, ms: how much too early it stamps; 0 while it may still be the message's road.
    pub(crate) fn error_ms(&self, off_ms: i64) -> i64 {
        let least = self.running.min(self.before);
        // No message comes before it was sent: two of them are no chance.
        let (behind, ahead) = (least > off_ms, least < -off_ms / 4);
        if behind && self.count >= ENOUGH || ahead && self.count > 1 { least } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(delays_s: &[i64]) -> i64 {
        let mut clock = DeviceClock::default();
        for (i, s) in delays_s.iter().enumerate() {
            let at = Timestamp::from_millis(i as i64 * 30_000);
            clock.take(at, at.plus_millis(s * 1000));
        }
        clock.error_ms(45_000)
    }

    #[test]
    fn a_slow_message_is_no_wrong_clock() {
        assert_eq!(judged(&[4, 70, 3, 5]), 0);
    }

    #[test]
    fn a_clock_behind_and_a_clock_ahead_are_seen() {
        assert_eq!(judged(&[94, 91, 130, 95]), 91_000);
        assert_eq!(judged(&[-86, -89, -40]), -89_000);
    }

    #[test]
    fn two_readings_from_the_future_are_enough() {
        assert_eq!(judged(&[-50]), 0);
        assert_eq!(judged(&[-50, -40]), -50_000);
    }

    #[test]
    fn a_mended_clock_is_believed_again() {
        let mut delays = vec![92; 20];
        delays.extend([3; 20]);
        assert_eq!(judged(&delays), 0);
    }
}
