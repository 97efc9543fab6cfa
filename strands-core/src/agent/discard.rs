//! Discarding of pending interrupts, here and in agents that are tools.

use std::sync::Arc;

use super::{Agent, AgentBuilder, Snapshot, SnapshotData};
use crate::continuation::Continuation;
use crate::outcome::AgentError;
use crate::run::{PendingTools, Run};
use crate::session::InternalState;
use crate::tool::Tool;

impl Agent {
    /// Discards the pending interrupts, here and in the session. Their calls get an error result, and the agent accepts
    /// prompts again; later responses to the interrupts are rejected. Turns of agents elsewhere that wait for the responses are cancelled
    /// (see [`Promptable::discard`](crate::Promptable::discard)), also those of calls that ended before without a response, by a
    /// cancellation, a hook or a rewind.
    ///
    /// # Errors
    ///
    /// Returns [`AgentError::Session`] if the session could not be written. After a conflict, another worker has resumed the
    /// interrupted invocation or discarded its interrupts. The next invocation writes the unsaved changes.
    ///
    /// Returns [`AgentError::Promptable`] if an agent elsewhere could not be reached, so that its turn may still take responses. The
    /// interrupts of this agent are discarded then, and the next call tries the rest again.
    pub async fn discard_interrupts(&mut self) -> Result<(), AgentError> {
        self.work.settle();
        self.work.complete_rewind().await?;
        self.work.discard_interrupts();
        if let Err(error) = self.save().await {
            if matches!(&error, AgentError::Session(error) if error.is_conflict()) {
                // They are those of the other worker.
                self.work.discarding.clear();
            }
            return Err(error);
        }
        // One that is out of reach does not keep the others waiting for responses.
        let (mut at, mut failure) = (0, None);
        while let Some((name, continuation)) = self.work.discarding.get(at) {
            let tool = self.work.tools.set().get(name);
            match discard_call(tool, name, continuation).await {
                Ok(()) => _ = self.work.discarding.remove(at),
                Err(error) => {
                    at += 1;
                    failure.get_or_insert(error);
                }
            }
        }
        failure.map_or(Ok(()), Err)
    }
}

impl AgentBuilder {
    /// Discards the suspended calls of an agent that was built from this template. It is not built again, which may need values that
    /// only a prompt injects.
    pub(super) async fn discard_from(self, continuation: Continuation) -> Result<(), AgentError> {
        let suspended = suspended_tools(&continuation, &self)
            .map_err(|source| AgentError::Promptable { name: self.names.name.clone(), source: source.into() })?;
        let mut failure = None;
        for (name, continuation) in suspended {
            let tool = self.own_tools().find(|tool| (**tool).spec().name == name);
            if let Err(error) = discard_call(tool, &name, &continuation).await {
                failure.get_or_insert(error);
            }
        }
        failure.map_or(Ok(()), Err)
    }
}

/// Tells a tool that a call is not resumed. One that is gone does not know of it.
async fn discard_call(tool: Option<&Arc<dyn Tool>>, name: &str, continuation: &Continuation) -> Result<(), AgentError> {
    let Some(tool) = tool else { return Ok(()) };
    let failed = |error| AgentError::Promptable { name: name.to_owned(), source: Box::new(error) };
    tool.discard(continuation).await.map_err(failed)
}

/// Returns the suspended calls in the state of an agent.
fn suspended_tools(
    continuation: &Continuation,
    template: &AgentBuilder,
) -> Result<Vec<(String, Continuation)>, serde_json::Error> {
    let SnapshotData { run, interrupt_state, .. } = continuation.read::<Snapshot>()?.data;
    let interrupt_state = interrupt_state.unwrap_or_default();
    let state = InternalState { run, interrupt_state, ..InternalState::default() };
    let run = Run::in_record(&state, template.limits)?;
    Ok(run.as_ref().and_then(Run::pending).map(PendingTools::suspended_tools).unwrap_or_default())
}
