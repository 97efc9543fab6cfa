//! Messages in the form that providers accept. Users, tools and models produce content that providers reject: empty
//! messages, blank text, media without bytes, invalid tool names, reasoning that another provider has signed. The stored
//! history is not changed.

use std::borrow::Cow;

use super::placeholder;
use crate::message::{ContentBlock, MediaSource, Message, Role, ToolResult, ToolResultContent};
use crate::tool_spec::is_valid_tool_name;

const INVALID_TOOL_NAME: &str = "INVALID_TOOL_NAME";

/// Returns the content of a message in a form that `provider` accepts.
///
/// - Content specific to another provider is removed, and so are the reasoning and the signatures in a response of another
///   provider. Responses without a provider in their metadata keep them.
/// - Blank text is removed from a user message with other content, and from a response with tool calls; elsewhere it
///   becomes [`placeholder::BLANK_TEXT`], and so does a message without any content left.
/// - Media without bytes become a text that reports it.
/// - Tool results lose blank text and have at least one part: see [`outgoing_result`].
/// - An invalid tool name becomes `INVALID_TOOL_NAME`.
///
/// Content that does not change is borrowed.
///
/// ```
/// use strands::message::{ContentBlock, Message, Role};
/// use strands::models::outgoing_content;
///
/// let search = ContentBlock::provider("anthropic", serde_json::json!({"type": "server_tool_use"}));
/// let message = Message::new(Role::Assistant, [search, ContentBlock::text("It rains.")]);
/// assert_eq!(outgoing_content(&message, "anthropic").count(), 2);
/// assert_eq!(outgoing_content(&message, "gemini").count(), 1);
///
/// let blank = Message::user("");
/// assert_eq!(outgoing_content(&blank, "gemini").next().unwrap().as_text(), Some("[blank text]"));
/// ```
pub fn outgoing_content<'a>(message: &'a Message, provider: &str) -> impl Iterator<Item = Cow<'a, ContentBlock>> {
    let assistant = message.role == Role::Assistant;
    let source = message.metadata.as_ref().and_then(|metadata| metadata.provider.as_deref());
    let foreign = assistant && source.is_some_and(|source| source != provider);
    let is_supported = move |block: &ContentBlock, provider: &str| match block {
        ContentBlock::Provider(content) => content.provider == provider,
        ContentBlock::Reasoning(_) => !foreign,
        _ => true,
    };
    let rest = || message.content.iter().filter(|block| is_supported(block, provider));
    let empty = if assistant { rest().next().is_none() } else { !rest().any(is_substantial) };
    // Blank texts of a response keep their positions unless it calls a tool.
    let drops_blank = if assistant { message.tool_uses().next().is_some() } else { true };
    // Few messages have provider-specific content: only those need a copy of the name.
    let has_own = message.content.iter().any(|block| matches!(block, ContentBlock::Provider(_)));
    let provider = if has_own { provider.to_owned() } else { String::new() };
    let blocks = message.content.iter().filter(move |block| is_supported(block, &provider)).filter_map(move |block| {
        if is_blank(block) {
            return (!drops_blank).then(|| Cow::Owned(ContentBlock::text(placeholder::BLANK_TEXT)));
        }
        if let Some(note) = empty_medium(block) {
            return Some(Cow::Owned(ContentBlock::text(note)));
        }
        match block {
            ContentBlock::ToolResult(result) => Some(match outgoing_result(result) {
                Cow::Borrowed(_) => Cow::Borrowed(block),
                Cow::Owned(result) => Cow::Owned(ContentBlock::ToolResult(result)),
            }),
            ContentBlock::ToolUse(call) if assistant => {
                let named = is_valid_tool_name(&call.name);
                if named && !(foreign && call.reasoning_signature.is_some()) {
                    return Some(Cow::Borrowed(block));
                }
                let mut call = call.clone();
                if !named {
                    INVALID_TOOL_NAME.clone_into(&mut call.name);
                }
                if foreign {
                    call.reasoning_signature = None;
                }
                Some(Cow::Owned(ContentBlock::ToolUse(call)))
            }
            block => Some(Cow::Borrowed(block)),
        }
    });
    empty.then(|| Cow::Owned(ContentBlock::text(placeholder::BLANK_TEXT))).into_iter().chain(blocks)
}

