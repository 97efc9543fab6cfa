//! One of the models that may answer, and whether it has failed lately.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::models::Model;

/// A model that failed stays out for this long at least, whatever its provider says: long enough that the retry which
/// the loop makes at once goes to another model.
const SHORTEST_COOL_DOWN: Duration = Duration::from_secs(1);

/// A model that may answer.
pub(super) struct Candidate {
    pub(super) model: Arc<dyn Model>,
    /// Until when it is asked last, where it has failed.
    out_until: Mutex<Option<Instant>>,
}

impl Candidate {
    pub(super) fn new(model: impl Model + 'static) -> Self {
        Self { model: Arc::new(model), out_until: Mutex::new(None) }
    }

    /// Until when it is out, where it is.
    pub(super) fn out_until(&self, now: Instant) -> Option<Instant> {
        self.out_until.lock().unwrap_or_else(PoisonError::into_inner).filter(|until| *until > now)
    }

    /// It is about to be asked. When it comes back after a failure, it stays out for everybody else until it has
    /// answered: one request finds out, not all of them.
    pub(super) fn ask(&self, now: Instant, cool_down: Duration) {
        let mut out_until = self.out_until.lock().unwrap_or_else(PoisonError::into_inner);
        if out_until.is_some_and(|until| until <= now) {
            *out_until = Some(after(now, cool_down));
        }
    }

    /// It could not answer.
    pub(super) fn failed(&self, now: Instant, cool_down: Duration, retry_after: Option<Duration>) {
        let out = retry_after.unwrap_or(cool_down).max(SHORTEST_COOL_DOWN);
        *self.out_until.lock().unwrap_or_else(PoisonError::into_inner) = Some(after(now, out));
    }

    /// It works.
    pub(super) fn works(&self) {
        *self.out_until.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl fmt::Debug for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.model.model_id())
    }
}

/// A provider may name a time that no clock can hold.
fn after(now: Instant, wait: Duration) -> Instant {
    const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);
    now + wait.min(YEAR)
}
