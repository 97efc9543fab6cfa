//! A message as a provider may be sent it. Providers refuse assistant messages that models themselves produce: empty
//! ones, blank text, tool names of their own invention. The stored history keeps what was said.

use std::borrow::Cow;

use crate::message::{ContentBlock, Message, Role};
use crate::tool::is_valid_tool_name;

const BLANK: &str = "[blank text]";
const INVALID_TOOL_NAME: &str = "INVALID_TOOL_NAME";

/// The content of a message as a provider may be sent it.
///
/// User messages are as they are. In assistant messages blank text becomes `[blank text]`, or goes where there is a tool
/// call beside it; an empty message becomes `[blank text]`; and a tool name that no provider accepts becomes
/// `INVALID_TOOL_NAME`. Nothing is copied unless it changes.
pub fn outgoing_content(message: &Message) -> impl Iterator<Item = Cow<'_, ContentBlock>> {
    let assistant = message.role == Role::Assistant;
    let calls_tools = message.tool_uses().next().is_some();
    let empty = (assistant && message.content.is_empty()).then(|| Cow::Owned(ContentBlock::text(BLANK)));
    let blocks = message.content.iter().filter_map(move |block| match block {
        ContentBlock::Text(text) if assistant && text.text.trim().is_empty() => {
            (!calls_tools).then(|| Cow::Owned(ContentBlock::text(BLANK)))
        }
        ContentBlock::ToolUse(call) if assistant && !is_valid_tool_name(&call.name) => {
            let mut call = call.clone();
            INVALID_TOOL_NAME.clone_into(&mut call.name);
            Some(Cow::Owned(ContentBlock::ToolUse(call)))
        }
        block => Some(Cow::Borrowed(block)),
    });
    empty.into_iter().chain(blocks)
}
