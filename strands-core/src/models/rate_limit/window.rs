//! How much was spent within the last interval. A window that slides, and not a bucket that refills: a bucket lets twice
//! its size through in its first interval, and a limit is what a user can rely on.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// Into how many parts a window is divided at least, before what was spent at different times is counted as one. This
/// bounds what is remembered; it makes a wait longer by this part of the interval at most.
const PARTS: u32 = 64;

/// What may be spent within any interval of this length.
#[derive(Debug)]
pub(super) struct Window {
    limit: u64,
    interval: Duration,
    spent: VecDeque<Spent>,
    total: u64,
}

#[derive(Debug)]
struct Spent {
    first: Instant,
    last: Instant,
    amount: u64,
}

impl Window {
    pub(super) fn new(limit: u64, interval: Duration) -> Self {
        Self { limit, interval, spent: VecDeque::new(), total: 0 }
    }

    /// How long until `amount` fits. What is larger than the limit fits when nothing else is there.
    pub(super) fn wait(&mut self, amount: u64, now: Instant) -> Duration {
        while self.spent.front().is_some_and(|oldest| now.duration_since(oldest.last) >= self.interval) {
            if let Some(oldest) = self.spent.pop_front() {
                self.total = self.total.saturating_sub(oldest.amount);
            }
        }
        let mut left = self.total;
        let mut wait = Duration::ZERO;
        for spent in &self.spent {
            if left.saturating_add(amount) <= self.limit {
                break;
            }
            left = left.saturating_sub(spent.amount);
            wait = self.interval.saturating_sub(now.duration_since(spent.last));
        }
        wait
    }

    pub(super) fn spend(&mut self, amount: u64, now: Instant) {
        if amount == 0 {
            return;
        }
        self.total = self.total.saturating_add(amount);
        match self.spent.back_mut() {
            Some(newest) if now.duration_since(newest.first) < self.interval / PARTS => {
                newest.amount = newest.amount.saturating_add(amount);
                newest.last = now;
            }
            _ => self.spent.push_back(Spent { first: now, last: now, amount }),
        }
    }

    /// Takes back what was spent at `at` and turned out not to be, where that is still counted.
    pub(super) fn give_back(&mut self, amount: u64, at: Instant) {
        let within = |spent: &&mut Spent| spent.first <= at && at <= spent.last;
        if let Some(spent) = self.spent.iter_mut().rev().find(within) {
            let amount = amount.min(spent.amount);
            spent.amount -= amount;
            self.total = self.total.saturating_sub(amount);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_interval_has_more_than_the_limit_and_memory_is_bounded(
            limit in 1_u64..20,
            asked in prop::collection::vec((1_u64..25, 0_u64..3_000), 1..200),
        ) {
            let interval = Duration::from_secs(1);
            let mut window = Window::new(limit, interval);
            let mut now = Instant::now();
            let mut spent: Vec<(Instant, u64)> = Vec::new();
            for (amount, later) in asked {
                now += Duration::from_millis(later % 300);
                now += window.wait(amount, now);
                prop_assert_eq!(window.wait(amount, now), Duration::ZERO, "the wait was long enough");
                window.spend(amount, now);
                spent.push((now, amount));
                let within: Vec<_> = spent.iter().filter(|(at, _)| now.duration_since(*at) < interval).collect();
                let total: u64 = within.iter().map(|(_, amount)| amount).sum();
                prop_assert!(total <= limit || within.len() == 1, "{within:?}");
                prop_assert!(window.spent.len() <= PARTS as usize + 1);
            }
        }
    }

    #[test]
    fn a_wait_is_no_longer_than_needed() {
        let mut window = Window::new(2, Duration::from_secs(60));
        let began = Instant::now();
        window.spend(1, began);
        window.spend(1, began + Duration::from_secs(20));
        assert_eq!(window.wait(1, began + Duration::from_secs(30)), Duration::from_secs(30));
        assert_eq!(window.wait(2, began + Duration::from_secs(30)), Duration::from_secs(50));
        assert_eq!(window.wait(9, began + Duration::from_secs(30)), Duration::from_secs(50));
        assert_eq!(window.wait(1, began + Duration::from_secs(60)), Duration::ZERO);
    }

    #[test]
    fn counting_in_parts_makes_a_wait_longer_by_one_part_at_most() {
        let interval = Duration::from_secs(60);
        let mut window = Window::new(120, interval);
        let began = Instant::now();
        let spent = (0..120).map(|at| began + Duration::from_millis(500) * at);
        let now = spent.inspect(|at| window.spend(1, *at)).last().unwrap();
        let exact = interval - now.duration_since(began);
        assert!((exact..=exact + interval / PARTS).contains(&window.wait(1, now)));
    }

    #[test]
    fn what_was_not_spent_is_given_back_once() {
        let mut window = Window::new(10, Duration::from_secs(60));
        let began = Instant::now();
        window.spend(8, began);
        window.give_back(5, began);
        assert_eq!(window.wait(7, began), Duration::ZERO);
        window.give_back(100, began);
        assert_eq!(window.wait(10, began), Duration::ZERO);
        window.give_back(1, began + Duration::from_secs(1));
        window.spend(10, began);
        assert!(window.wait(1, began) > Duration::ZERO);
    }
}
