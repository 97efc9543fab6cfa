//! What an invocation ends with.

use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;

use super::AgentError;
use crate::interrupt::Interrupt;
use crate::message::Message;
use crate::metrics::{EventLoopMetrics, Usage};
use crate::model::StopReason;

/// Result of an invocation. `T` is the type asked for with [`Invocation::output`](crate::Invocation::output).
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct AgentResponse<T = Value> {
    /// What the model said last; empty when it was stopped before it said anything.
    pub message: Arc<Message>,
    /// Why the invocation ended.
    pub stop_reason: StopReason,
    /// Tokens of this invocation, over all its model calls.
    pub usage: Usage,
    /// How many model calls this invocation made.
    pub turns: u32,
    /// What humans are asked, when the stop reason is [`StopReason::Interrupt`].
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub interrupts: Vec<Interrupt>,
    /// The typed output. Absent when none was asked for, and when the invocation ended before there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<T>,
    /// What the agent's work has cost over its life.
    pub metrics: Arc<EventLoopMetrics>,
}

impl AgentResponse {
    /// Creates a response that was not made by an agent of this process, for a [`Promptable`](crate::Promptable) of your
    /// own: without usage, turns, metrics and output, which are set afterwards.
    ///
    /// ```
    /// use strands_core::AgentResponse;
    /// use strands_core::message::Message;
    /// use strands_core::model::StopReason;
    ///
    /// let mut response = AgentResponse::new(Message::assistant("It is sunny."), StopReason::EndTurn);
    /// response.turns = 1;
    /// assert_eq!(response.text(), "It is sunny.");
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
}

impl<T> AgentResponse<T> {
    /// The text of the last message.
    pub fn text(&self) -> String {
        self.message.text()
    }

    /// The typed output.
    ///
    /// # Errors
    ///
    /// [`AgentError::NoOutput`] when the invocation ended before there was one, with the reason.
    pub fn into_output(self) -> Result<T, AgentError> {
        let stop_reason = self.stop_reason;
        self.output.ok_or(AgentError::NoOutput { stop_reason })
    }

    pub(crate) fn map_output<U>(self, map: impl FnOnce(T) -> Option<U>) -> AgentResponse<U> {
        AgentResponse {
            message: self.message,
            stop_reason: self.stop_reason,
            usage: self.usage,
            turns: self.turns,
            interrupts: self.interrupts,
            output: self.output.and_then(map),
            metrics: self.metrics,
        }
    }
}
