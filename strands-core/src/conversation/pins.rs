//! Messages that stay, however long the conversation becomes.

use std::sync::Arc;

use serde_json::Value;

use crate::message::{ContentBlock, Message, MessageMetadata, Role};

/// Strands' name of the flag in a message's `metadata.custom`.
const PINNED: &str = "pinned";

impl Message {
    /// The same message, which no conversation manager removes, cuts or summarizes. A session keeps the flag.
    ///
    /// The call of a tool and its result are pinned together, whichever of the two has the flag.
    ///
    /// ```
    /// use strands_core::message::Message;
    ///
    /// let allergy = Message::user("I am allergic to peanuts.").pinned();
    /// assert!(allergy.is_pinned());
    /// ```
    #[must_use]
    pub fn pinned(mut self) -> Self {
        self.pin();
        self
    }

    /// True for a message with the flag that [`pinned`](Self::pinned) sets.
    pub fn is_pinned(&self) -> bool {
        let flag = self.metadata.as_ref().and_then(|known| known.custom.get(PINNED));
        flag.and_then(Value::as_bool).unwrap_or(false)
    }

    pub(crate) fn pin(&mut self) {
        let metadata = self.metadata.get_or_insert_with(MessageMetadata::default);
        metadata.custom.insert(PINNED.to_owned(), Value::Bool(true));
    }
}

/// Which messages are pinned: those with the flag, the first `first` of the whole conversation, and the other half of
/// every pinned tool call.
pub(super) fn pinned(messages: &[Arc<Message>], first: u64) -> Vec<bool> {
    let flagged: Vec<bool> = messages
        .iter()
        .map(|message| message.is_pinned() || message.number().is_some_and(|number| number < first))
        .collect();
    let neighbour = |at: usize| flagged.get(at).copied().unwrap_or(false).then(|| messages.get(at)).flatten();
    let pinned = |(at, message): (usize, &Arc<Message>)| {
        flagged.get(at).copied().unwrap_or(false)
            || at.checked_sub(1).and_then(neighbour).is_some_and(|call| answers(message, call))
            || neighbour(at + 1).is_some_and(|result| answers(result, message))
    };
    messages.iter().enumerate().map(pinned).collect()
}

/// The places of what the user said last: a prompt, or results that a prompt has joined, with their calls.
pub(super) fn newest_words(messages: &[Arc<Message>]) -> std::ops::Range<usize> {
    let said = |message: &Arc<Message>| {
        let words = message.content.iter().any(|block| !matches!(block, ContentBlock::ToolResult(_)));
        message.role == Role::User && message.number().is_some() && words
    };
    let Some(at) = messages.iter().rposition(said) else { return 0..0 };
    let with_results = messages.get(at).is_some_and(|message| message.tool_results().next().is_some());
    at.saturating_sub(usize::from(with_results))..at + 1
}

/// True when one message has a result of the other's tool calls.
fn answers(result: &Message, call: &Message) -> bool {
    result.tool_results().any(|result| call.tool_uses().any(|call| call.tool_use_id == result.tool_use_id))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::message::{ToolResult, ToolResultStatus, ToolUse};

    #[test]
    fn both_halves_of_a_pinned_tool_call_are_pinned() {
        let call = Message::new(Role::Assistant, [ToolUse::new("1", "look", json!({}))]);
        let result = Message::new(Role::User, [ToolResult::new("1", ToolResultStatus::Success, ["ok"])]);
        let talk = || [Message::user("a"), Message::assistant("b")];
        let conversation = |call: Message, result: Message| {
            let messages = talk().into_iter().chain([call, result]).chain(talk()).map(Arc::new);
            pinned(&messages.collect::<Vec<_>>(), 0)
        };
        let both = [false, false, true, true, false, false];
        assert_eq!(conversation(call.clone().pinned(), result.clone()), both);
        assert_eq!(conversation(call, result.pinned()), both);
    }

    #[test]
    fn the_flag_is_that_of_strands() {
        let message: Message =
            serde_json::from_value(json!({"role": "user", "content": [], "metadata": {"custom": {"pinned": true}}}))
                .unwrap();
        assert!(message.is_pinned());
        assert_eq!(Message::user("a").pinned().metadata.unwrap().custom["pinned"], json!(true));
    }
}
