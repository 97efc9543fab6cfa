//! Observations of a hook's calls, and the event at which an invocation is cancelled.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::super::first_violation::FirstViolation;
use super::super::polling::MAX_STOP_TIME;
use super::super::violation::ContractViolation;
use super::repeats::Repeats;

/// Observations of a hook's calls.
#[derive(Debug, Default)]
pub(super) struct Observations {
    first_violation: FirstViolation,
    pub(super) repeats: Repeats,
    slow_poll: Mutex<Option<Duration>>,
    trigger: Mutex<Option<CancelTrigger>>,
}

/// The event at which an invocation is cancelled.
#[derive(Debug)]
struct CancelTrigger {
    events_left: usize,
    token: CancellationToken,
    cancelled: Option<Instant>,
}

impl Observations {
    /// Records the first violation.
    pub(super) fn note(&self, checked: Result<(), ContractViolation>) {
        self.first_violation.note(checked);
    }

    /// Returns the recorded violation.
    pub(super) fn outcome(&self) -> Result<(), ContractViolation> {
        self.first_violation.outcome()
    }

    /// Records the duration of a poll that takes longer than a cancellation may.
    pub(super) fn record_poll(&self, time: Duration) {
        if time > MAX_STOP_TIME {
            lock(&self.slow_poll).get_or_insert(time);
        }
    }

    /// Returns the duration of the first slow poll.
    pub(super) fn slow_poll(&self) -> Option<Duration> {
        *lock(&self.slow_poll)
    }

    pub(super) fn reset_slow_polls(&self) {
        *lock(&self.slow_poll) = None;
    }

    /// Cancels the next invocation after a number of events.
    pub(super) fn cancel_at(&self, events: usize, token: CancellationToken) {
        *lock(&self.trigger) = Some(CancelTrigger { events_left: events, token, cancelled: None });
    }

    /// Counts an event, and cancels the invocation at the last one.
    pub(super) fn event(&self) {
        let mut trigger = lock(&self.trigger);
        let Some(trigger) = trigger.as_mut() else { return };
        match trigger.events_left.checked_sub(1) {
            Some(left) => trigger.events_left = left,
            None => trigger.cancel(),
        }
    }

    /// Cancels the invocation.
    pub(super) fn cancel(&self) {
        if let Some(trigger) = lock(&self.trigger).as_mut() {
            trigger.cancel();
        }
    }

    /// Returns the time since the invocation was cancelled, and resets the trigger.
    pub(super) fn since_cancelled(&self) -> Option<Duration> {
        lock(&self.trigger).take().and_then(|trigger| trigger.cancelled).map(|at| at.elapsed())
    }
}

impl CancelTrigger {
    fn cancel(&mut self) {
        if self.cancelled.is_none() {
            self.cancelled = Some(Instant::now());
            self.token.cancel();
        }
    }
}

fn lock<T>(value: &Mutex<T>) -> MutexGuard<'_, T> {
    value.lock().unwrap_or_else(PoisonError::into_inner)
}
