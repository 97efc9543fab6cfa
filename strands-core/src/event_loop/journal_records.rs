//! JSON records of the effects of an invocation in a journal. A first attempt reads them back as well, so that it behaves
//! exactly like a replay.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::finished_call::{CallOutcome, FinishedCall};
use super::model_outcome::{Attempt, AttemptOutcome, PartialResponse};
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
    #[serde(default, rename = "able", skip_serializing_if = "Option::is_none")]
    capabilities: Option<ModelCapabilities>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hook_failure: Option<HookFailure>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    nested: Option<Box<Spent>>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum RecordedModelOutcome {
    Denied(Message),
    #[serde(rename = "answered")]
    Completed {
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

/// Failure of a hook, without its sources.
#[derive(Serialize, Deserialize)]
struct HookFailure {
    event: String,
    text: String,
}

/// Events whose hooks run inside an effect.
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

/// Returns the record of an attempt of a model call.
pub(super) fn of_attempt(attempt: Attempt) -> Value {
    let Attempt { outcome, retry, delay, capabilities, hook_failure, nested, .. } = attempt;
    let outcome = match outcome {
        AttemptOutcome::Denied(turn) => RecordedModelOutcome::Denied(turn.message),
        AttemptOutcome::Completed(turn) => {
            let Turn { message, stop_reason, usage, metrics, redact_user, .. } = *turn;
            RecordedModelOutcome::Completed { message, stop_reason, usage, metrics, redact_user }
        }
        AttemptOutcome::Stopped { reason, partial } => {
            let PartialResponse { message, usage, redact_user } = *partial;
            RecordedModelOutcome::Stopped { reason, message, usage, redact_user }
        }
        AttemptOutcome::Failed { error, streamed, usage } => {
            RecordedModelOutcome::Failed { error: RecordedError::of(&error), streamed, usage }
        }
    };
    let hook_failure = hook_failure.as_deref().map(HookFailure::of);
    to_json(&RecordedAttempt { outcome, retry, delay, capabilities, hook_failure, nested })
}

/// Reads an attempt from its record.
pub(super) fn into_attempt(step: &str, record: Value) -> Result<Attempt, JournalError> {
    let record = serde_json::from_value(record).map_err(|error| JournalError::new(step, error))?;
    let RecordedAttempt { outcome, retry, delay, capabilities, hook_failure, nested } = record;
    let outcome = match outcome {
        RecordedModelOutcome::Denied(message) => AttemptOutcome::Denied(Box::new(Turn::synthetic(message))),
        RecordedModelOutcome::Completed { message, stop_reason, usage, metrics, redact_user } => {
            let turn = Turn { stop_reason, usage, metrics, redact_user, ..Turn::synthetic(message) };
            AttemptOutcome::Completed(Box::new(turn))
        }
        RecordedModelOutcome::Stopped { reason, message, usage, redact_user } => {
            AttemptOutcome::Stopped { reason, partial: Box::new(PartialResponse { message, usage, redact_user }) }
        }
        RecordedModelOutcome::Failed { error, streamed, usage } => {
            AttemptOutcome::Failed { error: error.into_error(), streamed, usage }
        }
    };
    let hook_failure = hook_failure.map(|failure| Box::new(failure.into_error()));
    Ok(Attempt { outcome, retry, delay, capabilities, hook_failure, nested, is_replay: false })
}

/// The next of the concurrent calls to end, or the end of the turn.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum RecordedCall {
    Stopped {
        reason: StopReason,
        /// Usage of agents called by tools that had not ended.
        #[serde(default, skip_serializing_if = "Spent::is_nothing")]
        nested: Spent,
    },
    Ended(Box<RecordedFinishedCall>),
}

#[derive(Serialize, Deserialize)]
struct RecordedFinishedCall {
    position: usize,
    call: Arc<ToolUse>,
    #[serde(rename = "answer")]
    outcome: RecordedCallOutcome,
    #[serde(rename = "known")]
    is_known: bool,
    #[serde(rename = "took")]
    duration: Duration,
    /// The agent's state, if the call changed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    state: Option<Map<String, Value>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hook_failure: Option<HookFailure>,
    /// Usage of the agents that the tool called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    nested: Option<Box<Spent>>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum RecordedCallOutcome {
    Result(ToolResult),
    Output {
        value: Value,
        result: ToolResult,
    },
    #[serde(rename = "bad_output")]
    InvalidOutput {
        #[serde(rename = "mistake")]
        error: String,
        result: ToolResult,
    },
    Interrupts(Vec<Interrupt>),
}

/// Returns the record of the next call to end.
pub(super) fn of_call(
    ended: Result<FinishedCall, StopReason>,
    state: Option<&AgentState>,
    nested_of_stopped: Spent,
) -> Value {
    let record = match ended {
        Err(reason) => RecordedCall::Stopped { reason, nested: nested_of_stopped },
        Ok(FinishedCall { position, call, outcome, is_known, duration, hook_failure, nested }) => {
            let outcome = match outcome {
                CallOutcome::Result(result) => RecordedCallOutcome::Result(result),
                CallOutcome::Output(output) => {
                    let (value, result) = *output;
                    RecordedCallOutcome::Output { value, result }
                }
                CallOutcome::InvalidOutput(output) => {
                    let (error, result) = *output;
                    RecordedCallOutcome::InvalidOutput { error, result }
                }
                CallOutcome::Interrupts(interrupts) => RecordedCallOutcome::Interrupts(interrupts),
            };
            let state = state.map(AgentState::to_json);
            let hook_failure = hook_failure.as_deref().map(HookFailure::of);
            let call =
                RecordedFinishedCall { position, call, outcome, is_known, duration, state, hook_failure, nested };
            RecordedCall::Ended(Box::new(call))
        }
    };
    to_json(&record)
}

/// Reads a call from its record, and restores the agent's state after that call.
pub(super) fn into_call(
    step: &str,
    record: Value,
    state: &AgentState,
) -> Result<Result<FinishedCall, (StopReason, Spent)>, JournalError> {
    let record = serde_json::from_value(record).map_err(|error| JournalError::new(step, error))?;
    let call = match record {
        RecordedCall::Stopped { reason, nested } => return Ok(Err((reason, nested))),
        RecordedCall::Ended(call) => *call,
    };
    let RecordedFinishedCall { position, call, outcome, is_known, duration, state: changed, hook_failure, nested } =
        call;
    if let Some(changed) = changed {
        state.replace(changed);
    }
    let outcome = match outcome {
        RecordedCallOutcome::Result(result) => CallOutcome::Result(result),
        RecordedCallOutcome::Output { value, result } => CallOutcome::Output(Box::new((value, result))),
        RecordedCallOutcome::InvalidOutput { error, result } => CallOutcome::InvalidOutput(Box::new((error, result))),
        RecordedCallOutcome::Interrupts(interrupts) => CallOutcome::Interrupts(interrupts),
    };
    let hook_failure = hook_failure.map(|failure| Box::new(failure.into_error()));
    Ok(Ok(FinishedCall { position, call, outcome, is_known, duration, hook_failure, nested }))
}

/// Returns the record of a model's capabilities.
pub(super) fn of_capabilities(capabilities: ModelCapabilities) -> Value {
    to_json(&capabilities)
}

/// Reads capabilities from their record.
pub(super) fn into_capabilities(step: &str, record: Value) -> Result<ModelCapabilities, JournalError> {
    serde_json::from_value(record).map_err(|error| JournalError::new(step, error))
}

/// Serializes a record. A failure is reported when the record is read back.
fn to_json(record: &impl Serialize) -> Value {
    serde_json::to_value(record).unwrap_or_else(|error| Value::String(error.to_string()))
}
