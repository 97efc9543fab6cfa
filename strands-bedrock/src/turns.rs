//! The conversation as this request sends it: which blocks go, which stay behind, in borrowed pieces. The stored history
//! is never touched.

use std::borrow::Cow;
use std::sync::Arc;

use strands_core::message::{ContentBlock, DocumentFormat, MediaSource, Message, Role, ToolResultContent};
use strands_core::models::outgoing_content;

use crate::PROVIDER;
use crate::capabilities::ReasoningReplay;
use crate::content_rules;
use crate::document_names::DocumentNames;
use crate::guardrail;

/// A message as it is sent.
#[derive(Debug)]
pub(crate) struct OutTurn<'a> {
    pub(crate) role: Role,
    pub(crate) content: Vec<OutBlock<'a>>,
}

/// A block as it is sent.
#[derive(Debug)]
pub(crate) enum OutBlock<'a> {
    /// A block of the conversation.
    Own(Cow<'a, ContentBlock>),
    /// A block of the conversation that the guardrail is to look at.
    Guarded(Cow<'a, ContentBlock>),
    /// A point up to which Bedrock may cache.
    CachePoint { kind: Cow<'a, str>, ttl: Option<Cow<'a, str>> },
    /// Words of ours.
    Words(&'static str),
}

impl<'a> OutBlock<'a> {
    /// A block of the conversation as it is sent.
    pub(crate) fn of(block: Cow<'a, ContentBlock>) -> Self {
        match block {
            Cow::Borrowed(ContentBlock::CachePoint(point)) => Self::CachePoint {
                kind: Cow::Borrowed(&point.kind),
                ttl: point.ttl.as_deref().filter(|ttl| !ttl.is_empty()).map(Cow::Borrowed),
            },
            block => Self::Own(block),
        }
    }

    /// The block of the conversation, guarded or not.
    pub(crate) fn block(&self) -> Option<&ContentBlock> {
        match self {
            Self::Own(block) | Self::Guarded(block) => Some(block),
            _ => None,
        }
    }

    pub(crate) fn is_cache_point(&self) -> bool {
        matches!(self, Self::CachePoint { .. })
    }

    pub(crate) fn is_tool_result(&self) -> bool {
        matches!(self, Self::Own(block) if matches!(**block, ContentBlock::ToolResult(_)))
    }

    /// A document that no cache point may follow.
    pub(crate) fn is_non_pdf_document(&self) -> bool {
        matches!(self, Self::Own(block) if matches!(&**block, ContentBlock::Document(document) if document.format != Some(DocumentFormat::Pdf)))
    }
}

/// The conversation without what Bedrock or the model refuses. The message `guarded` is wrapped for the guardrail.
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
            .map(|block| content_rules::said(message, names.fix(block)))
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

/// Whether a part of a tool's result is sent.
pub(crate) fn is_result_sent(content: &ToolResultContent) -> bool {
    match content {
        ToolResultContent::Image(image) => is_reachable(&image.source),
        ToolResultContent::Document(document) => is_reachable(&document.source),
        ToolResultContent::Video(video) => is_reachable(&video.source),
        ToolResultContent::Unknown(fields) => is_known_to_bedrock(fields),
        _ => true,
    }
}

/// Bedrock reads media from the request or from S3.
fn is_reachable(source: &MediaSource) -> bool {
    match source {
        MediaSource::Location(place) => place.kind == "s3" && place.uri.is_some(),
        // As Bedrock itself writes it.
        MediaSource::Unknown(fields) => fields.contains_key("s3Location"),
        _ => true,
    }
}

/// The marker that AWS's SDKs leave for what they could not read is not sent back.
fn is_known_to_bedrock(fields: &serde_json::Map<String, serde_json::Value>) -> bool {
    !fields.is_empty() && !fields.contains_key("SDK_UNKNOWN_MEMBER")
}

/// Puts an assistant message between tool results and what the user said next. Some models refuse both in one turn.
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
            let between = OutTurn { role: Role::Assistant, content: vec![OutBlock::Words("Tool result received.")] };
            turns.insert(at, between);
            at += 1;
        }
        at += 1;
    }
}

/// True when what the user said follows tool results without anything in between.
pub(crate) fn mixes_tool_results(messages: &[Arc<Message>]) -> bool {
    let mut turns = outgoing(messages, ReasoningReplay::Nothing, None);
    let before = turns.len();
    separate_tool_results(&mut turns);
    turns.len() > before
}

/// True when the conversation has tool calls or results; Bedrock wants tools declared then.
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
    fn only_unknown_media_sources_of_bedrock_are_sent() {
        let source = |json| serde_json::from_value::<MediaSource>(json).unwrap();
        assert!(is_reachable(&source(serde_json::json!({"s3Location": {"uri": "s3://bucket/key"}}))));
        assert!(!is_reachable(&source(serde_json::json!({"stream": {"id": "x"}}))));
    }

    #[test]
    fn tool_results_are_separated_from_what_follows() {
        let results = Arc::new(Message::new(Role::User, [ToolResult::new("1", ToolResultStatus::Success, ["ok"])]));
        let said = Arc::new(Message::user("and then?"));
        let history = [Arc::clone(&said), results, Arc::clone(&said), said];
        let mut turns = outgoing(&history, ReasoningReplay::All, None);
        separate_tool_results(&mut turns);
        let roles: Vec<_> = turns.iter().map(|turn| turn.role).collect();
        assert_eq!(roles, [Role::User, Role::User, Role::Assistant, Role::User, Role::User]);
        separate_tool_results(&mut turns);
        assert_eq!(turns.len(), 5, "a second time adds nothing");
    }

    #[test]
    fn what_bedrock_can_not_read_stays_behind() {
        let messages = [Arc::new(
            serde_json::from_value::<Message>(serde_json::json!({"role": "user", "content": [
                {"image": {"format": "png", "source": {"location": {"type": "https", "uri": "https://x/y.png"}}}},
                {"SDK_UNKNOWN_MEMBER": {"name": "new"}},
            ]}))
            .unwrap(),
        )];
        let turns = outgoing(&messages, ReasoningReplay::All, None);
        assert!(matches!(turns[0].content[..], [OutBlock::Words("[blank text]")]), "{turns:?}");
    }
}
