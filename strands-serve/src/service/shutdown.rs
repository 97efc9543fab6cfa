//! Graceful shutdown: no new turns, and an end of those that run.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::AgentService;

/// Time for cancelled turns to write their sessions.
const GRACE: Duration = Duration::from_secs(5);

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
        let cancelled = self.inner.runs.cancel_all();
        let _ = tokio::time::timeout(GRACE, self.inner.tasks.wait()).await;
        Drained { cancelled, aborted: self.inner.tasks.len() }
    }

    /// Cancels the turns that are still running, and waits for their ends. The service goes on.
    #[cfg(feature = "lambda")]
    pub(crate) async fn end_turns(&self) {
        let tasks = &self.inner.tasks;
        if tasks.is_empty() {
            return;
        }
        self.inner.runs.cancel_all();
        tasks.close();
        if tokio::time::timeout(GRACE, tasks.wait()).await.is_err() {
            tracing::error!(turns = tasks.len(), "turns did not end after they were cancelled");
        }
        if self.accepts_turns() {
            tasks.reopen();
        }
    }
}
