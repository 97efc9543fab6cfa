//! A message as a provider may be sent it. Providers refuse assistant messages that models themselves produce: empty
//! ones, blank text, tool names of their own invention, thoughts that somebody else has signed. The stored history keeps
//! what was said.

use std::borrow::Cow;

use crate::message::{ContentBlock, Message, Role};
use crate::tool_spec::is_valid_tool_name;

const BLANK: &str = "[blank text]";
const INVALID_TOOL_NAME: &str = "INVALID_TOOL_NAME";

/// The content of a message as `provider` may be sent it.
///
/// User messages are as they are. In assistant messages
/// - content that only another provider understands goes, and in an answer that another provider gave its thoughts and
///   its signatures, too: nobody else can read them. Answers that nobody has put a name to keep them;
/// - blank text becomes `[blank text]`, or goes where there is a tool call beside it;
/// - a tool name that no provider accepts becomes `INVALID_TOOL_NAME`;
/// - a message of which nothing is left becomes `[blank text]`.
///
/// Nothing is copied unless it changes.
///
/// ```
/// use strands_core::message::{ContentBlock, Message, Role};
/// use strands_core::model::outgoing_content;
///
/// let search = ContentBlock::provider("anthropic", serde_json::json!({"type": "server_tool_use"}));
/// let message = Message::new(Role::Assistant, [search, ContentBlock::text("It rains.")]);
/// assert_eq!(outgoing_content(&message, "anthropic").count(), 2);
/// assert_eq!(outgoing_content(&message, "gemini").count(), 1);
/// ```
pub fn outgoing_content<'a>(message: &'a Message, provider: &str) -> impl Iterator<Item = Cow<'a, ContentBlock>> {
    let assistant = message.role == Role::Assistant;
    let answered = message.metadata.as_ref().and_then(|known| known.provider.as_deref());
    let foreign = assistant && answered.is_some_and(|answered| answered != provider);
    let calls_tools = message.tool_uses().next().is_some();
    let is_read = move |block: &ContentBlock, provider: &str| match block {
        ContentBlock::Provider(content) => content.provider == provider,
        ContentBlock::Reasoning(_) => !foreign,
        _ => true,
    };
    let empty = assistant && !message.content.iter().any(|block| is_read(block, provider));
    // Few messages have content of a provider's own: the name is kept only for those.
    let has_own = message.content.iter().any(|block| matches!(block, ContentBlock::Provider(_)));
    let provider = if has_own { provider.to_owned() } else { String::new() };
    let blocks =
        message.content.iter().filter(move |block| is_read(block, &provider)).filter_map(move |block| match block {
            ContentBlock::Text(text) if assistant && text.text.trim().is_empty() => {
                (!calls_tools).then(|| Cow::Owned(ContentBlock::text(BLANK)))
            }
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
        });
    empty.then(|| Cow::Owned(ContentBlock::text(BLANK))).into_iter().chain(blocks)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::message::{MessageMetadata, ReasoningContent, ToolUse};

    fn answer_of(provider: Option<&str>, content: impl IntoIterator<Item = ContentBlock>) -> Message {
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
    fn thoughts_go_back_only_to_whom_they_came_from() {
        let thought = || ContentBlock::Reasoning(ReasoningContent::text("hm", Some("s".to_owned())));
        let said = [thought(), ContentBlock::provider("a", json!(1)), signed_call()];
        let own = answer_of(Some("a"), said.clone());
        assert_eq!(outgoing_content(&own, "a").map(Cow::into_owned).collect::<Vec<_>>(), said);
        let sent: Vec<_> = outgoing_content(&own, "b").map(Cow::into_owned).collect();
        assert_eq!(sent, [ContentBlock::ToolUse(ToolUse::new("t-1", "get_weather", json!({})))]);
        let unnamed = answer_of(None, said);
        assert_eq!(outgoing_content(&unnamed, "b").count(), 2, "only the content that names its provider goes");
    }

    #[test]
    fn an_answer_of_which_nothing_is_left_is_blank() {
        for content in [vec![], vec![ContentBlock::provider("a", json!(1))]] {
            let sent: Vec<_> = outgoing_content(&answer_of(Some("a"), content), "b").map(Cow::into_owned).collect();
            assert_eq!(sent, [ContentBlock::text(BLANK)]);
        }
    }
}
