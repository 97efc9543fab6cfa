//! Check of a history: valid input for a model. The tests of conversation managers use it, too.

use std::sync::Arc;

use strands_core::message::{Message, Role};

/// Returns the first reason for which a history is invalid input. With `asking`, calls in the last message are pending.
pub(crate) fn flaw(messages: &[Arc<Message>], asking: bool) -> Option<String> {
    for (at, message) in messages.iter().enumerate() {
        let expected = if at % 2 == 0 { Role::User } else { Role::Assistant };
        if message.role != expected {
            return Some(format!("message {at} is of {:?}", message.role));
        }
        if message.role == Role::User && message.content.is_empty() {
            return Some(format!("message {at} is empty"));
        }
        let calls = at.checked_sub(1).map(|before| &messages[before]);
        let calls: Vec<_> =
            calls.iter().flat_map(|message| message.tool_uses()).map(|call| &call.tool_use_id).collect();
        let results: Vec<_> = message.tool_results().map(|result| &result.tool_use_id).collect();
        if calls != results {
            return Some(format!("message {at} has results of {results:?}, the calls are {calls:?}"));
        }
        let open = at + 1 == messages.len() && message.tool_uses().next().is_some();
        if open != (asking && at + 1 == messages.len()) {
            return Some(format!("message {at}: open calls {open}, interrupted {asking}"));
        }
    }
    None
}
