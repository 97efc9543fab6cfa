//! Retry policy: exponential backoff with full jitter.

use std::time::Duration;

use super::ModelError;

/// Retry policy of model calls: exponential backoff with full jitter.
///
/// Throttling, overload, responses that broke off and timeouts are retried with exponential backoff and full jitter, for as
/// long as attempts and time last. `Retry-After` of the provider takes the place of the backoff, up to
/// [`max_delay`](Self::max_delay). A call whose `Retry-After` lies beyond [`max_elapsed`](Self::max_elapsed) is not retried.
///
/// Two kinds of error are retried twice at most:
/// [`Unreachable`](ModelError::Unreachable), within 2 seconds, and [`MalformedOutput`](ModelError::MalformedOutput), at once.
///
/// The default makes at most 6 attempts, waits at most 4, 8, 16, 32 and 64 seconds between them, and gives up after 10
/// minutes.
///
/// ```
/// use std::time::Duration;
/// use strands::RetryPolicy;
///
/// let persistent = RetryPolicy::new().max_attempts(10).initial_delay(Duration::from_secs(1));
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
    /// Creates the default policy.
    pub const fn new() -> Self {
        Self {
            max_attempts: 6,
            initial_delay: Duration::from_secs(4),
            max_delay: Duration::from_secs(240),
            max_elapsed: Duration::from_secs(600),
        }
    }

    /// Creates a policy of one attempt and no retry.
    pub const fn never() -> Self {
        Self { max_attempts: 1, ..Self::new() }
    }

    /// Maximum number of attempts, including the first. Default: 6.
    #[must_use]
    pub const fn max_attempts(mut self, attempts: u32) -> Self {
        self.max_attempts = attempts;
        self
    }

    /// Maximum wait before the second attempt; it doubles with each attempt. Default: 4 seconds.
    #[must_use]
    pub const fn initial_delay(mut self, delay: Duration) -> Self {
        self.initial_delay = delay;
        self
    }

    /// Maximum wait before any attempt, even if the provider's `Retry-After` asks for more. Default: 240 seconds.
    #[must_use]
    pub const fn max_delay(mut self, delay: Duration) -> Self {
        self.max_delay = delay;
        self
    }

    /// Time after the first attempt within which another may begin. Default: 10 minutes.
    #[must_use]
    pub const fn max_elapsed(mut self, elapsed: Duration) -> Self {
        self.max_elapsed = elapsed;
        self
    }

    /// Returns the delay after this many failures of other work than a model call, `elapsed` after its first attempt began; `None`
    /// to give up. The jitter is random.
    pub fn delay_after(&self, failures: u32, elapsed: Duration) -> Option<Duration> {
        let delay = backoff(self.initial_delay, self.max_delay, failures, fastrand::f64());
        (failures < self.max_attempts && elapsed.saturating_add(delay) <= self.max_elapsed).then_some(delay)
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
        let backoff = |initial, failures| backoff(initial, self.max_delay, failures, jitter);
        let delay = match error {
            ModelError::Unreachable { .. } if failures.unreachable > QUICK_RETRIES => return None,
            ModelError::MalformedOutput { .. } if failures.malformed > QUICK_RETRIES => return None,
            ModelError::Unreachable { .. } => backoff(self.initial_delay.min(UNREACHABLE_DELAY), failures.unreachable),
            ModelError::MalformedOutput { .. } => Duration::ZERO,
            _ => error.retry_after().unwrap_or_else(|| backoff(self.initial_delay, failures.all)),
        };
        (elapsed.saturating_add(delay) <= self.max_elapsed).then_some(delay.min(self.max_delay))
    }
}

/// Returns a delay of full jitter: a part of `initial`, doubled with each failure after the first, up to `max`. `jitter` is a
/// random number, at least 0.0 and below 1.0.
pub(crate) fn backoff(initial: Duration, max: Duration, failures: u32, jitter: f64) -> Duration {
    let doubled = 2_u32.saturating_pow(failures.saturating_sub(1));
    initial.saturating_mul(doubled).min(max).mul_f64(jitter)
}

/// Maximum number of retries of errors that either disappear at once or stay: no connection, and malformed output.
const QUICK_RETRIES: u32 = 2;
/// Maximum wait before the first retry of a provider that could not be reached. It doubles, so all waits together are
/// shorter than 2 seconds.
const UNREACHABLE_DELAY: Duration = Duration::from_millis(500);

/// Failed attempts of one model call.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Failures {
    all: u32,
    unreachable: u32,
    malformed: u32,
}

impl Failures {
    /// Counts one more failed attempt.
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

    /// The delay after this many failures of this kind.
    fn delay(policy: RetryPolicy, error: &ModelError, failures: u32, jitter: f64) -> Option<Duration> {
        let mut counted = Failures::default();
        (0..failures).for_each(|_| counted.add(error));
        policy.delay(error, counted, Duration::ZERO, jitter)
    }

    #[test]
    fn backoff_grows_to_its_maximum_with_jitter() {
        let policy = RetryPolicy::new().max_attempts(100).max_elapsed(Duration::MAX);
        let longest =
            |failures| (0..200).filter_map(|_| delay(policy, &throttled(None), failures, fastrand::f64())).max();
        assert!(longest(1).unwrap() <= Duration::from_secs(4));
        assert!(longest(3).unwrap() <= Duration::from_secs(16) && longest(3).unwrap() > Duration::from_secs(8));
        assert!(longest(60).unwrap() <= Duration::from_secs(240) && longest(60).unwrap() > Duration::from_secs(120));
    }

    #[test]
    fn waits_for_retry_after_up_to_max_delay() {
        let after = |policy, seconds| delay(policy, &throttled(Some(seconds)), 1, 0.5);
        assert_eq!(after(RetryPolicy::new(), 7), Some(Duration::from_secs(7)));
        assert_eq!(after(RetryPolicy::new(), 300), Some(Duration::from_secs(240)));
        assert_eq!(after(RetryPolicy::new().max_delay(Duration::from_secs(1)), 30), Some(Duration::from_secs(1)));
        // Beyond `max_elapsed`.
        assert_eq!(after(RetryPolicy::new(), 3600), None);
        assert_eq!(after(RetryPolicy::new().max_delay(Duration::from_secs(1)), 3600), None);
    }

    #[test]
    fn gives_up_after_max_attempts_max_elapsed_or_a_permanent_error() {
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
    fn retries_an_unreachable_provider_twice_within_two_seconds() {
        let unreachable = ModelError::Unreachable { details: Box::default() };
        let policy = RetryPolicy::new();
        let waits = [1, 2].map(|failures| delay(policy, &unreachable, failures, 0.999).unwrap());
        assert!(waits.iter().sum::<Duration>() < Duration::from_secs(2), "{waits:?}");
        assert_eq!(delay(policy, &unreachable, 3, 0.5), None);
        assert_eq!(delay(RetryPolicy::never(), &unreachable, 1, 0.5), None);
    }

    #[test]
    fn retries_malformed_output_twice_without_delay() {
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
