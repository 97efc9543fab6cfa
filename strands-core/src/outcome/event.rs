//! What a listener hears while an invocation runs. It is JSON as it stands, with names that stay.

use std::sync::Arc;
use std::time::Duration;

use serde::{Serialize, Serializer};
use serde_json::Value;

use super::AgentResponse;
use crate::interrupt::Interrupt;
use crate::message::{Citation, Message, ProviderContent, ToolResult, ToolUse};

/// What a listener hears while an invocation runs.
///
/// In JSON each is an object whose `type` names it: `{"type": "text_delta", "text": "Hel"}`. `T` is the type asked for with
/// [`Invocation::output`](crate::Invocation::output).
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum AgentEvent<T = Value> {
    /// The model is about to be called.
    CycleStart {
        /// Counts the model calls of this invocation, from 1.
        cycle: u32,
    },
    /// A piece of the answer's text.
    TextDelta {
        /// The piece.
        text: String,
    },
    /// A piece of what the model thinks.
    ReasoningDelta {
        /// The piece.
        text: String,
    },
    /// A place that the text comes from.
    Citation {
        /// The place.
        citation: Box<Citation>,
    },
    /// Content that only the provider understands, such as a search of its own and what it found.
    ProviderContent {
        /// The content.
        content: Box<ProviderContent>,
    },
    /// One model could not answer and another one is asked; see [`Fallback`](crate::model::Fallback).
    Fallback {
        /// The model that could not.
        from: String,
        /// The one that is asked now.
        to: String,
        /// Why it could not.
        error: String,
    },
    /// The model begins a tool call.
    ToolUseStart {
        /// Names the call.
        tool_use_id: Arc<str>,
        /// The tool.
        name: String,
    },
    /// A piece of the call's arguments.
    ToolUseDelta {
        /// The call.
        tool_use_id: Arc<str>,
        /// JSON text; only all pieces together are valid JSON.
        input: String,
    },
    /// The structured output so far, if one was asked for.
    ///
    /// It is a prefix of the value that the model is giving: strings may be cut, the last element of an array and the last
    /// field of an object may be incomplete, and numbers are there once they are complete. Each value continues the one
    /// before, and no two in a row are equal. Values of more than 1 KiB come once they have grown by a 32nd.
    ///
    /// All values since the last [`CycleStart`](Self::CycleStart) or [`Retry`](Self::Retry) are void if the model's
    /// response is thrown away or does not fit the type; the output is in [`Result`](Self::Result).
    PartialOutput {
        /// The value so far.
        value: Value,
    },
    /// A model call failed and will be made again after a wait. What was streamed since the cycle's start is void.
    Retry {
        /// The attempt that failed, from 1.
        attempt: u32,
        /// How long the loop waits now, in milliseconds.
        #[serde(rename = "delay_ms", serialize_with = "milliseconds")]
        delay: Duration,
        /// What went wrong.
        error: String,
        /// True when pieces had already been streamed, which a display should take back.
        discards_output: bool,
    },
    /// The conversation did not fit the model's context window, or soon would not have, and was shortened.
    ContextReduced {
        /// What was done.
        what: String,
    },
    /// The conversation was to be shortened before it is too long, and could not be. The invocation goes on.
    ContextReductionFailed {
        /// Why.
        error: String,
    },
    /// A guardrail replaced text.
    Redacted {
        /// What the user's message became.
        #[serde(skip_serializing_if = "Option::is_none")]
        user: Option<String>,
        /// What the answer became. What was streamed before is to be taken back.
        #[serde(skip_serializing_if = "Option::is_none")]
        assistant: Option<String>,
    },
    /// A message joined the history: the prompt, the model's answer, or the results of tools.
    Message {
        /// The message.
        message: Arc<Message>,
    },
    /// A tool is called.
    ToolStart {
        /// The call.
        tool_use: Arc<ToolUse>,
    },
    /// A running tool says how far it is.
    ToolProgress {
        /// The call.
        tool_use: Arc<ToolUse>,
        /// What it says.
        data: Value,
    },
    /// A tool has answered.
    ToolEnd {
        /// The call.
        tool_use: Arc<ToolUse>,
        /// The answer.
        result: ToolResult,
        /// How long it took, in milliseconds.
        #[serde(rename = "duration_ms", serialize_with = "milliseconds")]
        duration: Duration,
    },
    /// Humans are asked; the invocation ends.
    Interrupt {
        /// What they are asked.
        interrupts: Vec<Interrupt>,
    },
    /// The invocation has ended. Always the last event.
    Result {
        /// What it ended with.
        response: Box<AgentResponse<T>>,
    },
}

impl AgentEvent {
    /// The same event of an invocation with another type of output. `None` for the result, which needs a conversion.
    pub(crate) fn retyped<T>(self) -> Option<AgentEvent<T>> {
        Some(match self {
            Self::CycleStart { cycle } => AgentEvent::CycleStart { cycle },
            Self::TextDelta { text } => AgentEvent::TextDelta { text },
            Self::ReasoningDelta { text } => AgentEvent::ReasoningDelta { text },
            Self::Citation { citation } => AgentEvent::Citation { citation },
            Self::ProviderContent { content } => AgentEvent::ProviderContent { content },
            Self::Fallback { from, to, error } => AgentEvent::Fallback { from, to, error },
            Self::ToolUseStart { tool_use_id, name } => AgentEvent::ToolUseStart { tool_use_id, name },
            Self::ToolUseDelta { tool_use_id, input } => AgentEvent::ToolUseDelta { tool_use_id, input },
            Self::PartialOutput { value } => AgentEvent::PartialOutput { value },
            Self::Retry { attempt, delay, error, discards_output } => {
                AgentEvent::Retry { attempt, delay, error, discards_output }
            }
            Self::ContextReduced { what } => AgentEvent::ContextReduced { what },
            Self::ContextReductionFailed { error } => AgentEvent::ContextReductionFailed { error },
            Self::Redacted { user, assistant } => AgentEvent::Redacted { user, assistant },
            Self::Message { message } => AgentEvent::Message { message },
            Self::ToolStart { tool_use } => AgentEvent::ToolStart { tool_use },
            Self::ToolProgress { tool_use, data } => AgentEvent::ToolProgress { tool_use, data },
            Self::ToolEnd { tool_use, result, duration } => AgentEvent::ToolEnd { tool_use, result, duration },
            Self::Interrupt { interrupts } => AgentEvent::Interrupt { interrupts },
            Self::Result { .. } => return None,
        })
    }
}

fn milliseconds<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}
