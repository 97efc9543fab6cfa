//! Content blocks in progress.

use serde_json::{Map, Value};

use crate::message::{
    Citation, CitationText, CitationsContent, ContentBlock, MediaSource, ProviderContent, ReasoningContent, ToolUse,
};
use crate::models::ToolUseStart;
use crate::{depth, lenient_json};

/// A content block to which deltas are appended.
#[derive(Debug)]
pub(super) enum PartialBlock {
    Text { text: String, citations: Vec<Citation> },
    ToolUse { start: ToolUseStart, input: String },
    Reasoning { text: String, signature: String, redacted: Vec<u8> },
    Provider(Box<ProviderContent>),
    Media(Box<ContentBlock>),
}

/// Kind of a block that may start with its first delta.
#[derive(Clone, Copy)]
pub(super) enum OpenKind {
    Text,
    Reasoning,
}

impl OpenKind {
    pub(super) fn matches(self, block: &PartialBlock) -> bool {
        matches!(
            (self, block),
            (Self::Text, PartialBlock::Text { .. }) | (Self::Reasoning, PartialBlock::Reasoning { .. })
        )
    }

    pub(super) fn begin(self) -> PartialBlock {
        match self {
            Self::Text => PartialBlock::Text { text: String::new(), citations: Vec::new() },
            Self::Reasoning => {
                PartialBlock::Reasoning { text: String::new(), signature: String::new(), redacted: Vec::new() }
            }
        }
    }
}

impl PartialBlock {
    /// Returns the complete block, or `None` if it is empty.
    pub(super) fn finish(self) -> Option<ContentBlock> {
        match self {
            Self::Text { text, citations } if citations.is_empty() => {
                (!text.is_empty()).then(|| ContentBlock::text(text))
            }
            Self::Text { text, citations } => Some(ContentBlock::Citations(CitationsContent {
                citations,
                content: vec![CitationText::new(text)],
                ..CitationsContent::default()
            })),
            Self::Reasoning { text, signature, redacted } => {
                let mut reasoning = if text.is_empty() && signature.is_empty() {
                    ReasoningContent::default()
                } else {
                    ReasoningContent::text(text, (!signature.is_empty()).then_some(signature))
                };
                reasoning.redacted_content = (!redacted.is_empty()).then(|| redacted.into());
                (reasoning != ReasoningContent::default()).then_some(ContentBlock::Reasoning(reasoning))
            }
            Self::Provider(content) => Some(ContentBlock::Provider(*content)),
            Self::Media(medium) => Some(*medium),
            Self::ToolUse { start, input } => {
                let mut call = ToolUse::new(start.tool_use_id, start.name, parse_input(input));
                call.reasoning_signature = start.reasoning_signature;
                Some(ContentBlock::ToolUse(call))
            }
        }
    }
}

/// Returns the size of a medium in bytes, or `None` for other content.
pub(super) fn media_size(block: &ContentBlock) -> Option<usize> {
    let source = match block {
        ContentBlock::Image(image) => &image.source,
        ContentBlock::Video(video) => &video.source,
        ContentBlock::Audio(audio) => &audio.source,
        ContentBlock::Document(document) => &document.source,
        _ => return None,
    };
    Some(match source {
        MediaSource::Bytes(bytes) => bytes.len(),
        MediaSource::Location(location) => location.uri.as_ref().map_or(0, String::len),
        MediaSource::Unknown(fields) => fields.iter().map(|(name, value)| name.len() + json_size(value)).sum(),
    })
}

/// Returns the approximate size of a value in memory, in bytes.
pub(super) fn json_size(value: &Value) -> usize {
    let inside: usize = match value {
        Value::String(text) => text.len(),
        Value::Array(values) => values.iter().map(json_size).sum(),
        Value::Object(fields) => fields.iter().map(|(name, value)| name.len() + json_size(value)).sum(),
        _ => 0,
    };
    size_of::<Value>() + inside
}

/// Parses the arguments of a tool call. Blank text and `null` mean no arguments.
///
/// Text that is not JSON, or that is nested too deep to be stored, becomes a string value, which the agent rejects. A JSON
/// string keeps its quotes, so that it differs from text that is not JSON.
fn parse_input(input: String) -> Value {
    if input.trim().is_empty() {
        return Value::Object(Map::new());
    }
    match lenient_json::from_str(&input) {
        Ok(Value::Null) => Value::Object(Map::new()),
        Ok(Value::String(text)) if !text.trim().is_empty() => Value::String(input),
        Ok(value) if depth::check(&value).is_ok() => value,
        Ok(_) | Err(_) => Value::String(input),
    }
}
