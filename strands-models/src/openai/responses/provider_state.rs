//! What stays at the provider: responses that it keeps under an id, and what its own tools did.

use std::sync::Arc;

use serde_json::{Value, json};
use strands_core::message::{ContentBlock, Message, ProviderContent, Role};

/// The field of a block that holds nothing but an id.
const RESPONSE_ID: &str = "response_id";

/// The block at the end of an answer that the provider keeps under this id.
pub(super) fn block(provider: &str, response_id: &str) -> ProviderContent {
    ProviderContent::new(provider, json!({ RESPONSE_ID: response_id }))
}

/// The last response that the provider keeps, and what was said since.
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

/// True for content that is an item of the conversation: a call of a tool that the provider runs, and its like.
pub(super) fn is_item(content: &Value) -> bool {
    content.get("type").is_some_and(Value::is_string)
}
