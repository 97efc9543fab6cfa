//! Complete responses, and the builder that assembles them from stream events.

mod builder;
mod partial_block;
mod stop_reason;
#[cfg(test)]
mod tests;

use std::time::Duration;

use serde_json::Value;

pub use self::builder::TurnBuilder;
use super::StopReason;
use crate::message::Message;
use crate::usage::{ModelMetrics, Usage};

/// A model's complete response.
#[derive(Debug)]
#[non_exhaustive]
pub struct Turn {
    /// Assistant message, with usage and timings in its metadata.
    pub message: Message,
    /// Reason for stopping. It is [`StopReason::ToolUse`] exactly if the message has tool calls.
    pub stop_reason: StopReason,
    /// Token usage, including that of models of a [`Fallback`](super::Fallback) that failed before.
    pub usage: Usage,
    /// Latency of the response.
    pub metrics: ModelMetrics,
    /// Guardrail trace, as the provider reports it.
    pub trace: Option<Value>,
    /// Provider-specific response fields that the request asked for.
    pub response_fields: Option<Value>,
    /// Replacement of the user message by a guardrail.
    pub redact_user: Option<String>,
}

impl Turn {
    /// Creates a response that does not come from a model.
    pub(crate) fn synthetic(message: Message) -> Self {
        Self {
            message,
            stop_reason: StopReason::EndTurn,
            usage: Usage::default(),
            metrics: ModelMetrics::default(),
            trace: None,
            response_fields: None,
            redact_user: None,
        }
    }

    /// Sets the timings that the provider did not report.
    pub(crate) fn set_timings(&mut self, took: Duration, first_content: Option<Duration>) {
        let milliseconds = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        if self.metrics.latency_ms == 0 {
            self.metrics.latency_ms = milliseconds(took);
        }
        if self.metrics.time_to_first_byte_ms.is_none() {
            self.metrics.time_to_first_byte_ms = first_content.map(milliseconds).filter(|measured| *measured > 0);
        }
        if let Some(metadata) = &mut self.message.metadata {
            metadata.metrics = Some(self.metrics);
        }
    }
}