/// Returns a tool result in a form that providers accept: without blank text, with a placeholder for media without bytes,
/// and with [`placeholder::EMPTY_RESULT`] or [`placeholder::EMPTY_ERROR`] if no content is left.
pub fn outgoing_result(result: &ToolResult) -> Cow<'_, ToolResult> {
    let is_sent = |part: &ToolResultContent| !is_blank_part(part) && empty_medium_part(part).is_none();
    if !result.content.is_empty() && result.content.iter().all(is_sent) {
        return Cow::Borrowed(result);
    }
    let part = |part: &ToolResultContent| match empty_medium_part(part) {
        Some(note) => ToolResultContent::from(note),
        None => part.clone(),
    };
    let mut sent = result.clone();
    sent.content = result.content.iter().filter(|part| !is_blank_part(part)).map(part).collect();
    if sent.content.is_empty() {
        sent.content.push(placeholder::of_result(result).into());
    }
    Cow::Owned(sent)
}

fn is_blank_part(part: &ToolResultContent) -> bool {
    match part {
        ToolResultContent::Text(text) => text.trim().is_empty(),
        // Blank text may come with fields of a newer version.
        ToolResultContent::Unknown(fields) => {
            let is_blank = |text: &str| text.trim().is_empty();
            let is_content = |name: &&str| fields.contains_key(*name);
            fields.is_empty()
                || fields.get("text").and_then(serde_json::Value::as_str).is_some_and(is_blank)
                    && !["json", "image", "document", "video", "audio"].iter().any(is_content)
        }
        _ => false,
    }
}

/// True for blank text in any form.
fn is_blank(block: &ContentBlock) -> bool {
    match block {
        ContentBlock::Text(_) | ContentBlock::Citations(_) => block.texts().all(|text| text.trim().is_empty()),
        ContentBlock::GuardContent(guarded) => {
            guarded.image.is_none() && guarded.text.as_ref().is_none_or(|text| text.text.trim().is_empty())
        }
        _ => false,
    }
}

/// True for content that makes a valid message by itself.
fn is_substantial(block: &ContentBlock) -> bool {
    match block {
        ContentBlock::CachePoint(_) => false,
        ContentBlock::Unknown(fields) => !fields.is_empty(),
        block => !is_blank(block),
    }
}

/// Returns the placeholder for a medium without bytes.
fn empty_medium(block: &ContentBlock) -> Option<&'static str> {
    match block {
        ContentBlock::Image(image) if is_empty(&image.source) => Some(placeholder::EMPTY_IMAGE),
        ContentBlock::Document(document) if is_blank_source(&document.source) => Some(placeholder::EMPTY_DOCUMENT),
        ContentBlock::Video(video) if is_empty(&video.source) => Some(placeholder::EMPTY_VIDEO),
        ContentBlock::Audio(audio) if is_empty(&audio.source) => Some(placeholder::EMPTY_AUDIO),
        _ => None,
    }
}

fn empty_medium_part(part: &ToolResultContent) -> Option<&'static str> {
    match part {
        ToolResultContent::Image(image) if is_empty(&image.source) => Some(placeholder::EMPTY_IMAGE),
        ToolResultContent::Document(document) if is_blank_source(&document.source) => Some(placeholder::EMPTY_DOCUMENT),
        ToolResultContent::Video(video) if is_empty(&video.source) => Some(placeholder::EMPTY_VIDEO),
        ToolResultContent::Audio(audio) if is_empty(&audio.source) => Some(placeholder::EMPTY_AUDIO),
        _ => None,
    }
}

fn is_empty(source: &MediaSource) -> bool {
    source.bytes().is_some_and(|bytes| bytes.is_empty())
}

