//! Outcome of one tool call of a turn.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use crate::interrupt::Interrupt;
use crate::message::{ToolResult, ToolUse};
use crate::nesting::Spent;
use crate::outcome::AgentError;

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
}

/// Outcome of a tool call.
pub(super) enum CallOutcome {
    Result(ToolResult),
    /// The structured output, and the tool result for the model.
    Output(Box<(Value, ToolResult)>),
    /// The validation error of a structured output, and the tool result for the model.
    InvalidOutput(Box<(String, ToolResult)>),
    Interrupts(Vec<Interrupt>),
}
