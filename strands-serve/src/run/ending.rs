//! End of a run, also if its work panics or is dropped.

use std::sync::Arc;

use strands_core::AgentEvent;

use super::{Outcome, Recording, Run, Runs};
use crate::service::TurnError;

/// Guard of a run's end: dropping it ends the run, and moves it from the running to the ended runs.
pub(crate) struct Ending<'a> {
    runs: &'a Runs,
    run: Arc<Run>,
    recording: Recording,
    outcome: Outcome,
}

impl<'a> Ending<'a> {
    pub(crate) fn new(runs: &'a Runs, run: &Arc<Run>, recording: Recording) -> Self {
        Self { runs, run: Arc::clone(run), recording, outcome: Err(TurnError::Aborted) }
    }

    pub(crate) fn end(mut self, outcome: Outcome) {
        self.outcome = outcome;
    }
}

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        if let (Recording::Events, Ok(response)) = (self.recording, &self.outcome) {
            self.run.push(AgentEvent::Result { response: Box::new((**response).clone()) });
        }
        let mut state = self.run.state();
        state.outcome = Some(self.outcome.clone());
        Run::wake(state);
        match self.recording {
            Recording::Events => self.runs.ended(&self.run),
            // There are no events to come back for, and the response is in the session.
            Recording::Response => self.runs.remove(&self.run),
        }
    }
}
