//! The end of a run that panics: in a store, or in what discards interrupts.

use std::sync::Arc;

use a2a::StreamResponse;

use super::core::Core;
use super::live_task::LiveTask;
use super::outcome::Outcome;

/// Ends the task of a run as failed if it is dropped before [`end_with`](Self::end_with), so that none waits for it for ever. The store
/// still has the task with its lease: it is reported as failed after that.
pub(super) struct RunGuard {
    core: Arc<Core>,
    live: Arc<LiveTask>,
    has_ended: bool,
}

impl RunGuard {
    pub(super) fn new(core: &Arc<Core>, live: &Arc<LiveTask>) -> Self {
        Self { core: Arc::clone(core), live: Arc::clone(live), has_ended: false }
    }

    /// Sends the last events of the task.
    pub(super) fn end_with(mut self, events: Vec<StreamResponse>) {
        self.has_ended = true;
        self.live.end_with(events);
    }
}

impl Drop for RunGuard {
    fn drop(&mut self) {
        if self.has_ended {
            return;
        }
        tracing::error!(task_id = self.live.id, "the run of an A2A task ended without its end");
        let failed = self.live.status_event(Outcome::failed().status(&self.live.id, &self.live.context_id));
        self.live.apply(std::slice::from_ref(&failed));
        self.core.registry.remove(&self.live);
        self.live.end_with(vec![failed]);
    }
}
