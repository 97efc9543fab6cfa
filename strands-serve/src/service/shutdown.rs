//! Graceful shutdown: no new turns, and an end of those that run.

use std::pin::pin;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::AgentService;

/// Time for cancelled turns to write their sessions.
const GRACE: Duration = Duration::from_secs(5);
/// Interval at which turns that have only just begun are cancelled, too.
const CANCEL_INTERVAL: Duration = Duration::from_millis(100);

/// Result of a shutdown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Drained {
    /// Number of turns that had to be cancelled. Their histories are whole.
    pub cancelled: usize,
    /// Number of turns that did not end after they were cancelled, within 5 seconds.
    pub aborted: usize,
}

impl AgentService {
    /// Refuses new turns from now on, with [`TurnError::ShuttingDown`](crate::TurnError::ShuttingDown). Running turns go on.
    pub fn refuse_new_turns(&self) {
        self.inner.is_draining.store(true, Ordering::SeqCst);
    }

    /// Returns true if the service accepts turns.
    pub fn accepts_turns(&self) -> bool {
        !self.inner.is_draining.load(Ordering::SeqCst)
    }

    /// Shuts the service down: refuses new turns, waits until the running ones have ended, and cancels those that are still
    /// running after `timeout`. Their clients get responses, and their histories are whole.
    pub async fn shutdown(&self, timeout: Duration) -> Drained {
        self.refuse_new_turns();
        self.inner.tasks.close();
        if tokio::time::timeout(timeout, self.inner.tasks.wait()).await.is_ok() {
            return Drained { cancelled: 0, aborted: 0 };
        }
        let cancelled = self.cancel_until_ended().await;
        Drained { cancelled, aborted: self.inner.tasks.len() }
    }

    /// Cancels all turns until they have ended, up to the time for their sessions. Returns the number of cancelled ones.
    async fn cancel_until_ended(&self) -> usize {
        let ended = self.inner.tasks.wait();
        let mut ended = pin!(tokio::time::timeout(GRACE, ended));
        let mut cancelled = 0;
        loop {
            // Again and again: a turn that was admitted before the shutdown may still be opening its session.
            cancelled += self.inner.runs.cancel_all();
            if tokio::time::timeout(CANCEL_INTERVAL, &mut ended).await.is_ok() {
                return cancelled;
            }
        }
    }

    /// Cancels the turns that are still running, and waits for their ends. The service goes on.
    #[cfg(feature = "lambda")]
    pub(crate) async fn end_turns(&self) {
        let tasks = &self.inner.tasks;
        if tasks.is_empty() {
            return;
        }
        tasks.close();
        self.cancel_until_ended().await;
        if !tasks.is_empty() {
            tracing::error!(turns = tasks.len(), "turns did not end after they were cancelled");
        }
        if self.accepts_turns() {
            tasks.reopen();
        }
    }
}
