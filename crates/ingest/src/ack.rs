//! The promise of the acknowledgement: it leaves when the log holds the event, and everything before it on that
//! connection too (MQTT-4.6.0-2: in the order of receipt).
//!
//! A connection opens one [`Window`]. It takes a [`Ticket`] for each batch that it hands over, in order; whoever made
//! the batch durable settles the ticket, in any order; the connection takes what is released: the tickets of the
//! contiguous settled prefix. A ticket that is dropped unsettled holds back all after it: then nothing more is
//! acknowledged on that connection, and the device sends again after it has reconnected.
//!
//! A window is never used for two connections, so a late settlement can't acknowledge what came over another one.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// The acknowledgements of one connection.
#[derive(Debug, Default)]
pub(crate) struct Window {
    order: Mutex<Order>,
    released: Notify,
}

/// A place in the order of one connection.
#[derive(Debug)]
pub(crate) struct Ticket {
    window: Arc<Window>,
    number: u64,
}

impl Window {
    pub(crate) fn open() -> Arc<Self> {
        Arc::default()
    }

    pub(crate) fn ticket(self: &Arc<Self>) -> Ticket {
        Ticket { number: self.order().take_number(), window: Arc::clone(self) }
    }

    /// Returns how many tickets have been released since the last call, oldest first.
    pub(crate) fn take_released(&self) -> usize {
        self.order().take_released()
    }

    /// Waits until something may have been released since the last wait. Cancel-safe.
    pub(crate) async fn changed(&self) {
        self.released.notified().await;
    }

    fn order(&self) -> MutexGuard<'_, Order> {
        // Nothing in `Order` can panic half-way.
        self.order.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ticket {
    /// Tells the connection that the log holds what this ticket stands for.
    pub(crate) fn settle(self) {
        if self.window.order().settle(self.number) {
            self.window.released.notify_one();
        }
    }
}

/// Which of the numbers that were given out are settled.
#[derive(Debug, Default)]
struct Order {
    /// The oldest number that was not released yet.
    first: u64,
    /// For `first` and those after it: settled?
    settled: VecDeque<bool>,
    /// Released, not yet taken.
    released: usize,
}

impl Order {
    fn take_number(&mut self) -> u64 {
        self.settled.push_back(false);
        self.first + (self.settled.len() as u64 - 1)
    }

    /// Returns whether that released anything.
    fn settle(&mut self, number: u64) -> bool {
        let place = number.checked_sub(self.first).and_then(|place| usize::try_from(place).ok());
        let Some(slot) = place.and_then(|place| self.settled.get_mut(place)) else { return false };
        *slot = true;
        let before = self.released;
        while self.settled.front() == Some(&true) {
            self.settled.pop_front();
            self.first += 1;
            self.released += 1;
        }
        self.released > before
    }

    fn take_released(&mut self) -> usize {
        std::mem::take(&mut self.released)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Whatever is settled in whatever order, what is released is the longest settled prefix.
        #[test]
        fn exactly_the_settled_prefix_is_released(
            order in Just((0..40_u64).collect::<Vec<_>>()).prop_shuffle(),
            settled in 0..=40_usize,
            taken_after in prop::collection::vec(any::<bool>(), 40),
        ) {
            let mut window = Order::default();
            let numbers: Vec<u64> = (0..40).map(|_| window.take_number()).collect();
            prop_assert_eq!(numbers, (0..40).collect::<Vec<_>>());
            let (mut done, mut released) = (std::collections::BTreeSet::new(), 0);
            for (number, take) in order.into_iter().take(settled).zip(taken_after) {
                window.settle(number);
                done.insert(number);
                if take {
                    released += window.take_released();
                    let prefix = (0..).take_while(|n| done.contains(n)).count();
                    prop_assert_eq!(released, prefix);
                }
            }
            released += window.take_released();
            prop_assert_eq!(released, (0..).take_while(|n| done.contains(n)).count());
        }
    }

    #[test]
    fn a_ticket_that_is_dropped_holds_back_all_after_it() {
        let window = Window::open();
        let (first, second, third) = (window.ticket(), window.ticket(), window.ticket());
        third.settle();
        drop(second);
        first.settle();
        assert_eq!(window.take_released(), 1);
    }

    #[tokio::test]
    async fn a_release_before_the_wait_is_not_missed() {
        let window = Window::open();
        window.ticket().settle();
        window.changed().await;
        assert_eq!(window.take_released(), 1);
    }
}
