//! Log lines about single messages, at most one in ten seconds of each sort: a flood of bad input must not become a
//! flood of log lines.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use model::Timestamp;

/// One sort of log line.
#[derive(Debug)]
pub(crate) struct Notice {
    next_ms: AtomicI64,
    held_back: AtomicU64,
}

impl Notice {
    pub(crate) const fn new() -> Self {
        Self { next_ms: AtomicI64::new(i64::MIN), held_back: AtomicU64::new(0) }
    }

    /// Returns how many were held back since the last one, when it is time for another.
    pub(crate) fn due(&self, now: Timestamp) -> Option<u64> {
        const EVERY_MS: i64 = 10_000;
        let (now, next) = (now.as_millis(), self.next_ms.load(Ordering::Relaxed));
        let mine = now >= next
            && self
                .next_ms
                .compare_exchange(next, now.saturating_add(EVERY_MS), Ordering::Relaxed, Ordering::Relaxed)
                .is_ok();
        if mine {
            return Some(self.held_back.swap(0, Ordering::Relaxed));
        }
        self.held_back.fetch_add(1, Ordering::Relaxed);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_in_ten_seconds_tells_of_the_others() {
        let notice = Notice::new();
        let due = |ms| notice.due(Timestamp::from_millis(ms));
        assert_eq!(due(0), Some(0));
        assert_eq!((due(1), due(9_999)), (None, None));
        assert_eq!(due(10_000), Some(2));
    }
}
