//! Discards the unfinished run of a session.

use std::sync::Arc;

use serde_json::Value;
use strands_core::multiagent::NodeStatus;
use strands_core::{AgentError, Continuation, Prompt, PromptRequest, Promptable};

use super::RunError;
use super::start::{failed, open, status};
use crate::machine::{Machine, Orchestrator, RestoreError};

/// Ends the run in the session. Returns false if there is none, or if it has completed.
pub(crate) async fn discard<O: Orchestrator>(orchestrator: &Arc<O>) -> Result<bool, AgentError> {
    let name = &orchestrator.settings().name;
    let (Some(mut session), Some(stored)) = open(&**orchestrator).await? else { return Ok(false) };
    let is_known = orchestrator.restore(&stored).map_or_else(|error| error.is_of_earlier, |_| true);
    if is_known && status(&stored) == Some(NodeStatus::Completed) {
        return Ok(false);
    }
    let ended = orchestrator.restore_ended(&stored);
    let ended = ended.map_err(|RestoreError { reason, .. }| failed(name, RunError::NotRestored { reason }))?;
    let document = ended.document(Some(&stored)).map_err(|source| failed(name, RunError::NotStored { source }))?;
    // Before the run is over: else nothing would tell those that are out of reach now. Nodes of an earlier release are gone.
    let waiting = orchestrator.restore(&stored).map(|run| run.waiting()).unwrap_or_default();
    discard_waiting(waiting).await?;
    session.save(&document).await?;
    Ok(true)
}

/// Discards the agents that wait in the run of a continuation. A run in a session goes on there.
pub(crate) async fn discard_continuation<O: Orchestrator>(
    orchestrator: Arc<O>,
    request: PromptRequest,
) -> Result<(), AgentError> {
    let name = &orchestrator.settings().name;
    let Some(continuation) = request.continuation else { return Ok(()) };
    let not_restored = |reason| failed(name, RunError::NotRestored { reason });
    let document: Value = continuation.read().map_err(|error| not_restored(error.to_string()))?;
    let restored = orchestrator.restore(&document).map(|run| run.waiting());
    discard_waiting(restored.map_err(|RestoreError { reason, .. }| not_restored(reason))?).await
}

/// Discards all that can be reached. Returns the first failure.
async fn discard_waiting(waiting: Vec<(Arc<dyn Promptable>, Option<Continuation>)>) -> Result<(), AgentError> {
    let mut failure = None;
    for (agent, continuation) in waiting {
        let mut request = PromptRequest::new(Prompt::none());
        request.continuation = continuation;
        if let Err(error) = agent.discard(request).await {
            failure.get_or_insert(error);
        }
    }
    failure.map_or(Ok(()), Err)
}
