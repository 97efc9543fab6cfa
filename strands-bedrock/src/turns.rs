//! Outgoing conversation: the messages and blocks that a request sends, borrowed from the stored history, which is not
//! changed.

use std::borrow::Cow;
use std::sync::Arc;

use strands_core::message::{ContentBlock, DocumentFormat, MediaSource, Message, Role, ToolResultContent};
use strands_core::models::outgoing_content;

use crate::PROVIDER;
use crate::capabilities::ReasoningReplay;
use crate::content_rules;
use crate::document_names::DocumentNames;
use crate::guardrail;

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

/// Returns the conversation without content that Bedrock or the model rejects. The blocks of the message `guarded` are marked
/// for the guardrail.
pub(crate) fn outgoing<'a>(
    messages: &'a [Arc<Message>],
    replay: ReasoningReplay,
    guarded: Option<&Message>,
) -> Vec<OutTurn<'a>> {
    let mut names = DocumentNames::default();
    let turns = messages.iter().map(|message| {
        let guard = guarded.is_some_and(|guarded| std::ptr::eq(guarded, &raw const **message));
        let content = outgoing_content(message, PROVIDER)
            .filter(|block| is_sent(block, replay))
            .map(|block| content_rules::outgoing_block(message, names.fix(block)))
            .map(|block| if guard { guardrail::guarded(block) } else { block });
        OutTurn { role: message.role, content: content_rules::allowed(message.role, content.collect()) }
    });
    turns.collect()
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

/// Inserts an assistant message between tool results and the user message after them. Some models reject both in one turn.
pub(crate) fn separate_tool_results(turns: &mut Vec<OutTurn<'_>>) {
    let mut at = 1;
    while at < turns.len() {
        let pair = (turns.get(at - 1), turns.get(at));
        if let (Some(before), Some(after)) = pair
            && before.role == Role::User
            && after.role == Role::User
            && before.content.iter().all(OutBlock::is_tool_result)
            && !after.content.iter().any(OutBlock::is_tool_result)
        {
            let between =
                OutTurn { role: Role::Assistant, content: vec![OutBlock::FixedText("Tool result received.")] };
            turns.insert(at, between);
            at += 1;
        }
        at += 1;
    }
}

/// Returns true if a user message directly follows tool results.
pub(crate) fn mixes_tool_results(messages: &[Arc<Message>]) -> bool {
    let mut turns = outgoing(messages, ReasoningReplay::Nothing, None);
    let before = turns.len();
    separate_tool_results(&mut turns);
    turns.len() > before
}

/// Returns true if the conversation has tool calls or results, for which Bedrock requires declared tools.
pub(crate) fn uses_tools(messages: &[Arc<Message>]) -> bool {
    messages.iter().any(|message| {
        message.content.iter().any(|block| matches!(block, ContentBlock::ToolUse(_) | ContentBlock::ToolResult(_)))
    })
}

#[cfg(test)]
mod tests {
    use strands_core::message::{ToolResult, ToolResultStatus};

    use super::*;

    #[test]
    fn sends_unknown_media_sources_only_if_bedrock_reads_them() {
        let source = |json| serde_json::from_value::<MediaSource>(json).unwrap();
        assert!(is_reachable(&source(serde_json::json!({"s3Location": {"uri": "s3://bucket/key"}}))));
        assert!(!is_reachable(&source(serde_json::json!({"stream": {"id": "x"}}))));
    }

    #[test]
    fn separates_tool_results_from_user_messages() {
        let results = Arc::new(Message::new(Role::User, [ToolResult::new("1", ToolResultStatus::Success, ["ok"])]));
        let prompt = Arc::new(Message::user("and then?"));
        let history = [Arc::clone(&prompt), results, Arc::clone(&prompt), prompt];
        let mut turns = outgoing(&history, ReasoningReplay::All, None);
        separate_tool_results(&mut turns);
        let roles: Vec<_> = turns.iter().map(|turn| turn.role).collect();
        assert_eq!(roles, [Role::User, Role::User, Role::Assistant, Role::User, Role::User]);
        separate_tool_results(&mut turns);
        assert_eq!(turns.len(), 5, "a second time adds nothing");
    }

    #[test]
    fn omits_content_that_bedrock_can_not_read() {
        let messages = [Arc::new(
            serde_json::from_value::<Message>(serde_json::json!({"role": "user", "content": [
                {"image": {"format": "png", "source": {"location": {"type": "https", "uri": "https://x/y.png"}}}},
                {"SDK_UNKNOWN_MEMBER": {"name": "new"}},
            ]}))
            .unwrap(),
        )];
        let turns = outgoing(&messages, ReasoningReplay::All, None);
        assert!(matches!(turns[0].content[..], [OutBlock::FixedText("[blank text]")]), "{turns:?}");
    }
}
