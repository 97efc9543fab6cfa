//! Records of the effects of an invocation in a journal.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::finished_call::{CallOutcome, FinishedCall};
use super::model_outcome::{Attempt, AttemptOutcome, PartialResponse};
use crate::continuation::Continuation;
use crate::interrupt::{Interrupt, Suspension};
use crate::message::{Message, ToolResult, ToolUse};
use crate::metrics::{ModelMetrics, Usage};
use crate::models::{ModelCapabilities, RecordedError, StopReason, Turn};
use crate::nesting::Spent;
use crate::outcome::AgentError;
use crate::state::StateChanges;

#[derive(Serialize, Deserialize)]
pub(super) struct RecordedAttempt {
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
    #[serde(default, skip_serializing_if = "Option::is_none")]
    state: Option<Box<StateChanges>>,
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
pub(super) struct HookFailure {
    event: String,
    text: String,
}

/// Events whose hooks are recorded.
const EVENTS: [&str; 11] = [
    "before_invocation",
    "select_tools",
    "message_added",
    "before_model_call",
    "after_model_call",
    "before_tools",
    "before_tool_call",
    "authorize_tool_call",
    "after_tool_call",
    "after_tools",
    "after_invocation",
];

impl HookFailure {
    pub(super) fn of(error: &AgentError) -> Self {
        match error {
            AgentError::Hook { event, source } => Self { event: (*event).to_owned(), text: source.to_string() },
            error => Self { event: String::new(), text: error.to_string() },
        }
    }

    pub(super) fn into_error(self) -> AgentError {
        let event = EVENTS.into_iter().find(|event| *event == self.event).unwrap_or("a recorded event");
        AgentError::Hook { event, source: self.text.into() }
    }
}

/// Returns the record of an attempt of a model call.
pub(super) fn of_attempt(attempt: Attempt) -> RecordedAttempt {
    let Attempt { outcome, retry, delay, capabilities, hook_failure, nested, state } = attempt;
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
    RecordedAttempt { outcome, retry, delay, capabilities, hook_failure, nested, state }
}

/// Reads an attempt from its record.
pub(super) fn into_attempt(record: RecordedAttempt) -> Attempt {
    let RecordedAttempt { outcome, retry, delay, capabilities, hook_failure, nested, state } = record;
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
    Attempt { outcome, retry, delay, capabilities, hook_failure, nested, state }
}

/// The next of the concurrent calls to end, or the end of the turn.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum RecordedCall {
    /// Approved calls whose tools are about to start.
    Starting(Vec<usize>),
    Stopped {
        reason: StopReason,
        /// Usage of agents called by tools that had not ended.
        #[serde(default, skip_serializing_if = "Spent::is_nothing")]
        nested: Spent,
        /// Changes of the turn's calls to the agent's state.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        state: Option<Box<StateChanges>>,
    },
    Ended(Box<RecordedFinishedCall>),
}

#[derive(Serialize, Deserialize)]
pub(super) struct RecordedFinishedCall {
    position: usize,
    call: Arc<ToolUse>,
    #[serde(rename = "answer")]
    outcome: RecordedCallOutcome,
    #[serde(rename = "known")]
    is_known: bool,
    #[serde(rename = "took")]
    duration: Duration,
    /// Changes of the call to the agent's state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    state: Option<Box<StateChanges>>,
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
    Suspended(RecordedSuspension),
    StillSuspended(Option<RecordedSuspension>),
}

/// A suspended call whose tool has a state.
#[derive(Serialize, Deserialize)]
struct RecordedSuspension {
    interrupts: Vec<Interrupt>,
    continuation: Continuation,
    /// True for the continuation of an agent of this crate.
    #[serde(default)]
    is_of_agent: bool,
}

impl RecordedSuspension {
    /// Returns the interrupts alone of a call without a state.
    fn of(suspension: Suspension) -> Result<Self, Vec<Interrupt>> {
        let Suspension { interrupts, continuation } = suspension;
        match continuation {
            Some(continuation) => Ok(Self { interrupts, is_of_agent: continuation.is_of_agent(), continuation }),
            None => Err(interrupts),
        }
    }

    fn into_suspension(self) -> Suspension {
        let Self { interrupts, continuation, is_of_agent } = self;
        let continuation = if is_of_agent { continuation.into_agents() } else { continuation };
        Suspension { interrupts, continuation: Some(continuation) }
    }
}

/// The next event of the calls of a turn.
pub(super) enum NextCall {
    Starting(Vec<usize>),
    Stopped { reason: StopReason, nested: Spent, state: Option<Box<StateChanges>> },
    Ended(Box<FinishedCall>),
}

/// Returns the record of the next event of calls.
pub(super) fn of_call(next: NextCall) -> RecordedCall {
    let FinishedCall { position, call, outcome, is_known, duration, hook_failure, nested, state } = match next {
        NextCall::Starting(positions) => return RecordedCall::Starting(positions),
        NextCall::Stopped { reason, nested, state } => return RecordedCall::Stopped { reason, nested, state },
        NextCall::Ended(call) => *call,
    };
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
        CallOutcome::StillSuspended(suspension) => RecordedCallOutcome::StillSuspended(
            suspension.and_then(|suspension| RecordedSuspension::of(suspension).ok()),
        ),
        CallOutcome::Suspended(suspension) => match RecordedSuspension::of(suspension) {
            Ok(suspension) => RecordedCallOutcome::Suspended(suspension),
            Err(interrupts) => RecordedCallOutcome::Interrupts(interrupts),
        },
    };
    let hook_failure = hook_failure.as_deref().map(HookFailure::of);
    let call = RecordedFinishedCall { position, call, outcome, is_known, duration, state, hook_failure, nested };
    RecordedCall::Ended(Box::new(call))
}

/// Reads the next event of calls from its record.
pub(super) fn into_call(record: RecordedCall) -> NextCall {
    let call = match record {
        RecordedCall::Starting(positions) => return NextCall::Starting(positions),
        RecordedCall::Stopped { reason, nested, state } => return NextCall::Stopped { reason, nested, state },
        RecordedCall::Ended(call) => *call,
    };
    let RecordedFinishedCall { position, call, outcome, is_known, duration, state, hook_failure, nested } = call;
    let outcome = match outcome {
        RecordedCallOutcome::Result(result) => CallOutcome::Result(result),
        RecordedCallOutcome::Output { value, result } => CallOutcome::Output(Box::new((value, result))),
        RecordedCallOutcome::InvalidOutput { error, result } => CallOutcome::InvalidOutput(Box::new((error, result))),
        RecordedCallOutcome::StillSuspended(suspension) => {
            CallOutcome::StillSuspended(suspension.map(RecordedSuspension::into_suspension))
        }
        RecordedCallOutcome::Interrupts(interrupts) => CallOutcome::Suspended(interrupts.into()),
        RecordedCallOutcome::Suspended(suspension) => CallOutcome::Suspended(suspension.into_suspension()),
    };
    let hook_failure = hook_failure.map(|failure| Box::new(failure.into_error()));
    NextCall::Ended(Box::new(FinishedCall { position, call, outcome, is_known, duration, hook_failure, nested, state }))
}
