//! Selection of the messages that a manager must retain.

use std::sync::Arc;

use crate::message::Message;

/// Returns a flag for each message: true if it is pinned. Pinned are messages with the flag, the first `first` of the whole
/// conversation, and the other half of each pinned pair of tool call and result.
pub(super) fn pinned(messages: &[Arc<Message>], number: impl Fn(usize) -> Option<u64>, first: u64) -> Vec<bool> {
    let flagged: Vec<bool> = messages
        .iter()
        .enumerate()
        .map(|(at, message)| message.is_pinned() || number(at).is_some_and(|number| number < first))
        .collect();
    let neighbour = |at: usize| flagged.get(at).copied().unwrap_or(false).then(|| messages.get(at)).flatten();
    let pinned = |(at, message): (usize, &Arc<Message>)| {
        flagged.get(at).copied().unwrap_or(false)
            || at.checked_sub(1).and_then(neighbour).is_some_and(|call| has_result_of(message, call))
            || neighbour(at + 1).is_some_and(|result| has_result_of(result, message))
    };
    messages.iter().enumerate().map(pinned).collect()
}

/// Returns the range of the newest prompt. If the prompt was joined with tool results, it includes their calls.
pub(super) fn newest_prompt(
    messages: &[Arc<Message>],
    number: impl Fn(usize) -> Option<u64>,
) -> std::ops::Range<usize> {
    let is_prompt = |(at, message): (usize, &Arc<Message>)| message.is_prompt() && number(at).is_some();
    let Some(at) = messages.iter().enumerate().rposition(is_prompt) else { return 0..0 };
    let with_results = messages.get(at).is_some_and(|message| message.tool_results().next().is_some());
    at.saturating_sub(usize::from(with_results))..at + 1
}

/// Returns true if one message has a result of the other's tool calls.
fn has_result_of(result: &Message, call: &Message) -> bool {
    result.tool_results().any(|result| call.tool_uses().any(|call| call.tool_use_id == result.tool_use_id))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::message::{Role, ToolResult, ToolResultStatus, ToolUse};

    #[test]
    fn pins_tool_call_and_result_together() {
        let call = Message::new(Role::Assistant, [ToolUse::new("1", "look", json!({}))]);
        let result = Message::new(Role::User, [ToolResult::new("1", ToolResultStatus::Success, ["ok"])]);
        let talk = || [Message::user("a"), Message::assistant("b")];
        let conversation = |call: Message, result: Message| {
            let messages = talk().into_iter().chain([call, result]).chain(talk()).map(Arc::new);
            pinned(&messages.collect::<Vec<_>>(), |_| None, 0)
        };
        let both = [false, false, true, true, false, false];
        assert_eq!(conversation(call.clone().pinned(), result.clone()), both);
        assert_eq!(conversation(call, result.pinned()), both);
    }
}
