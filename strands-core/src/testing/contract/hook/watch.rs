//! The observations of a hook's calls, and the cue at which an invocation is cancelled.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::super::noted::Noted;
use super::super::polling::LONGEST_STOP;
use super::super::violation::ContractViolation;
use super::repeats::Repeats;

/// The observations of a hook's calls.
#[derive(Debug, Default)]
pub(super) struct Watch {
    noted: Noted,
    pub(super) repeats: Repeats,
    slow_poll: Mutex<Option<Duration>>,
    cue: Mutex<Option<Cue>>,
}

/// The event at which an invocation is cancelled.
#[derive(Debug)]
struct Cue {
    events_left: usize,
    token: CancellationToken,
    cancelled: Option<Instant>,
}

impl Watch {
    /// Takes the first violation in.
    pub(super) fn note(&self, checked: Result<(), ContractViolation>) {
        self.noted.note(checked);
    }

    /// Returns the violation that was observed.
    pub(super) fn outcome(&self) -> Result<(), ContractViolation> {
        self.noted.outcome()
    }

    /// Takes the time of a poll in. One that takes longer than a cancellation may is too slow.
    pub(super) fn polled_for(&self, time: Duration) {
        if time > LONGEST_STOP {
            lock(&self.slow_poll).get_or_insert(time);
        }
    }

    /// Returns the time of the first poll that took too long.
    pub(super) fn slow_poll(&self) -> Option<Duration> {
        *lock(&self.slow_poll)
    }

    pub(super) fn forget_slow_polls(&self) {
        *lock(&self.slow_poll) = None;
    }

    /// Cancels the next invocation after so many events.
    pub(super) fn cancel_at(&self, events: usize, token: CancellationToken) {
        *lock(&self.cue) = Some(Cue { events_left: events, token, cancelled: None });
    }

    /// Counts an event. Cancels the invocation if it is the one to do so.
    pub(super) fn event(&self) {
        let mut cue = lock(&self.cue);
        let Some(cue) = cue.as_mut() else { return };
        match cue.events_left.checked_sub(1) {
            Some(left) => cue.events_left = left,
            None => cue.cancel(),
        }
    }

    /// Cancels the invocation now.
    pub(super) fn cancel(&self) {
        if let Some(cue) = lock(&self.cue).as_mut() {
            cue.cancel();
        }
    }

    /// Returns the time since the invocation was cancelled, and forgets the cue.
    pub(super) fn since_cancelled(&self) -> Option<Duration> {
        lock(&self.cue).take().and_then(|cue| cue.cancelled).map(|at| at.elapsed())
    }
}

impl Cue {
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
