//! Outcome of one tool call of a turn.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use crate::history::OUTCOME_UNKNOWN;
use crate::interrupt::Suspension;
use crate::message::{ToolResult, ToolUse};
use crate::nesting::Spent;
use crate::outcome::AgentError;
use crate::state::StateChanges;

/// A tool call that has ended.
pub(super) struct FinishedCall {
    pub(super) position: usize,
    pub(super) call: Arc<ToolUse>,
    pub(super) outcome: CallOutcome,
    /// True if the agent has the tool.
    pub(super) is_known: bool,
    pub(super) duration: Duration,
    pub(super) hook_failure: Option<Box<AgentError>>,
    /// Usage of the agents that the tool called. Set only if a journal records the call.
    pub(super) nested: Option<Box<Spent>>,
    /// Changes of the call to the agent's state. Set only if a journal records the call.
    pub(super) state: Option<Box<StateChanges>>,
}

/// Outcome of a tool call.
pub(super) enum CallOutcome {
    Result(ToolResult),
    /// The structured output, and the tool result for the model.
    Output(Box<(Value, ToolResult)>),
    /// The validation error of a structured output, and the tool result for the model.
    InvalidOutput(Box<(String, ToolResult)>),
    Suspended(Suspension),
    /// The call could not be resumed, and is suspended: with this state, or as it was before.
    StillSuspended(Option<Suspension>),
}

/// Returns the outcome of an approved call that an earlier attempt of a durable engine has started: an error result that says
/// that the outcome is unknown.
pub(super) fn outcome_unknown(position: usize, call: Arc<ToolUse>) -> FinishedCall {
    let result = ToolResult::error(&call.tool_use_id, OUTCOME_UNKNOWN);
    FinishedCall { is_known: true, ..FinishedCall::new(position, call, CallOutcome::Result(result)) }
}

impl FinishedCall {
    /// Creates the outcome of a call that ran no tool.
    pub(super) fn new(position: usize, call: Arc<ToolUse>, outcome: CallOutcome) -> Self {
        Self {
            position,
            call,
            outcome,
            is_known: false,
            duration: Duration::ZERO,
            hook_failure: None,
            nested: None,
            state: None,
        }
    }
}
