//! The end of a run, as the state of its task.

use a2a::{Message, Part, Role, TaskState, TaskStatus};
use chrono::{SubsecRound as _, Utc};
use strands_core::models::StopReason;
use strands_core::{AgentError, AgentResponse, Continuation, ErrorChain, Interrupt};

use super::failure::quote;
use super::interrupts;
use super::live_task::{CancelReason, LiveTask};
use crate::json;

/// The end of a run.
pub(super) struct Outcome {
    pub(super) state: TaskState,
    /// Parts of the status message.
    pub(super) message: Vec<Part>,
    pub(super) suspended: Option<Suspended>,
    /// Conversation for the next task of the context, if the agent does not keep it itself.
    pub(super) conversation: Option<Continuation>,
}

/// A task that waits for responses to interrupts.
#[derive(Clone)]
pub(super) struct Suspended {
    pub(super) interrupts: Vec<Interrupt>,
    pub(super) continuation: Option<Continuation>,
}

impl Suspended {
    /// Returns the size of all that is stored until the responses come, in bytes of JSON.
    pub(super) fn size(&self) -> usize {
        let continuation =
            self.continuation.as_ref().map_or(0, |continuation| json::size_of(continuation.value()).bytes);
        json::size_of(&self.interrupts).bytes.saturating_add(continuation)
    }
}

impl Outcome {
    pub(super) fn new(state: TaskState, text: &str) -> Self {
        let message = if text.is_empty() { Vec::new() } else { vec![Part::text(text)] };
        Self { state, message, suspended: None, conversation: None }
    }

    /// Returns the outcome of a response.
    pub(super) fn of_response(response: &AgentResponse) -> Self {
        let continuation = response.continuation.clone();
        match &response.stop_reason {
            StopReason::EndTurn | StopReason::StopSequence => {
                Self { conversation: continuation, ..Self::new(TaskState::Completed, "") }
            }
            StopReason::Interrupt => {
                Self::suspended(Suspended { interrupts: response.interrupts.clone(), continuation }, None)
            }
            StopReason::Cancelled => Self::new(TaskState::Canceled, "the task was canceled"),
            StopReason::ContentFiltered | StopReason::GuardrailIntervened => {
                let text = response.text();
                let declined = if text.is_empty() { "the agent declined the task" } else { &text };
                Self::new(TaskState::Rejected, declined)
            }
            reason => {
                Self::new(TaskState::Failed, &format!("the agent stopped before the end of its response: {reason}"))
            }
        }
    }

    /// Returns the outcome of a failure. Its details are for the operator alone. `before` is what the task waited for, if the agent
    /// has refused the responses and waits for it still.
    pub(super) fn of_error(error: &AgentError, before: Option<&Suspended>) -> Self {
        match (error, before) {
            (AgentError::Suspended { source, interrupts, continuation }, _) => {
                let suspended = match before {
                    Some(before) if interrupts.is_empty() => before.clone(),
                    _ => Suspended { interrupts: interrupts.clone(), continuation: continuation.clone() },
                };
                Self::suspended(suspended, Some(&problem(source)))
            }
            (error, Some(before)) => Self::suspended(before.clone(), Some(&problem(error))),
            (AgentError::Busy { .. } | AgentError::Interrupted { .. }, None) => {
                Self::new(TaskState::Rejected, "the agent is busy; send the message again later")
            }
            (error, None) => {
                tracing::error!(error = %ErrorChain::new(error), "an agent failed in an A2A task");
                Self::failed()
            }
        }
    }

    /// Returns the outcome of a task whose agent has failed.
    pub(super) fn failed() -> Self {
        Self::new(TaskState::Failed, "the agent failed")
    }

    /// Returns the outcome of a task that did not end after it was canceled.
    pub(super) fn of_cancellation(live: &LiveTask) -> Self {
        Self::new(TaskState::Canceled, canceled_by(live))
    }

    fn suspended(suspended: Suspended, problem: Option<&str>) -> Self {
        let mut message: Vec<Part> = problem.map(Part::text).into_iter().collect();
        message.extend(interrupts::parts_of(&suspended.interrupts));
        Self { state: TaskState::InputRequired, message, suspended: Some(suspended), conversation: None }
    }

    /// Returns the status of the task.
    pub(super) fn status(&self, task_id: &str, context_id: &str) -> TaskStatus {
        let message = (!self.message.is_empty()).then(|| message(self.message.clone(), task_id, context_id));
        status(self.state.clone(), message)
    }
}

/// Returns what a client may know of the error with which its responses were refused.
fn problem(error: &AgentError) -> String {
    match error {
        // The id is the client's, and of any length.
        AgentError::UnknownInterrupt { id } => format!("no pending interrupt `{}`", quote(id)),
        AgentError::Interrupted { .. } => {
            "the conversation waits for responses, and did not get the message: respond, or cancel the task".to_owned()
        }
        error => {
            tracing::error!(error = %ErrorChain::new(error), "an agent did not resume an A2A task");
            "the response was not accepted; send it again, or another one".to_owned()
        }
    }
}

fn canceled_by(live: &LiveTask) -> &'static str {
    match live.cancel_reason() {
        Some(CancelReason::Shutdown) => "the server was shut down",
        Some(CancelReason::Client) | None => "the task was canceled",
    }
}

/// Returns a status of now.
pub(super) fn status(state: TaskState, message: Option<Message>) -> TaskStatus {
    TaskStatus { state, message, timestamp: Some(Utc::now().trunc_subsecs(3)) }
}

/// Returns a message of the agent.
pub(super) fn message(parts: Vec<Part>, task_id: &str, context_id: &str) -> Message {
    let mut message = Message::new(Role::Agent, parts);
    message.task_id = Some(task_id.to_owned());
    message.context_id = Some(context_id.to_owned());
    message
}
