//! The outcome of one tool call.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use crate::interrupt::Interrupt;
use crate::message::{ToolResult, ToolUse};
use crate::nesting::Spent;
use crate::outcome::AgentError;

/// The outcome of a call.
pub(super) struct CallOutcome {
    pub(super) position: usize,
    pub(super) call: Arc<ToolUse>,
    pub(super) answer: Answer,
    /// True for a tool that the agent has.
    pub(super) known: bool,
    pub(super) took: Duration,
    pub(super) hook_failure: Option<Box<AgentError>>,
    /// Cost of the agents that the call has called. Only told if a journal records the call.
    pub(super) nested: Option<Box<Spent>>,
}

pub(super) enum Answer {
    Result(ToolResult),
    /// The structured output, and the tool result for the model.
    Output(Value, ToolResult),
    /// Error about the structured output, as the model is told.
    BadOutput(String, ToolResult),
    Interrupts(Vec<Interrupt>),
}
