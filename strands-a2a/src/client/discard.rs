//! A task whose questions get no response: it is cancelled, so that no other response is taken for one.

use std::sync::Arc;
use std::time::Duration;

use a2a::TaskState;
use strands_core::{AgentError, Limits, PromptRequest, PromptScope};
use tokio::time::timeout;

use super::conversation::Conversation;
use super::endpoint::Endpoint;
use super::error::A2aError;
use super::message::NOT_A_CONVERSATION;
use super::run::Remote;

/// Time for the cancellation of a task, and for the read of one that is not cancelled. A server that discards may do so at
/// the end of a run, whose lease is 30 seconds.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Cancels the suspended task of a request. One that has ended, or that the server does not know, is discarded.
pub(super) async fn discard(remote: Arc<Remote>, request: PromptRequest) -> Result<(), AgentError> {
    let Some(continuation) = &request.continuation else { return Ok(()) };
    let conversation = Conversation::read(continuation)
        .ok_or_else(|| remote.failed(A2aError::Prompt { reason: NOT_A_CONVERSATION }))?;
    let Some(task_id) = conversation.task_id else { return Ok(()) };
    PromptScope::new(&request, Limits::unlimited())?.check_timers()?;
    let cancelled = timeout(TIMEOUT, cancel(&remote.endpoint, &task_id)).await;
    cancelled.unwrap_or(Err(A2aError::Timeout { timeout: TIMEOUT })).map_err(|error| remote.failed(error))
}

async fn cancel(endpoint: &Endpoint, task_id: &str) -> Result<(), A2aError> {
    let error = match endpoint.cancel(task_id).await {
        Ok(task) if !waits(&task.status.state) => return Ok(()),
        Ok(_) => return Err(A2aError::protocol("the task still waits for input after its cancellation")),
        Err(error) => error,
    };
    // A refusal may be that of a task that can't be cancelled any more.
    let is_refusal = matches!(error, A2aError::Rejected { .. });
    if is_refusal && endpoint.has_ended(task_id).await.unwrap_or(false) { Ok(()) } else { Err(error) }
}

fn waits(state: &TaskState) -> bool {
    matches!(state, TaskState::InputRequired | TaskState::AuthRequired)
}
