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
/// Without it, something else that knows the agent could respond to them after the client was told that the task is canceled.
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
        let Some(discard) = self.discard.as_ref().filter(|_| !record.interrupts.is_empty()) else { return Ok(()) };
        let task = &record.task;
        let last = task.history.iter().flatten().rfind(|message| message.role == a2a::Role::User);
        let context = A2aContext {
            caller: caller.id().map(str::to_owned),
            context_id: task.context_id.clone(),
            task_id: task.id.clone(),
            message_id: last.map(|message| message.message_id.clone()).unwrap_or_default(),
        };
        let request = PromptRequest::new(strands_core::Prompt::none()).inject(context);
        match discard.discard(caller.inject_into_request(request), &record.interrupts).await {
            Err(AgentError::Busy { .. }) => Err(Failure::Busy),
            discarded => discarded.map_err(Failure::internal),
        }
    }
}
