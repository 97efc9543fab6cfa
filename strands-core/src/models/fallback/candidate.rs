//! One model of a fallback, with its cool-down after a failure.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::models::Model;

/// Minimum cool-down, even if the provider asks for less. An immediate retry of the agent then goes to another model.
const MIN_COOL_DOWN: Duration = Duration::from_secs(1);

/// A model and its availability.
pub(super) struct Candidate {
    pub(super) model: Arc<dyn Model>,
    /// End of the cool-down after a failure.
    unavailable_until: Mutex<Option<Instant>>,
}

impl Candidate {
    pub(super) fn new(model: impl Model + 'static) -> Self {
        Self { model: Arc::new(model), unavailable_until: Mutex::new(None) }
    }

    /// Returns the end of the cool-down, or `None` if the model is available.
    pub(super) fn unavailable_until(&self, now: Instant) -> Option<Instant> {
        self.unavailable_until.lock().unwrap_or_else(PoisonError::into_inner).filter(|until| *until > now)
    }

    /// Begins an attempt. The first attempt after a cool-down starts another one for all other requests, so that one
    /// request probes the model and not all of them.
    pub(super) fn begin_attempt(&self, now: Instant, cool_down: Duration) {
        let mut unavailable_until = self.unavailable_until.lock().unwrap_or_else(PoisonError::into_inner);
        if unavailable_until.is_some_and(|until| until <= now) {
            *unavailable_until = Some(after(now, cool_down));
        }
    }

    /// Starts a cool-down.
    pub(super) fn mark_failed(&self, now: Instant, cool_down: Duration, retry_after: Option<Duration>) {
        let out = retry_after.unwrap_or(cool_down).max(MIN_COOL_DOWN);
        *self.unavailable_until.lock().unwrap_or_else(PoisonError::into_inner) = Some(after(now, out));
    }

    /// Ends the cool-down.
    pub(super) fn mark_available(&self) {
        *self.unavailable_until.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl fmt::Debug for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.model.model_id())
    }
}

/// Adds a wait of at most a year, since a longer `Retry-After` may overflow the clock.
fn after(now: Instant, wait: Duration) -> Instant {
    const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);
    now + wait.min(YEAR)
}
