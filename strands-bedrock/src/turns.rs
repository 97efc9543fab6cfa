//! Outgoing conversation: the messages and blocks that a request sends, borrowed from the stored history, which is not
//! changed.

use std::borrow::Cow;

use strands_core::message::{ContentBlock, DocumentFormat, MediaSource, Message, Role, ToolResultContent};
use strands_core::models::outgoing_content;

use crate::PROVIDER;
use crate::capabilities::ReasoningReplay;
use crate::content_rules;
use crate::document_names::DocumentNames;

/// An outgoing message.
#[derive(Debug)]
pub(crate) struct OutTurn<'a> {
    pub(crate) role: Role,
    pub(crate) content: Vec<OutBlock<'a>>,
}

/// An outgoing block.
#[derive(Debug)]
pub(crate) enum OutBlock<'a> {
    /// A block of the conversation.
    Plain(Cow<'a, ContentBlock>),
    /// A block of the conversation that the guardrail evaluates.
    Guarded(Cow<'a, ContentBlock>),
    /// A cache point.
    CachePoint { kind: Cow<'a, str>, ttl: Option<Cow<'a, str>> },
    /// A text that the conversation does not contain.
    FixedText(&'static str),
}

impl<'a> OutBlock<'a> {
    /// Returns the outgoing form of a block of the conversation.
    pub(crate) fn of(block: Cow<'a, ContentBlock>) -> Self {
        match block {
            Cow::Borrowed(ContentBlock::CachePoint(point)) => Self::CachePoint {
                kind: Cow::Borrowed(&point.kind),
                ttl: point.ttl.as_deref().filter(|ttl| !ttl.is_empty()).map(Cow::Borrowed),
            },
            block => Self::Plain(block),
        }
    }

    /// Returns the block of the conversation, guarded or not.
    pub(crate) fn block(&self) -> Option<&ContentBlock> {
        match self {
            Self::Plain(block) | Self::Guarded(block) => Some(block),
            _ => None,
        }
    }

    pub(crate) fn is_cache_point(&self) -> bool {
        matches!(self, Self::CachePoint { .. })
    }

    pub(crate) fn is_tool_result(&self) -> bool {
        matches!(self, Self::Plain(block) if matches!(**block, ContentBlock::ToolResult(_)))
    }

    /// Returns true if this is a document that no cache point may follow.
    pub(crate) fn is_non_pdf_document(&self) -> bool {
        matches!(self, Self::Plain(block) if matches!(&**block, ContentBlock::Document(document) if document.format != Some(DocumentFormat::Pdf)))
    }
}

/// Returns a message without content that Bedrock or the model rejects.
pub(crate) fn outgoing_turn<'a>(
    message: &'a Message,
    replay: ReasoningReplay,
    names: &mut DocumentNames,
) -> OutTurn<'a> {
    let content = outgoing_content(message, PROVIDER)
        .filter(|block| is_sent(block, replay))
        .map(|block| content_rules::outgoing_block(message, names.fix(block)));
    OutTurn { role: message.role, content: content_rules::allowed(message.role, content.collect()) }
}

fn is_sent(block: &ContentBlock, replay: ReasoningReplay) -> bool {
    match block {
        ContentBlock::Image(image) => is_reachable(&image.source),
        ContentBlock::Document(document) => is_reachable(&document.source),
        ContentBlock::Video(video) => is_reachable(&video.source),
        ContentBlock::Audio(audio) => is_reachable(&audio.source),
        ContentBlock::Reasoning(reasoning) => replay.accepts(reasoning),
        ContentBlock::GuardContent(guarded) => guarded.text.is_some() || guarded.image.is_some(),
        ContentBlock::Unknown(fields) => is_known_to_bedrock(fields),
        _ => true,
    }
}

/// Returns true if a part of a tool result is sent.
pub(crate) fn is_result_sent(content: &ToolResultContent) -> bool {
    match content {
        ToolResultContent::Image(image) => is_reachable(&image.source),
        ToolResultContent::Document(document) => is_reachable(&document.source),
        ToolResultContent::Video(video) => is_reachable(&video.source),
        ToolResultContent::Unknown(fields) => is_known_to_bedrock(fields),
        _ => true,
    }
}

/// Returns true if Bedrock can read the media: from the request or from S3.
fn is_reachable(source: &MediaSource) -> bool {
    match source {
        MediaSource::Location(location) => location.kind == "s3" && location.uri.is_some(),
        // The form of Bedrock's own responses.
        MediaSource::Unknown(fields) => fields.contains_key("s3Location"),
        _ => true,
    }
}

/// Returns true if Bedrock may know the content. The marker of the AWS SDKs for unknown content is not sent back.
fn is_known_to_bedrock(fields: &serde_json::Map<String, serde_json::Value>) -> bool {
    !fields.is_empty() && !fields.contains_key("SDK_UNKNOWN_MEMBER")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sends_unknown_media_sources_only_if_bedrock_reads_them() {
        let source = |json| serde_json::from_value::<MediaSource>(json).unwrap();
        assert!(is_reachable(&source(serde_json::json!({"s3Location": {"uri": "s3://bucket/key"}}))));
        assert!(!is_reachable(&source(serde_json::json!({"stream": {"id": "x"}}))));
    }

    #[test]
    fn omits_content_that_bedrock_can_not_read() {
        let message = serde_json::from_value::<Message>(serde_json::json!({"role": "user", "content": [
            {"image": {"format": "png", "source": {"location": {"type": "https", "uri": "https://x/y.png"}}}},
            {"SDK_UNKNOWN_MEMBER": {"name": "new"}},
        ]}));
        let message = message.unwrap();
        let turn = outgoing_turn(&message, ReasoningReplay::All, &mut DocumentNames::default());
        assert!(matches!(turn.content[..], [OutBlock::FixedText("[blank text]")]), "{turn:?}");
    }
}
