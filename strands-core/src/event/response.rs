//! [`AgentResponse`], the response of an invocation.

use std::fmt;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::continuation::Continuation;
use crate::interrupt::Interrupt;
use crate::message::{Message, ToolUse};
use crate::metrics::{EventLoopMetrics, Usage};
use crate::stop_reason::StopReason;

/// Response of an invocation.
///
/// `T` is the type requested with [`Invocation::output`](crate::Invocation::output). Its JSON is part of the format of
/// events; see [`AgentEvent`](crate::AgentEvent). `Display` prints the [`text`](Self::text).
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
// Without it, serde requires `T: Default`.
#[serde(bound(deserialize = "T: Deserialize<'de>"))]
#[schemars(rename = "AgentResponse")]
#[non_exhaustive]
pub struct AgentResponse<T = Value> {
    /// Last message of the model; empty if it was stopped before any content.
    pub message: Arc<Message>,
    /// Reason for the end of the invocation.
    pub stop_reason: StopReason,
    /// Token usage of this invocation, over all its model calls.
    pub usage: Usage,
    /// Number of model calls of this invocation.
    pub turns: u32,
    /// Pending interrupts, if the stop reason is [`StopReason::Interrupt`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub interrupts: Vec<Interrupt>,
    /// Structured output. Absent if none was requested, or if the invocation ended without one.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "T")]
    pub output: Option<T>,
    /// The call whose result is the response, if a tool has [ended the turn](crate::ToolPolicy::with_ends_turn).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_by: Option<Arc<ToolUse>>,
    /// Metrics over the lifetime of the agent.
    pub metrics: Arc<EventLoopMetrics>,
    /// State with which a later request [continues](crate::PromptRequest::continue_from), of an agent that nothing else keeps: one
    /// that was owned by this invocation and has no session. Set if the invocation was interrupted, and if the request
    /// [asked for it](crate::PromptRequest::keep_conversation).
    ///
    /// It has the conversation, and is no part of the JSON.
    #[serde(skip)]
    pub continuation: Option<Continuation>,
}

/// Deserializes a field that is present, since `null` is a valid output.
fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// Prints the text of the last message.
impl<T> fmt::Display for AgentResponse<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text())
    }
}

impl<T> AgentResponse<T> {
    /// Returns the text of the last message.
    pub fn text(&self) -> String {
        self.message.text()
    }
}

impl AgentResponse {
    /// Creates a response for a custom [`Promptable`](crate::Promptable), without usage, turns, metrics and output; set these
    /// fields afterwards.
    ///
    /// ```
    /// use strands::AgentResponse;
    /// use strands::message::Message;
    /// use strands::models::StopReason;
    ///
    /// let mut response = AgentResponse::new(Message::assistant("It is sunny."), StopReason::EndTurn);
    /// response.turns = 1;
    /// assert_eq!(response.text(), "It is sunny.");
    /// assert_eq!(response.to_string(), "It is sunny.");
    /// ```
    pub fn new(message: impl Into<Arc<Message>>, stop_reason: StopReason) -> Self {
        Self {
            message: message.into(),
            stop_reason,
            usage: Usage::default(),
            turns: 0,
            interrupts: Vec::new(),
            output: None,
            ended_by: None,
            metrics: Arc::default(),
            continuation: None,
        }
    }

    /// Converts the output to the requested type. The loop has validated it.
    pub(crate) fn typed<T>(self, read: fn(Value) -> Option<T>) -> AgentResponse<T> {
        AgentResponse {
            message: self.message,
            stop_reason: self.stop_reason,
            usage: self.usage,
            turns: self.turns,
            interrupts: self.interrupts,
            output: self.output.and_then(read),
            ended_by: self.ended_by,
            metrics: self.metrics,
            continuation: self.continuation,
        }
    }
}
