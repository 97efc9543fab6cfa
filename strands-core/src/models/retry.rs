//! When a failed model call is made again, and after how long.

use std::time::Duration;

use super::ModelError;

/// Retry policy of model calls: exponential backoff with full jitter.
///
/// Throttling, overload, responses that broke off and timeouts are retried with exponential backoff and full jitter, for as
/// long as attempts and time last. `Retry-After` of the provider takes the place of the backoff, up to
/// [`max_delay`](Self::max_delay); a provider that says to wait beyond [`max_elapsed`](Self::max_elapsed) is not asked again.
///
/// Two kinds of error are retried twice at most:
/// [`Unreachable`](ModelError::Unreachable), within 2 seconds, and [`MalformedOutput`](ModelError::MalformedOutput), at once.
///
/// The default makes 6 attempts, waits at most 4, 8, 16, 32 and 64 seconds between them and gives up after 10 minutes.
///
/// ```
/// use std::time::Duration;
/// use strands::RetryPolicy;
///
/// let patient = RetryPolicy::new().max_attempts(10).initial_delay(Duration::from_secs(1));
/// let never = RetryPolicy::never();
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[doc(alias = "rate_limit", alias = "backoff", alias = "retry_strategy")]
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

    /// The longest wait before any attempt, also where the provider's `Retry-After` says to wait for longer. Default: 240
    /// seconds.
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

    /// Returns the delay after these failures, of which `error` is the last, `elapsed` after the first attempt began;
    /// `None` to give up. `jitter` is a random number, at least 0.0 and below 1.0.
    pub(crate) fn delay(
        &self,
        error: &ModelError,
        failures: Failures,
        elapsed: Duration,
        jitter: f64,
    ) -> Option<Duration> {
        if !error.is_retryable() || failures.all >= self.max_attempts {
            return None;
        }
        let backoff = |initial: Duration, failures: u32| {
            let doubled = 2_u32.saturating_pow(failures.saturating_sub(1));
            initial.saturating_mul(doubled).min(self.max_delay).mul_f64(jitter)
        };
        let wanted = match error {
            ModelError::Unreachable { .. } if failures.unreachable > FEW => return None,
            ModelError::MalformedOutput { .. } if failures.malformed > FEW => return None,
            ModelError::Unreachable { .. } => backoff(self.initial_delay.min(SOON), failures.unreachable),
            ModelError::MalformedOutput { .. } => Duration::ZERO,
            _ => error.retry_after().unwrap_or_else(|| backoff(self.initial_delay, failures.all)),
        };
        (elapsed.saturating_add(wanted) <= self.max_elapsed).then_some(wanted.min(self.max_delay))
    }
}

/// The most retries of an error that the next attempts either cure or never will.
const FEW: u32 = 2;
/// The longest wait before a provider is asked again that could not be reached. It doubles, so that all waits together are
/// shorter than 2 seconds.
const SOON: Duration = Duration::from_millis(500);

/// Failed attempts of one model call.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Failures {
    all: u32,
    unreachable: u32,
    malformed: u32,
}

impl Failures {
    /// Counts another one.
    pub(crate) fn add(&mut self, error: &ModelError) {
        self.all = self.all.saturating_add(1);
        match error {
            ModelError::Unreachable { .. } => self.unreachable = self.unreachable.saturating_add(1),
            ModelError::MalformedOutput { .. } => self.malformed = self.malformed.saturating_add(1),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn throttled(retry_after: Option<u64>) -> ModelError {
        ModelError::Throttled { retry_after: retry_after.map(Duration::from_secs), details: Box::default() }
    }

    /// The delay after so many failures of this kind.
    fn delay(policy: RetryPolicy, error: &ModelError, failures: u32, jitter: f64) -> Option<Duration> {
        let mut counted = Failures::default();
        (0..failures).for_each(|_| counted.add(error));
        policy.delay(error, counted, Duration::ZERO, jitter)
    }

    #[test]
    fn waits_grow_to_their_bound_and_are_jittered() {
        let policy = RetryPolicy::new().max_attempts(100).max_elapsed(Duration::MAX);
        let longest =
            |failures| (0..200).filter_map(|_| delay(policy, &throttled(None), failures, fastrand::f64())).max();
        assert!(longest(1).unwrap() <= Duration::from_secs(4));
        assert!(longest(3).unwrap() <= Duration::from_secs(16) && longest(3).unwrap() > Duration::from_secs(8));
        assert!(longest(60).unwrap() <= Duration::from_secs(240) && longest(60).unwrap() > Duration::from_secs(120));
    }

    #[test]
    fn retry_after_is_waited_for_up_to_the_longest_delay() {
        let after = |policy, seconds| delay(policy, &throttled(Some(seconds)), 1, 0.5);
        assert_eq!(after(RetryPolicy::new(), 7), Some(Duration::from_secs(7)));
        assert_eq!(after(RetryPolicy::new(), 300), Some(Duration::from_secs(240)));
        assert_eq!(after(RetryPolicy::new().max_delay(Duration::from_secs(1)), 30), Some(Duration::from_secs(1)));
        // Nobody answers within the time that there is.
        assert_eq!(after(RetryPolicy::new(), 3600), None);
        assert_eq!(after(RetryPolicy::new().max_delay(Duration::from_secs(1)), 3600), None);
    }

    #[test]
    fn gives_up_by_attempts_by_time_and_by_kind() {
        let policy = RetryPolicy::new();
        assert!(delay(policy, &throttled(None), 5, 0.5).is_some());
        assert_eq!(delay(policy, &throttled(None), 6, 0.5), None);
        let mut once = Failures::default();
        once.add(&throttled(Some(1)));
        assert_eq!(policy.delay(&throttled(Some(1)), once, Duration::from_secs(600), 0.5), None);
        let refused = ModelError::InvalidRequest { details: Box::default() };
        assert_eq!(delay(policy, &refused, 1, 0.5), None);
    }

    #[test]
    fn what_can_not_be_reached_is_tried_twice_more_within_two_seconds() {
        let unreachable = ModelError::Unreachable { details: Box::default() };
        let policy = RetryPolicy::new();
        let waits = [1, 2].map(|failures| delay(policy, &unreachable, failures, 0.999).unwrap());
        assert!(waits.iter().sum::<Duration>() < Duration::from_secs(2), "{waits:?}");
        assert_eq!(delay(policy, &unreachable, 3, 0.5), None);
        assert_eq!(delay(RetryPolicy::never(), &unreachable, 1, 0.5), None);
    }

    #[test]
    fn malformed_output_is_asked_for_again_at_once_and_twice() {
        let malformed = ModelError::MalformedOutput { details: Box::default() };
        let policy = RetryPolicy::new();
        assert_eq!(
            [1, 2, 3].map(|failures| delay(policy, &malformed, failures, 0.5)),
            [Some(Duration::ZERO), Some(Duration::ZERO), None]
        );
        // Other failures before it do not count.
        let mut failures = Failures::default();
        [&throttled(None), &throttled(None), &malformed].into_iter().for_each(|error| failures.add(error));
        assert_eq!(policy.delay(&malformed, failures, Duration::ZERO, 0.5), Some(Duration::ZERO));
    }
}
