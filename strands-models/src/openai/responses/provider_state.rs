//! State at the provider: stored responses by id, and the calls of server tools.

use std::sync::Arc;

use serde_json::{Value, json};
use strands_core::message::{ContentBlock, Message, ProviderContent, Role};

/// Field of a block that contains only an id.
const RESPONSE_ID: &str = "response_id";

/// Returns the block at the end of a response that the provider stores under this id.
pub(super) fn block(provider: &str, response_id: &str) -> ProviderContent {
    ProviderContent::new(provider, json!({ RESPONSE_ID: response_id }))
}

/// Returns the id of the last stored response, and the messages after it.
pub(super) fn last<'a>(messages: &'a [Arc<Message>], provider: &str) -> Option<(&'a str, &'a [Arc<Message>])> {
    let id = |message: &'a Message| {
        message.content.iter().rev().find_map(|block| match block {
            ContentBlock::Provider(own) if own.provider == provider => own.content.get(RESPONSE_ID)?.as_str(),
            _ => None,
        })
    };
    let mut answers = messages.iter().enumerate().rev().filter(|(_, message)| message.role == Role::Assistant);
    answers.find_map(|(at, message)| Some((id(message)?, messages.get(at + 1..)?)))
}

/// Returns true for content that is an item of the conversation, such as the call of a server tool.
pub(super) fn is_item(content: &Value) -> bool {
    content.get("type").is_some_and(Value::is_string)
}
