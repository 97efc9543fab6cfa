//! Throttle of wrong passwords.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Wrong passwords of one user in [`WINDOW`].
const MAX_FAILURES: u32 = 10;
const WINDOW: Duration = Duration::from_secs(60);

/// Failures of each user. It is bounded, because names that are no user's count as one.
#[derive(Debug, Default)]
pub(super) struct Throttle {
    failures: Mutex<HashMap<Option<String>, Failures>>,
}

#[derive(Debug)]
struct Failures {
    count: u32,
    since: Instant,
}

impl Throttle {
    /// Returns the time to wait, if a user had too many failures.
    pub(super) fn wait(&self, user: Option<&str>, now: Instant) -> Option<Duration> {
        let failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        let failures = failures.get(&user.map(str::to_owned)).filter(|failures| failures.count >= MAX_FAILURES)?;
        (failures.since + WINDOW).checked_duration_since(now).filter(|wait| !wait.is_zero())
    }

    /// Counts a failure.
    pub(super) fn failed(&self, user: Option<&str>, now: Instant) {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        let failures = failures.entry(user.map(str::to_owned)).or_insert(Failures { count: 0, since: now });
        if now.duration_since(failures.since) >= WINDOW {
            *failures = Failures { count: 0, since: now };
        }
        failures.count = failures.count.saturating_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn throttles_one_user_for_a_minute() {
        let throttle = Throttle::default();
        let start = Instant::now();
        for _ in 0..MAX_FAILURES {
            assert_eq!(throttle.wait(Some("alice"), start), None);
            throttle.failed(Some("alice"), start);
        }
        assert_eq!(throttle.wait(Some("alice"), start + Duration::from_secs(20)), Some(Duration::from_secs(40)));
        assert_eq!(throttle.wait(Some("bob"), start), None);
        assert_eq!(throttle.wait(None, start), None);
        assert_eq!(throttle.wait(Some("alice"), start + WINDOW), None);
        throttle.failed(Some("alice"), start + WINDOW);
        assert_eq!(throttle.wait(Some("alice"), start + WINDOW), None, "a new window starts");
    }
}
