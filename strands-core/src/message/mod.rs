//! Messages and their content blocks. Their JSON is that of Strands Agents and of Bedrock's Converse API, so stored
//! conversations can be exchanged with other languages. Unknown fields and kinds are preserved.

mod block;
mod call_ids;
mod citations;
pub(crate) mod encoded_bytes;
mod keyed;
mod media;
mod pinned;
mod provider_content;
mod reasoning;
mod tool_blocks;
pub(crate) mod unique_calls;
mod unknown;
mod wire_enum;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

pub use block::{CachePoint, ContentBlock, GuardContent, GuardText, SystemBlock, TextBlock};
pub(crate) use call_ids::{CallIds, original_id, random_call_id};
pub use citations::{Citation, CitationText, CitationsContent};
pub use media::{
    AudioBlock, AudioFormat, DocumentBlock, DocumentCitations, DocumentFormat, ImageBlock, ImageFormat, MediaLocation,
    MediaSource, VideoBlock, VideoFormat,
};
pub use provider_content::ProviderContent;
pub use reasoning::{ReasoningContent, ReasoningText};
pub use tool_blocks::{ToolResult, ToolResultContent, ToolResultStatus, ToolUse};
pub use unique_calls::make_call_ids_unique;
pub use unknown::UnknownFields;
pub(crate) use wire_enum::wire_enum;

use crate::usage::{ModelMetrics, ProviderUsage, Usage};

/// Role of a message's author.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "Converse has two roles; a third would be another protocol")]
pub enum Role {
    /// The user, and tool results.
    User,
    /// The model.
    Assistant,
}

/// One message of a conversation: the role of its author, and content blocks.
///
/// ```
/// use strands::message::{Message, Role};
///
/// let message = Message::user("What is the weather in Oslo?");
/// assert_eq!(message.role, Role::User);
/// assert_eq!(message.text(), "What is the weather in Oslo?");
/// assert_eq!(
///     serde_json::to_string(&message)?,
///     r#"{"role":"user","content":[{"text":"What is the weather in Oslo?"}]}"#,
/// );
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Message {
    /// Role of the author.
    pub role: Role,
    /// Content blocks, in order.
    #[serde(default)]
    pub content: Vec<ContentBlock>,
    /// Metadata of the message. Never sent to a model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<MessageMetadata>,
    /// UUID of the message, set when it joins an agent's history. Never sent to a model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tracking_id: Option<String>,
    /// Fields unknown to this version. They are preserved.
    #[serde(flatten)]
    pub unknown: UnknownFields,
}

/// Metadata of a [`Message`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct MessageMetadata {
    /// Tokens of the model call that produced the message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// Timings of the model call that produced the message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metrics: Option<ModelMetrics>,
    /// Name of the provider that responded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// The provider's own usage object, unchanged.
    #[serde(default, rename = "providerUsage", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Value>")]
    pub provider_usage: Option<ProviderUsage>,
    /// Custom values of the program.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub custom: Map<String, Value>,
    /// Fields unknown to this version. They are preserved.
    #[serde(flatten)]
    pub unknown: UnknownFields,
}

impl Message {
    /// Creates a message of content blocks.
    pub fn new(role: Role, content: impl IntoIterator<Item = impl Into<ContentBlock>>) -> Self {
        Self {
            role,
            content: content.into_iter().map(Into::into).collect(),
            metadata: None,
            tracking_id: None,
            unknown: UnknownFields::default(),
        }
    }

    /// Creates a user message with one text block.
    pub fn user(text: impl Into<String>) -> Self {
        Self::new(Role::User, [ContentBlock::text(text)])
    }

    /// Creates an assistant message with one text block.
    pub fn assistant(text: impl Into<String>) -> Self {
        Self::new(Role::Assistant, [ContentBlock::text(text)])
    }

    /// Returns the text of the message: its text blocks, and the text inside citations, joined by line breaks.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for part in self.content.iter().flat_map(ContentBlock::texts) {
            if !text.is_empty() {
                text.push('\n');
            }
            text.push_str(part);
        }
        text
    }

    /// Returns the tool calls in the message, in order.
    pub fn tool_uses(&self) -> impl Iterator<Item = &ToolUse> {
        self.content.iter().filter_map(|block| match block {
            ContentBlock::ToolUse(tool_use) => Some(tool_use),
            _ => None,
        })
    }

    /// Returns the tool results in the message, in order.
    pub fn tool_results(&self) -> impl Iterator<Item = &ToolResult> {
        self.content.iter().filter_map(|block| match block {
            ContentBlock::ToolResult(result) => Some(result),
            _ => None,
        })
    }

    /// Returns true if this is a user message with content other than tool results. A prompt that follows results without a
    /// response, such as those of cancelled calls, is in one message with them, whose [`tracking_id`](Self::tracking_id)
    /// becomes that of the prompt.
    ///
    /// ```
    /// use strands::message::{Message, Role, ToolResult};
    ///
    /// let result = ToolResult::error("call-1", "The tool was cancelled.");
    /// assert!(Message::user("Hello").is_prompt());
    /// assert!(!Message::new(Role::User, [result]).is_prompt());
    /// assert!(!Message::assistant("Hello").is_prompt());
    /// ```
    pub fn is_prompt(&self) -> bool {
        self.role == Role::User && self.content.iter().any(|block| !matches!(block, ContentBlock::ToolResult(_)))
    }

    /// Sets the [`tracking_id`](Self::tracking_id) unless it is set.
    pub(crate) fn track(&mut self) {
        if self.tracking_id.is_none() {
            self.tracking_id = Some(id_of(random_uuid()));
        }
    }
}

/// Returns a UUID as text. Called twice per cycle, so it avoids the cost of a formatter.
pub(crate) fn id_of(uuid: Uuid) -> String {
    uuid.hyphenated().encode_lower(&mut Uuid::encode_buffer()).to_owned()
}

/// Returns a random (version 4) UUID. Ids are local to a conversation, so a fast generator is enough.
pub(crate) fn random_uuid() -> Uuid {
    uuid::Builder::from_random_bytes(fastrand::u128(..).to_ne_bytes()).into_uuid()
}
