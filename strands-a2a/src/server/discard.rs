//! Interrupts of tasks that end while they wait for input.

use async_trait::async_trait;
use strands_core::{AgentError, Interrupt, PromptRequest};
use strands_http::Caller;

use super::context::A2aContext;
use super::core::Core;
use super::failure::Failure;
use super::store::TaskRecord;

/// Discards the interrupts of an agent that keeps them itself, such as one with a session, when the task that waits for responses to
/// them ends.
///
/// Something else that knows the agent could respond to them after the client was told that the task is canceled. Without it,
/// the server calls [`Promptable::discard`](strands_core::Promptable::discard) of the agent with the state that the task has of it.
#[async_trait]
pub trait DiscardInterrupts: Send + Sync {
    /// Discards the interrupts of a task, and no others. `request` has no prompt; its injected values are those of the caller, and the
    /// [`A2aContext`] of the task with the id of its last message.
    ///
    /// It is called before the task ends: when it is canceled, has expired, or is deleted as one too many, and when a run ends that has
    /// not taken the responses, or whose state is too large to wait. It may be called again for the same task.
    ///
    /// # Errors
    ///
    /// Returns [`AgentError`] if the interrupts could not be discarded. The task goes on waiting.
    async fn discard(&self, request: PromptRequest, interrupts: &[Interrupt]) -> Result<(), AgentError>;
}

impl Core {
    /// Discards the interrupts of a task that is about to end.
    pub(super) async fn discard_interrupts(&self, caller: &Caller, record: &TaskRecord) -> Result<(), Failure> {
        let task = &record.task;
        let last = task.history.iter().flatten().rfind(|message| message.role == a2a::Role::User);
        let context = A2aContext {
            caller: caller.id().map(str::to_owned),
            context_id: task.context_id.clone(),
            task_id: task.id.clone(),
            message_id: last.map(|message| message.message_id.clone()).unwrap_or_default(),
        };
        let request = caller.inject_into_request(PromptRequest::new(strands_core::Prompt::none()).inject(context));
        let discarded = match (&self.discard, record.continuation.clone()) {
            (Some(discard), _) if !record.interrupts.is_empty() => discard.discard(request, &record.interrupts).await,
            (None, Some(continuation)) => self.agent.discard(request.continue_from(continuation)).await,
            _ => Ok(()),
        };
        match discarded {
            Err(AgentError::Busy { .. }) => Err(Failure::Busy),
            discarded => discarded.map_err(Failure::internal),
        }
    }
}