/// True for a source without bytes, or of whitespace only, as a text document may be.
fn is_blank_source(source: &MediaSource) -> bool {
    source.bytes().is_some_and(|bytes| bytes.trim_ascii().is_empty())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::message::{MessageMetadata, ReasoningContent, ToolUse};

    fn response_of(provider: Option<&str>, content: impl IntoIterator<Item = ContentBlock>) -> Message {
        let mut message = Message::new(Role::Assistant, content);
        let provider = provider.map(str::to_owned);
        message.metadata = Some(MessageMetadata { provider, ..MessageMetadata::default() });
        message
    }

    fn signed_call() -> ContentBlock {
        let mut call = ToolUse::new("t-1", "get_weather", json!({}));
        call.reasoning_signature = Some("s".to_owned());
        ContentBlock::ToolUse(call)
    }

    #[test]
    fn sends_signed_reasoning_only_to_its_provider() {
        let reasoning = ContentBlock::Reasoning(ReasoningContent::text("hm", Some("s".to_owned())));
        let content = [reasoning, ContentBlock::provider("a", json!(1)), signed_call()];
        let own = response_of(Some("a"), content.clone());
        assert_eq!(outgoing_content(&own, "a").map(Cow::into_owned).collect::<Vec<_>>(), content);
        let sent: Vec<_> = outgoing_content(&own, "b").map(Cow::into_owned).collect();
        assert_eq!(sent, [ContentBlock::ToolUse(ToolUse::new("t-1", "get_weather", json!({})))]);
        let unnamed = response_of(None, content);
        assert_eq!(outgoing_content(&unnamed, "b").count(), 2, "only provider-specific content is removed");
    }

    #[test]
    fn replaces_a_response_without_content_by_a_placeholder() {
        for content in [vec![], vec![ContentBlock::provider("a", json!(1))]] {
            let sent: Vec<_> = outgoing_content(&response_of(Some("a"), content), "b").map(Cow::into_owned).collect();
            assert_eq!(sent, [ContentBlock::text(placeholder::BLANK_TEXT)]);
        }
    }

    fn user(content: serde_json::Value) -> Message {
        serde_json::from_value(json!({"role": "user", "content": content})).unwrap()
    }

    /// The outgoing content of a user message.
    fn outgoing(content: serde_json::Value) -> Vec<ContentBlock> {
        outgoing_content(&user(content), "b").map(Cow::into_owned).collect()
    }

    #[test]
    fn user_messages_have_content_or_a_placeholder() {
        let (blank, image) = (json!({"text": " \n"}), json!({"image": {"format": "png", "source": {"bytes": "AA=="}}}));
        let (placeholder, point) =
            (json!({"text": placeholder::BLANK_TEXT}), json!({"cachePoint": {"type": "default"}}));
        for (content, sent) in [
            (json!([]), json!([placeholder])),
            (json!([blank]), json!([placeholder])),
            (json!([blank, blank]), json!([placeholder])),
            (json!([blank, image]), json!([image])),
            (json!([blank, point]), json!([placeholder, point])),
            (json!([{"providerContent": {"provider": "a", "content": 1}}]), json!([placeholder])),
            (json!([{"guardContent": {"text": {"text": " "}}}]), json!([placeholder])),
            (json!([{"image": {"format": "png", "source": {"bytes": ""}}}]), json!([{"text": "[An empty image.]"}])),
            (
                json!([{"document": {"format": "txt", "name": "n", "source": {"bytes": "IAo="}}}]),
                json!([{"text": "[An empty document.]"}]),
            ),
        ] {
            assert_eq!(outgoing(content.clone()), user(sent).content, "{content}");
        }
    }

    #[test]
    fn tool_results_have_content_or_a_placeholder() {
        let result = |status: &str, content: serde_json::Value| json!([{"toolResult": {"toolUseId": "t", "status": status, "content": content}}]);
        for (status, content, sent) in [
            ("success", json!([]), json!([{"text": placeholder::EMPTY_RESULT}])),
            ("success", json!([{"text": ""}, {"text": " \t\u{a0}"}]), json!([{"text": placeholder::EMPTY_RESULT}])),
            ("error", json!([{"text": ""}]), json!([{"text": placeholder::EMPTY_ERROR}])),
            ("success", json!([{"text": ""}, {"json": null}]), json!([{"json": null}])),
            ("success", json!([{"text": " ", "newer": 1}]), json!([{"text": placeholder::EMPTY_RESULT}])),
            ("success", json!([{"text": "", "json": 1}]), json!([{"text": "", "json": 1}])),
            ("success", json!([{}]), json!([{"text": placeholder::EMPTY_RESULT}])),
            (
                "success",
                json!([{"image": {"format": "png", "source": {"bytes": ""}}}]),
                json!([{"text": placeholder::EMPTY_IMAGE}]),
            ),
        ] {
            assert_eq!(outgoing(result(status, content.clone())), user(result(status, sent)).content, "{content}");
        }
    }
}
