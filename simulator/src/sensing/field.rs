//! The way from the device to the broker: events get lost, arrive twice, late, and so out of order.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use model::Timestamp;

use crate::event::Message;
use crate::random::{Draw, Stream};
use crate::scenario::Field;

/// A normal variable exceeds 2.326 standard deviations once in a hundred times.
const Z99: f64 = 2.326;

#[derive(Debug)]
pub(super) struct FieldPath {
    seed: u64,
    loss: f64,
    duplicates: f64,
    median_s: f64,
    sigma: f64,
    under_way: BinaryHeap<Reverse<Due>>,
    sent: u64,
}

#[derive(Debug)]
struct Due {
    at: Timestamp,
    order: u64,
    message: Message,
}

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.order) == (other.at, other.order)
    }
}

impl Eq for Due {}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Due {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.order).cmp(&(other.at, other.order))
    }
}

impl FieldPath {
    pub(super) fn new(field: &Field, seed: u64) -> Self {
        let spread = field.delay_p99_s / field.delay_median_s.max(1e-6);
        Self {
            seed,
            loss: field.loss,
            duplicates: field.duplicates,
            median_s: field.delay_median_s,
            sigma: if field.delay_median_s > 0.0 { spread.ln() / Z99 } else { 0.0 },
            under_way: BinaryHeap::new(),
            sent: 0,
        }
    }

    /// Takes a message at the time at which it is sent; `nonce` tells it from the device's others.
    pub(super) fn send(&mut self, message: Message, nonce: u64) {
        let mut draw = Draw::new(self.seed, Stream::Loss, u64::from(message.sensor), nonce);
        if draw.chance(self.loss) {
            return;
        }
        if draw.chance(self.duplicates) {
            self.put(message.clone(), &mut draw);
        }
        self.put(message, &mut draw);
    }

    fn put(&mut self, mut message: Message, draw: &mut Draw) {
        let delay_s = self.median_s * (self.sigma * draw.normal()).exp();
        message.arrives = message.arrives.plus_millis((delay_s * 1000.0) as i64);
        self.sent += 1;
        self.under_way.push(Reverse(Due { at: message.arrives, order: self.sent, message }));
    }

    /// Returns what has arrived by that time, in order of arrival.
    pub(super) fn arrived(&mut self, by: Timestamp) -> Vec<Message> {
        let mut all = Vec::new();
        while self.under_way.peek().is_some_and(|Reverse(due)| due.at <= by) {
            all.extend(self.under_way.pop().map(|Reverse(due)| due.message));
        }
        all
    }
}
