//! Events of a streamed response, modeled on Bedrock's ConverseStream. Providers translate their own events to these.

use std::borrow::Cow;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::StopReason;
use crate::event::GuardrailReport;
use crate::message::{Citation, ContentBlock, ProviderContent, Role};
use crate::usage::{ModelMetrics, ProviderUsage, Usage};

/// One event of a streamed response.
///
/// The order is: `MessageStart`, then for each block an optional `ContentBlockStart`, its deltas and a
/// `ContentBlockStop`, then `MessageStop`. Blocks may be interleaved and are identified by their index. `Metadata` comes
/// whenever the provider reports usage, so that the usage of a response that breaks off is known.
/// A stream that ends before `MessageStop` has broken off.
///
/// Large and rare fields are boxed to keep events small: a response has thousands of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
#[non_exhaustive]
pub enum StreamEvent {
    /// Start of the response.
    MessageStart {
        /// Always the assistant.
        role: Role,
        /// Name of the provider. It is stored in the message's metadata, so that signed reasoning and provider-specific
        /// content are sent back to that provider only.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        provider: Option<Cow<'static, str>>,
    },
    /// A model failed and the next one is tried; see [`Fallback`](super::Fallback).
    Fallback {
        /// Id of the model that failed.
        from: String,
        /// Id of the model that is tried next.
        to: String,
        /// Text of the error.
        error: String,
        /// Tokens of the failed response, as far as its provider reported them.
        #[serde(default, skip_serializing_if = "Usage::is_zero")]
        usage: Usage,
    },
    /// Start of a block. Text and reasoning blocks may start with their first delta instead.
    ContentBlockStart {
        /// Zero-based index of the block in the response.
        #[serde(default)]
        content_block_index: usize,
        /// Id and name of a tool call.
        start: BlockStart,
    },
    /// A delta of a block.
    ContentBlockDelta {
        /// Zero-based index of the block in the response.
        #[serde(default)]
        content_block_index: usize,
        /// Content to append to the block.
        delta: BlockDelta,
    },
    /// End of a block.
    ContentBlockStop {
        /// Zero-based index of the block in the response.
        #[serde(default)]
        content_block_index: usize,
    },
    /// End of the response.
    MessageStop {
        /// Reason that the model gives for stopping.
        stop_reason: StopReason,
        /// Provider-specific response fields that the request asked for.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        additional_model_response_fields: Option<Box<Value>>,
    },
    /// Token usage and timings of the response. Each one replaces the one before.
    Metadata {
        /// Tokens of the whole response so far.
        #[serde(default)]
        usage: Usage,
        /// Latency of the response.
        #[serde(default)]
        metrics: ModelMetrics,
        /// Guardrail trace, as the provider reports it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        trace: Option<Box<Value>>,
        /// The provider's own usage object, unchanged.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        provider_usage: Option<ProviderUsage>,
    },
    /// A guardrail replaces the user message, the response, or both.
    RedactContent {
        /// Replacement of the user message.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        redact_user_content_message: Option<String>,
        /// Replacement of the response.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        redact_assistant_content_message: Option<String>,
    },
    /// A guardrail of the program changed or blocked content of this response. It has no effect on the response.
    Guardrail {
        /// The report.
        report: GuardrailReport,
    },
}

/// Start of a block: id and name of a tool call; empty for other blocks.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct BlockStart {
    /// Id and name, if the block is a tool call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_use: Option<ToolUseStart>,
}

/// Start of a tool call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ToolUseStart {
    /// Id of the call. Empty if the provider has no ids; the [`TurnBuilder`](super::TurnBuilder) generates one then.
    pub tool_use_id: String,
    /// Name of the tool.
    pub name: String,
    /// The provider's signature over the reasoning that led to the call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning_signature: Option<String>,
}

impl ToolUseStart {
    /// Creates the start of a call of the tool `name`.
    pub fn new(tool_use_id: impl Into<String>, name: impl Into<String>) -> Self {
        Self { tool_use_id: tool_use_id.into(), name: name.into(), reasoning_signature: None }
    }
}

