//! What a model says, piece by piece: the union of Bedrock's ConverseStream, which every provider is translated to.

use std::borrow::Cow;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::StopReason;
use crate::message::{Citation, ContentBlock, ProviderContent, Role};
use crate::usage::{ModelMetrics, Usage};

/// One event of a model's answer.
///
/// The order is: `MessageStart`, then for each block an optional `ContentBlockStart`, its deltas and a
/// `ContentBlockStop`, then `MessageStop`. Blocks may be interleaved; their index tells them apart. `Metadata` comes whenever
/// the provider tells what the response has cost so far, so that the cost of one that breaks off is known.
/// A stream that ends before `MessageStop` is a broken stream.
///
/// What is large and rare is boxed: thousands of these pass from hand to hand in one answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
#[non_exhaustive]
pub enum StreamEvent {
    /// The answer begins.
    MessageStart {
        /// Always the assistant.
        role: Role,
        /// Who answers. What is said is marked with it, so that signed thoughts and content of a provider's own go back
        /// to that provider alone.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        provider: Option<Cow<'static, str>>,
    },
    /// One model could not answer and another one is asked; see [`Fallback`](super::Fallback).
    Fallback {
        /// The model that could not.
        from: String,
        /// The one that is asked now.
        to: String,
        /// Why it could not.
        error: String,
        /// Tokens of its response, as far as its provider has told them.
        #[serde(default, skip_serializing_if = "Usage::is_nothing")]
        usage: Usage,
    },
    /// A block begins. Text and reasoning blocks may begin with their first delta instead.
    ContentBlockStart {
        /// Tells the blocks of one answer apart.
        #[serde(default)]
        content_block_index: usize,
        /// What is known at the beginning.
        start: BlockStart,
    },
    /// A piece of a block.
    ContentBlockDelta {
        /// The block.
        #[serde(default)]
        content_block_index: usize,
        /// The piece.
        delta: BlockDelta,
    },
    /// A block is complete.
    ContentBlockStop {
        /// The block.
        #[serde(default)]
        content_block_index: usize,
    },
    /// The answer is complete.
    MessageStop {
        /// Why the model stopped.
        stop_reason: StopReason,
        /// Fields of the provider's own that were asked for.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        additional_model_response_fields: Option<Box<Value>>,
    },
    /// Cost of the response. Each one takes the place of the one before.
    Metadata {
        /// Tokens, of the whole response so far.
        #[serde(default)]
        usage: Usage,
        /// Timings.
        #[serde(default)]
        metrics: ModelMetrics,
        /// What the provider's guardrail did, as it reports it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        trace: Option<Box<Value>>,
        /// What the provider itself says that the answer cost, in its own words and counts.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        provider_usage: Option<Box<Value>>,
    },
    /// A guardrail wants text replaced, in the user's message, in the answer, or in both.
    RedactContent {
        /// What the user's message becomes.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        redact_user_content_message: Option<String>,
        /// What the answer becomes.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        redact_assistant_content_message: Option<String>,
    },
}

/// What is known when a block begins: for a tool call its id and name, for other blocks nothing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct BlockStart {
    /// The tool call that begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_use: Option<ToolUseStart>,
}

/// A tool call that begins.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ToolUseStart {
    /// Names the call. Empty where the provider has no ids; one is made then.
    pub tool_use_id: String,
    /// The tool.
    pub name: String,
    /// The provider's signature over the thoughts that led to the call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning_signature: Option<String>,
}

impl ToolUseStart {
    /// A call of `name`.
    pub fn new(tool_use_id: impl Into<String>, name: impl Into<String>) -> Self {
        Self { tool_use_id: tool_use_id.into(), name: name.into(), reasoning_signature: None }
    }
}

/// A piece of a block.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum BlockDelta {
    /// Text.
    Text(String),
    /// A piece of a tool call's arguments.
    ToolUse(ToolUseDelta),
    /// A piece of what the model thought.
    ReasoningContent(ReasoningDelta),
    /// A place that the block's text comes from.
    Citation(Box<Citation>),
    /// A block of content that only one provider understands, as a whole.
    Provider(Box<ProviderContent>),
    /// A medium that the model has made, as a whole: an image, a video, audio, or a document.
    Media(Box<ContentBlock>),
}

/// A piece of a tool call's arguments.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ToolUseDelta {
    /// JSON text; only all pieces together are valid JSON.
    pub input: String,
}

/// A piece of what the model thought.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum ReasoningDelta {
    /// Words.
    Text(String),
    /// The provider's signature over the words.
    Signature(String),
    /// Encrypted thoughts.
    #[serde(with = "crate::message::encoded_bytes")]
    RedactedContent(Bytes),
}

impl StreamEvent {
    /// The answer begins.
    pub fn start() -> Self {
        Self::MessageStart { role: Role::Assistant, provider: None }
    }

    /// The answer of `provider` begins.
    pub fn start_from(provider: impl Into<Cow<'static, str>>) -> Self {
        Self::MessageStart { role: Role::Assistant, provider: Some(provider.into()) }
    }

    /// A piece of text in block `index`.
    pub fn text(index: usize, text: impl Into<String>) -> Self {
        Self::ContentBlockDelta { content_block_index: index, delta: BlockDelta::Text(text.into()) }
    }

    /// A piece of thought in block `index`.
    pub fn reasoning(index: usize, delta: ReasoningDelta) -> Self {
        Self::ContentBlockDelta { content_block_index: index, delta: BlockDelta::ReasoningContent(delta) }
    }

    /// Block `index` is a call of a tool.
    pub fn tool_use(index: usize, start: ToolUseStart) -> Self {
        Self::ContentBlockStart { content_block_index: index, start: BlockStart { tool_use: Some(start) } }
    }

    /// A piece of the arguments of the tool call in block `index`.
    pub fn tool_input(index: usize, input: impl Into<String>) -> Self {
        let delta = BlockDelta::ToolUse(ToolUseDelta { input: input.into() });
        Self::ContentBlockDelta { content_block_index: index, delta }
    }

    /// A place that the text of block `index` comes from.
    pub fn citation(index: usize, citation: Citation) -> Self {
        Self::ContentBlockDelta { content_block_index: index, delta: BlockDelta::Citation(Box::new(citation)) }
    }

    /// Block `index` is content that only one provider understands.
    pub fn provider_content(index: usize, content: ProviderContent) -> Self {
        Self::ContentBlockDelta { content_block_index: index, delta: BlockDelta::Provider(Box::new(content)) }
    }

    /// Block `index` is an image, a video, audio, or a document that the model has made.
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

    /// Block `index` is complete.
    pub fn block_stop(index: usize) -> Self {
        Self::ContentBlockStop { content_block_index: index }
    }

    /// The answer is complete.
    pub fn stop(stop_reason: StopReason) -> Self {
        Self::MessageStop { stop_reason, additional_model_response_fields: None }
    }

    /// What the answer cost.
    pub fn metadata(usage: Usage, metrics: ModelMetrics) -> Self {
        Self::Metadata { usage, metrics, trace: None, provider_usage: None }
    }

    /// The same with the provider's own counts; other events stay as they are.
    #[must_use]
    pub fn with_provider_usage(mut self, counts: Value) -> Self {
        if let Self::Metadata { provider_usage, .. } = &mut self {
            *provider_usage = Some(Box::new(counts));
        }
        self
    }
}
