//! Sources of time, randomness and waits: the process, or the journal of a durable engine.

use std::time::Duration;

use crate::journal::{JournalError, Recorder, clock};
use crate::message::{Message, id_of, random_uuid};

/// Source of time, ids and jitter for the loop: a journal, or else the process.
#[derive(Default)]
pub(super) struct Effects<'a> {
    pub(super) recorder: Option<Box<Recorder<'a>>>,
}

impl Effects<'_> {
    /// Returns true if a journal records the effects.
    pub(super) fn are_recorded(&self) -> bool {
        self.recorder.is_some()
    }

    /// Returns the time since a fixed moment.
    pub(super) fn now(&self) -> Duration {
        self.recorder.as_ref().map_or_else(clock, |recorder| recorder.now())
    }

    /// Returns the time at the start of the invocation.
    pub(super) fn began(&self) -> Duration {
        self.recorder.as_ref().map_or_else(clock, |recorder| recorder.began())
    }

    /// Returns the time to which limits apply. With a journal, it is that of the newest record, which is the same in each attempt.
    pub(super) fn time_for_limits(&self) -> Duration {
        let recorded = |recorder: &Recorder<'_>| recorder.began().saturating_add(recorder.recorded_elapsed());
        self.recorder.as_ref().map_or_else(clock, |recorder| recorded(recorder))
    }

    /// Returns the time since an earlier [`now`](Self::now).
    pub(super) fn since(&self, earlier: Duration) -> Duration {
        self.now().saturating_sub(earlier)
    }

    /// Returns a random number, at least 0.0 and below 1.0.
    pub(super) fn jitter(&self) -> f64 {
        self.recorder.as_ref().map_or_else(fastrand::f64, |recorder| recorder.jitter())
    }

    /// Sets the tracking id of a message without one.
    pub(super) fn track(&self, message: &mut Message) {
        if message.tracking_id.is_none() {
            message.tracking_id = Some(self.id());
        }
    }

    /// Returns a random id.
    pub(super) fn id(&self) -> String {
        id_of(self.recorder.as_ref().map_or_else(random_uuid, |recorder| recorder.uuid()))
    }

    /// Waits, durably if there is a journal.
    pub(super) async fn sleep(&self, name: &str, time: Duration) -> Result<(), JournalError> {
        match &self.recorder {
            Some(recorder) => recorder.sleep(name, time).await,
            None => {
                tokio::time::sleep(time).await;
                Ok(())
            }
        }
    }
}
