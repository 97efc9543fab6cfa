//! The effects of an invocation as a journal records them: JSON, read back on the way of the first attempt as well as of a
//! replay.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::call_outcome::{Answer, CallOutcome};
use super::model_outcome::{Attempt, Attempted, PartialResponse};
use crate::interrupt::Interrupt;
use crate::journal::JournalError;
use crate::message::{Message, ToolResult, ToolUse};
use crate::metrics::{ModelMetrics, Usage};
use crate::models::{ModelCapabilities, RecordedError, StopReason, Turn};
use crate::nesting::Spent;
use crate::outcome::AgentError;
use crate::state::AgentState;

#[derive(Serialize, Deserialize)]
struct RecordedAttempt {
    outcome: RecordedModelOutcome,
    #[serde(default)]
    retry: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    delay: Option<Duration>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    able: Option<ModelCapabilities>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hook_failure: Option<HookFailure>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    nested: Option<Box<Spent>>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum RecordedModelOutcome {
    Denied(Message),
    Answered {
        message: Message,
        stop_reason: StopReason,
        usage: Usage,
        metrics: ModelMetrics,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        redact_user: Option<String>,
    },
    Stopped {
        reason: StopReason,
        message: Message,
        usage: Usage,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        redact_user: Option<String>,
    },
    Failed {
        error: RecordedError,
        streamed: bool,
        usage: Usage,
    },
}

/// A failure of a hook; its sources are not recorded.
#[derive(Serialize, Deserialize)]
struct HookFailure {
    event: String,
    text: String,
}

/// The events whose hooks run inside of an effect.
const EVENTS: [&str; 4] = ["before_model_call", "after_model_call", "before_tool_call", "after_tool_call"];

impl HookFailure {
    fn of(error: &AgentError) -> Self {
        match error {
            AgentError::Hook { event, source } => Self { event: (*event).to_owned(), text: source.to_string() },
            error => Self { event: String::new(), text: error.to_string() },
        }
    }

    fn into_error(self) -> AgentError {
        let event = EVENTS.into_iter().find(|event| *event == self.event).unwrap_or("a recorded event");
        AgentError::Hook { event, source: self.text.into() }
    }
}

/// The record of an attempt of a model call.
pub(super) fn of_attempt(attempted: Attempted) -> Value {
    let Attempted { attempt, retry, delay, able, hook_failure, nested, .. } = attempted;
    let outcome = match attempt {
        Attempt::Denied(turn) => RecordedModelOutcome::Denied(turn.message),
        Attempt::Answered(Turn { message, stop_reason, usage, metrics, redact_user, .. }) => {
            RecordedModelOutcome::Answered { message, stop_reason, usage, metrics, redact_user }
        }
        Attempt::Stopped { reason, partial: PartialResponse { message, usage, redact_user } } => {
            RecordedModelOutcome::Stopped { reason, message, usage, redact_user }
        }
        Attempt::Failed { error, streamed, usage } => {
            RecordedModelOutcome::Failed { error: RecordedError::of(&error), streamed, usage }
        }
    };
    let hook_failure = hook_failure.as_deref().map(HookFailure::of);
    written(&RecordedAttempt { outcome, retry, delay, able, hook_failure, nested })
}

/// The attempt in a record.
pub(super) fn into_attempt(step: &str, record: Value) -> Result<Attempted, JournalError> {
    let record = serde_json::from_value(record).map_err(|error| JournalError::new(step, error))?;
    let RecordedAttempt { outcome, retry, delay, able, hook_failure, nested } = record;
    let attempt = match outcome {
        RecordedModelOutcome::Denied(message) => Attempt::Denied(Turn::said(message)),
        RecordedModelOutcome::Answered { message, stop_reason, usage, metrics, redact_user } => {
            Attempt::Answered(Turn { stop_reason, usage, metrics, redact_user, ..Turn::said(message) })
        }
        RecordedModelOutcome::Stopped { reason, message, usage, redact_user } => {
            Attempt::Stopped { reason, partial: PartialResponse { message, usage, redact_user } }
        }
        RecordedModelOutcome::Failed { error, streamed, usage } => {
            Attempt::Failed { error: error.into_error(), streamed, usage }
        }
    };
    let hook_failure = hook_failure.map(|failure| Box::new(failure.into_error()));
    Ok(Attempted { attempt, retry, delay, able, hook_failure, nested, is_replay: false })
}

/// The next of the concurrent calls to end, or the end of all of them.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum RecordedCall {
    Stopped {
        reason: StopReason,
        /// Cost of the agents that calls have called which did not end.
        #[serde(default, skip_serializing_if = "Spent::is_nothing")]
        nested: Spent,
    },
    Ended(Box<RecordedOutcome>),
}

