//! Reports of guardrails: names and counts, and never a text.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::AgentEvent;
use crate::message::wire_enum;

wire_enum! {
    /// Content that a guardrail checks.
    pub enum GuardedContent {
        /// Messages that an invocation adds to the conversation.
        Prompt = "prompt",
        /// Responses to interrupts.
        InterruptResponse = "interrupt_response",
        /// Text of the model, its citations, and provider-specific content.
        Response = "response",
        /// Reasoning of the model.
        Reasoning = "reasoning",
        /// Arguments of the model's tool calls.
        ToolArguments = "tool_arguments",
        /// Results of tools.
        ToolResult = "tool_result",
    }
}

wire_enum! {
    /// Action of a guardrail.
    pub enum GuardrailAction {
        /// Parts of a text were replaced.
        Redacted = "redacted",
        /// A text was replaced as a whole.
        Rewritten = "rewritten",
        /// A prompt, a response or a tool result was blocked.
        Blocked = "blocked",
    }
}

/// Report of a guardrail that changed or blocked content. It contains no text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct GuardrailReport {
    /// Name of the guardrail.
    pub guardrail: String,
    /// Content that it checked.
    pub content: GuardedContent,
    /// Action that it took.
    pub action: GuardrailAction,
    /// Number of replaced parts, of rewritten texts, or 1 for blocked content.
    pub count: u32,
}

impl GuardrailReport {
    /// Creates a report.
    pub fn new(guardrail: impl Into<String>, content: GuardedContent, action: GuardrailAction, count: u32) -> Self {
        Self { guardrail: guardrail.into(), content, action, count }
    }
}

impl From<GuardrailReport> for AgentEvent {
    fn from(report: GuardrailReport) -> Self {
        let GuardrailReport { guardrail, content, action, count } = report;
        Self::Guardrail { guardrail, content, action, count }
    }
}
