//! Response of an invocation.

use std::fmt;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::interrupt::Interrupt;
use crate::message::Message;
use crate::metrics::{EventLoopMetrics, Usage};
use crate::stop_reason::StopReason;

/// Response of an invocation.
///
/// `T` is the type asked for with [`Invocation::output`](crate::Invocation::output). Its JSON is part of that of
/// the events; see [`AgentEvent`](crate::AgentEvent). `Display` is the [`text`](Self::text).
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
// Without it, serde asks for `T: Default`.
#[serde(bound(deserialize = "T: Deserialize<'de>"))]
#[schemars(rename = "AgentResponse")]
#[non_exhaustive]
pub struct AgentResponse<T = Value> {
    /// The last message of the model; empty if it was stopped before it said anything.
    pub message: Arc<Message>,
    /// Reason why the invocation ended.
    pub stop_reason: StopReason,
    /// Tokens of this invocation, over all its model calls.
    pub usage: Usage,
    /// Number of model calls of this invocation.
    pub turns: u32,
    /// Questions for humans, if the stop reason is [`StopReason::Interrupt`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub interrupts: Vec<Interrupt>,
    /// Structured output. Absent if none was asked for, and if the invocation ended before there was one.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "T")]
    pub output: Option<T>,
    /// Cost of the agent's work over its life.
    pub metrics: Arc<EventLoopMetrics>,
}

/// Reads a field that is there: `null` is an output, too.
fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// The text of the last message.
impl<T> fmt::Display for AgentResponse<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text())
    }
}

impl<T> AgentResponse<T> {
    /// The text of the last message.
    pub fn text(&self) -> String {
        self.message.text()
    }
}

impl AgentResponse {
    /// Creates a response that was not made by an agent of this process, for a [`Promptable`](crate::Promptable) of your
    /// own: without usage, turns, metrics and output, which are set afterwards.
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
            metrics: Arc::default(),
        }
    }

    /// The response with the output as the type that was asked for. The loop has checked that it is one.
    pub(crate) fn typed<T: DeserializeOwned>(self) -> AgentResponse<T> {
        AgentResponse {
            message: self.message,
            stop_reason: self.stop_reason,
            usage: self.usage,
            turns: self.turns,
            interrupts: self.interrupts,
            output: self.output.and_then(|output| serde_json::from_value(output).ok()),
            metrics: self.metrics,
        }
    }
}