/// A delta of a content block.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum BlockDelta {
    /// Text.
    Text(String),
    /// Streamed tool arguments.
    ToolUse(ToolUseDelta),
    /// Reasoning.
    ReasoningContent(ReasoningDelta),
    /// A citation for the block's text.
    Citation(Box<Citation>),
    /// A complete block of provider-specific content.
    Provider(Box<ProviderContent>),
    /// A complete medium that the model has generated: an image, a video, audio, or a document.
    Media(Box<ContentBlock>),
}

/// A chunk of streamed tool arguments.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ToolUseDelta {
    /// Part of a JSON text. Only the concatenation of all chunks is valid JSON.
    pub input: String,
}

/// A delta of a reasoning block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum ReasoningDelta {
    /// Reasoning text.
    Text(String),
    /// The provider's signature over the reasoning text.
    Signature(String),
    /// Encrypted reasoning.
    #[serde(with = "crate::message::encoded_bytes")]
    RedactedContent(Bytes),
}

impl StreamEvent {
    /// Creates a [`MessageStart`](Self::MessageStart) without a provider.
    pub fn start() -> Self {
        Self::MessageStart { role: Role::Assistant, provider: None }
    }

    /// Creates a [`MessageStart`](Self::MessageStart) of a provider.
    pub fn start_from(provider: impl Into<Cow<'static, str>>) -> Self {
        Self::MessageStart { role: Role::Assistant, provider: Some(provider.into()) }
    }

    /// Creates a text delta of block `index`.
    pub fn text(index: usize, text: impl Into<String>) -> Self {
        Self::ContentBlockDelta { content_block_index: index, delta: BlockDelta::Text(text.into()) }
    }

    /// Creates a reasoning delta of block `index`.
    pub fn reasoning(index: usize, delta: ReasoningDelta) -> Self {
        Self::ContentBlockDelta { content_block_index: index, delta: BlockDelta::ReasoningContent(delta) }
    }

    /// Creates the start of a tool call in block `index`.
    pub fn tool_use(index: usize, start: ToolUseStart) -> Self {
        Self::ContentBlockStart { content_block_index: index, start: BlockStart { tool_use: Some(start) } }
    }

    /// Creates a chunk of tool arguments for the call in block `index`.
    pub fn tool_input(index: usize, input: impl Into<String>) -> Self {
        let delta = BlockDelta::ToolUse(ToolUseDelta { input: input.into() });
        Self::ContentBlockDelta { content_block_index: index, delta }
    }

    /// Creates a citation for the text of block `index`.
    pub fn citation(index: usize, citation: Citation) -> Self {
        Self::ContentBlockDelta { content_block_index: index, delta: BlockDelta::Citation(Box::new(citation)) }
    }

    /// Creates provider-specific content in block `index`.
    pub fn provider_content(index: usize, content: ProviderContent) -> Self {
        Self::ContentBlockDelta { content_block_index: index, delta: BlockDelta::Provider(Box::new(content)) }
    }

    /// Creates a generated medium in block `index`: an image, a video, audio, or a document.
    ///
    /// ```
    /// use strands::message::{ImageBlock, ImageFormat};
    /// use strands::models::StreamEvent;
    ///
    /// let event = StreamEvent::media(0, ImageBlock::new(ImageFormat::Png, vec![0x89, 0x50, 0x4e, 0x47]));
    /// # let _ = event;
    /// ```
    pub fn media(index: usize, medium: impl Into<ContentBlock>) -> Self {
        Self::ContentBlockDelta { content_block_index: index, delta: BlockDelta::Media(Box::new(medium.into())) }
    }

    /// Creates the end of block `index`.
    pub fn block_stop(index: usize) -> Self {
        Self::ContentBlockStop { content_block_index: index }
    }

    /// Creates a [`MessageStop`](Self::MessageStop).
    pub fn stop(stop_reason: StopReason) -> Self {
        Self::MessageStop { stop_reason, additional_model_response_fields: None }
    }

    /// Creates a [`Metadata`](Self::Metadata).
    pub fn metadata(usage: Usage, metrics: ModelMetrics) -> Self {
        Self::Metadata { usage, metrics, trace: None, provider_usage: None }
    }

    /// Sets the provider's own usage object of a [`Metadata`](Self::Metadata); leaves other events unchanged.
    #[must_use]
    pub fn with_provider_usage(mut self, counts: impl Into<ProviderUsage>) -> Self {
        if let Self::Metadata { provider_usage, .. } = &mut self {
            *provider_usage = Some(counts.into());
        }
        self
    }
}
