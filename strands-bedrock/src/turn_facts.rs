//! Facts about a message on which other messages of the request depend. They are cached with the bytes of the message, so that
//! a request does not read it again.

use std::sync::Arc;

use strands_core::message::{ContentBlock, Message, Role};

use crate::capabilities::ReasoningReplay;
use crate::document_names::{DocumentNames, has_documents};
use crate::turns::{OutBlock, OutTurn, outgoing_turn};

/// Facts about a message, as bits of its note in the cache.
#[derive(Clone, Copy, Default)]
pub(crate) struct Facts(u8);

impl Facts {
    const USER: u8 = 1;
    /// The message has tool calls or results, for which Bedrock requires declared tools.
    pub(crate) const USES_TOOLS: u8 = 1 << 1;
    const ONLY_RESULTS: u8 = 1 << 2;
    const SOME_RESULT: u8 = 1 << 3;
    /// The message has documents, whose names depend on the documents before them.
    pub(crate) const DOCUMENTS: u8 = 1 << 4;

    /// Returns the facts of a message and its outgoing form.
    pub(crate) fn of(message: &Message, turn: &OutTurn<'_>) -> Self {
        let facts = [
            (Self::USER, turn.role == Role::User),
            (Self::USES_TOOLS, message.content.iter().any(is_tool_content)),
            (Self::ONLY_RESULTS, turn.content.iter().all(OutBlock::is_tool_result)),
            (Self::SOME_RESULT, turn.content.iter().any(OutBlock::is_tool_result)),
            (Self::DOCUMENTS, message.content.iter().any(has_documents)),
        ];
        Self(facts.into_iter().filter(|(_, holds)| *holds).fold(0, |bits, (fact, _)| bits | fact))
    }

    pub(crate) fn from_note(note: u8) -> Self {
        Self(note)
    }

    pub(crate) fn note(self) -> u8 {
        self.0
    }

    pub(crate) fn has(self, fact: u8) -> bool {
        self.0 & fact != 0
    }

    /// Returns true if these are tool results and the next message, with the facts `after`, is a user message without any.
    /// Some models reject both in one turn.
    pub(crate) fn mixes_with(self, after: Self) -> bool {
        self.has(Self::USER) && after.has(Self::USER) && self.has(Self::ONLY_RESULTS) && !after.has(Self::SOME_RESULT)
    }
}

fn is_tool_content(block: &ContentBlock) -> bool {
    matches!(block, ContentBlock::ToolUse(_) | ContentBlock::ToolResult(_))
}

/// Returns true if the conversation has tool calls or results.
pub(crate) fn uses_tools(messages: &[Arc<Message>]) -> bool {
    messages.iter().any(|message| message.content.iter().any(is_tool_content))
}

/// Returns true if a user message directly follows tool results.
pub(crate) fn mixes_tool_results(messages: &[Arc<Message>]) -> bool {
    let mut before = Facts::default();
    messages.iter().any(|message| {
        let turn = outgoing_turn(message, ReasoningReplay::Nothing, &mut DocumentNames::default());
        let facts = Facts::of(message, &turn);
        std::mem::replace(&mut before, facts).mixes_with(facts)
    })
}

#[cfg(test)]
mod tests {
    use strands_core::message::{ToolResult, ToolResultStatus, ToolUse};

    use super::*;

    #[test]
    fn finds_user_messages_directly_after_tool_results() {
        let results = || Message::new(Role::User, [ToolResult::new("1", ToolResultStatus::Success, ["ok"])]);
        let call = || Message::new(Role::Assistant, [ToolUse::new("1", "look", serde_json::json!({}))]);
        let mixes =
            |messages: &[Message]| mixes_tool_results(&messages.iter().cloned().map(Arc::new).collect::<Vec<_>>());
        assert!(mixes(&[call(), results(), Message::user("and then?")]));
        assert!(!mixes(&[call(), results(), Message::assistant("ok"), Message::user("and then?")]));
        assert!(!mixes(&[Message::user("a"), Message::user("b"), results(), results()]));
        assert!(!mixes(&[]));
    }
}