#[derive(Serialize, Deserialize)]
struct RecordedOutcome {
    position: usize,
    call: Arc<ToolUse>,
    answer: RecordedAnswer,
    known: bool,
    took: Duration,
    /// The agent's state, if the call changed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    state: Option<Map<String, Value>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hook_failure: Option<HookFailure>,
    /// Cost of the agents that the call has called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    nested: Option<Box<Spent>>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum RecordedAnswer {
    Result(ToolResult),
    Output { value: Value, result: ToolResult },
    BadOutput { mistake: String, result: ToolResult },
    Interrupts(Vec<Interrupt>),
}

/// The record of the next call to end.
pub(super) fn of_call(
    ended: Result<CallOutcome, StopReason>,
    state: Option<&AgentState>,
    nested_of_stopped: Spent,
) -> Value {
    let record = match ended {
        Err(reason) => RecordedCall::Stopped { reason, nested: nested_of_stopped },
        Ok(CallOutcome { position, call, answer, known, took, hook_failure, nested }) => {
            let answer = match answer {
                Answer::Result(result) => RecordedAnswer::Result(result),
                Answer::Output(value, result) => RecordedAnswer::Output { value, result },
                Answer::BadOutput(mistake, result) => RecordedAnswer::BadOutput { mistake, result },
                Answer::Interrupts(interrupts) => RecordedAnswer::Interrupts(interrupts),
            };
            let state = state.map(AgentState::to_json);
            let hook_failure = hook_failure.as_deref().map(HookFailure::of);
            let outcome = RecordedOutcome { position, call, answer, known, took, state, hook_failure, nested };
            RecordedCall::Ended(Box::new(outcome))
        }
    };
    written(&record)
}

/// The call in a record. The agent's state becomes what it was after it.
pub(super) fn into_call(
    step: &str,
    record: Value,
    state: &AgentState,
) -> Result<Result<CallOutcome, (StopReason, Spent)>, JournalError> {
    let record = serde_json::from_value(record).map_err(|error| JournalError::new(step, error))?;
    let outcome = match record {
        RecordedCall::Stopped { reason, nested } => return Ok(Err((reason, nested))),
        RecordedCall::Ended(outcome) => *outcome,
    };
    let RecordedOutcome { position, call, answer, known, took, state: changed, hook_failure, nested } = outcome;
    if let Some(changed) = changed {
        state.replace(changed);
    }
    let answer = match answer {
        RecordedAnswer::Result(result) => Answer::Result(result),
        RecordedAnswer::Output { value, result } => Answer::Output(value, result),
        RecordedAnswer::BadOutput { mistake, result } => Answer::BadOutput(mistake, result),
        RecordedAnswer::Interrupts(interrupts) => Answer::Interrupts(interrupts),
    };
    let hook_failure = hook_failure.map(|failure| Box::new(failure.into_error()));
    Ok(Ok(CallOutcome { position, call, answer, known, took, hook_failure, nested }))
}

/// The record of a model's capabilities.
pub(super) fn of_capabilities(able: ModelCapabilities) -> Value {
    written(&able)
}

/// The capabilities in a record.
pub(super) fn into_capabilities(step: &str, record: Value) -> Result<ModelCapabilities, JournalError> {
    serde_json::from_value(record).map_err(|error| JournalError::new(step, error))
}

/// A value that can't be written is found when it is read back.
fn written(record: &impl Serialize) -> Value {
    serde_json::to_value(record).unwrap_or_else(|error| Value::String(error.to_string()))
}
