//! When a failed model call is made again, and after how long.

use std::time::Duration;

use super::ModelError;

/// When a failed model call is made again: throttling, overload, failed connections and timeouts are, with exponential
/// backoff and full jitter, for as long as attempts and time last. What the provider says in `Retry-After` goes before
/// the backoff.
///
/// The default makes 6 attempts, waits at most 4, 8, 16, 32 and 64 seconds between them and gives up after 10 minutes.
///
/// ```
/// use std::time::Duration;
/// use strands_core::RetryPolicy;
///
/// let patient = RetryPolicy::new().max_attempts(10).initial_delay(Duration::from_secs(1));
/// let never = RetryPolicy::never();
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RetryPolicy {
    max_attempts: u32,
    initial_delay: Duration,
    max_delay: Duration,
    max_elapsed: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self::new()
    }
}

impl RetryPolicy {
    /// The default.
    pub const fn new() -> Self {
        Self {
            max_attempts: 6,
            initial_delay: Duration::from_secs(4),
            max_delay: Duration::from_secs(240),
            max_elapsed: Duration::from_secs(600),
        }
    }

    /// One attempt only.
    pub const fn never() -> Self {
        Self { max_attempts: 1, ..Self::new() }
    }

    /// The most attempts, the first included.
    #[must_use]
    pub const fn max_attempts(mut self, attempts: u32) -> Self {
        self.max_attempts = attempts;
        self
    }

    /// The longest wait before the second attempt; it doubles with each.
    #[must_use]
    pub const fn initial_delay(mut self, delay: Duration) -> Self {
        self.initial_delay = delay;
        self
    }

    /// The longest wait before any attempt.
    #[must_use]
    pub const fn max_delay(mut self, delay: Duration) -> Self {
        self.max_delay = delay;
        self
    }

    /// How long after the first attempt another may begin.
    #[must_use]
    pub const fn max_elapsed(mut self, elapsed: Duration) -> Self {
        self.max_elapsed = elapsed;
        self
    }

    /// How long to wait after `attempts` failed ones, `elapsed` after the first began. `None`: give up.
    /// `jitter` is a random number, at least 0.0 and below 1.0.
    pub(crate) fn delay(&self, error: &ModelError, attempts: u32, elapsed: Duration, jitter: f64) -> Option<Duration> {
        if !error.is_retryable() || attempts >= self.max_attempts {
            return None;
        }
        let delay = error.retry_after().unwrap_or_else(|| {
            let doubled = 2_u32.saturating_pow(attempts.saturating_sub(1));
            let longest = self.initial_delay.saturating_mul(doubled).min(self.max_delay);
            longest.mul_f64(jitter)
        });
        (elapsed.saturating_add(delay) <= self.max_elapsed).then_some(delay)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn throttled(retry_after: Option<u64>) -> ModelError {
        ModelError::Throttled { retry_after: retry_after.map(Duration::from_secs), details: Box::default() }
    }

    #[test]
    fn waits_grow_to_their_bound_and_are_jittered() {
        let policy = RetryPolicy::new().max_attempts(100).max_elapsed(Duration::MAX);
        let longest = |attempts| {
            (0..200).filter_map(|_| policy.delay(&throttled(None), attempts, Duration::ZERO, fastrand::f64())).max()
        };
        assert!(longest(1).unwrap() <= Duration::from_secs(4));
        assert!(longest(3).unwrap() <= Duration::from_secs(16) && longest(3).unwrap() > Duration::from_secs(8));
        assert!(longest(60).unwrap() <= Duration::from_secs(240) && longest(60).unwrap() > Duration::from_secs(120));
    }

    #[test]
    fn the_provider_knows_best_how_long() {
        let delay = RetryPolicy::new().delay(&throttled(Some(7)), 1, Duration::ZERO, 0.5);
        assert_eq!(delay, Some(Duration::from_secs(7)));
        assert_eq!(RetryPolicy::new().delay(&throttled(Some(3600)), 1, Duration::ZERO, 0.5), None);
    }

    #[test]
    fn gives_up_by_attempts_by_time_and_by_kind() {
        let policy = RetryPolicy::new();
        assert!(policy.delay(&throttled(None), 5, Duration::ZERO, 0.5).is_some());
        assert_eq!(policy.delay(&throttled(None), 6, Duration::ZERO, 0.5), None);
        assert_eq!(policy.delay(&throttled(Some(1)), 1, Duration::from_secs(600), 0.5), None);
        let refused = ModelError::InvalidRequest { details: Box::default() };
        assert_eq!(policy.delay(&refused, 1, Duration::ZERO, 0.5), None);
    }
}
