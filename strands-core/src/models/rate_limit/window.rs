//! Sliding window of the amounts spent within an interval. A token bucket would admit twice its size in the first interval,
//! which exceeds the limit.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// Minimum number of parts of a window. Amounts within one part are merged, which bounds memory and lengthens a wait by at
/// most one part of the interval.
const PARTS: u32 = 64;

/// Limit of the amount that may be spent within any interval.
#[derive(Debug)]
pub(crate) struct Window {
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
    pub(crate) fn new(limit: u64, interval: Duration) -> Self {
        Self { limit, interval, spent: VecDeque::new(), total: 0 }
    }

    /// Returns the wait until `amount` fits. An amount above the limit fits when the window is empty.
    pub(crate) fn wait(&mut self, amount: u64, now: Instant) -> Duration {
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

    pub(crate) fn spend(&mut self, amount: u64, now: Instant) {
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

    /// Subtracts an amount spent at `at`, unless it has left the window.
    pub(crate) fn refund(&mut self, amount: u64, at: Instant) {
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
        fn every_interval_stays_within_the_limit_in_bounded_memory(
            limit in 1_u64..20,
            requests in prop::collection::vec((1_u64..25, 0_u64..3_000), 1..200),
        ) {
            let interval = Duration::from_secs(1);
            let mut window = Window::new(limit, interval);
            let mut now = Instant::now();
            let mut spent: Vec<(Instant, u64)> = Vec::new();
            for (amount, later) in requests {
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
    fn waits_no_longer_than_needed() {
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
    fn merging_lengthens_a_wait_by_at_most_one_part() {
        let interval = Duration::from_secs(60);
        let mut window = Window::new(120, interval);
        let began = Instant::now();
        let spent = (0..120).map(|at| began + Duration::from_millis(500) * at);
        let now = spent.inspect(|at| window.spend(1, *at)).last().unwrap();
        let exact = interval - now.duration_since(began);
        assert!((exact..=exact + interval / PARTS).contains(&window.wait(1, now)));
    }

    #[test]
    fn refunds_an_amount_once() {
        let mut window = Window::new(10, Duration::from_secs(60));
        let began = Instant::now();
        window.spend(8, began);
        window.refund(5, began);
        assert_eq!(window.wait(7, began), Duration::ZERO);
        window.refund(100, began);
        assert_eq!(window.wait(10, began), Duration::ZERO);
        window.refund(1, began + Duration::from_secs(1));
        window.spend(10, began);
        assert!(window.wait(1, began) > Duration::ZERO);
    }
}
