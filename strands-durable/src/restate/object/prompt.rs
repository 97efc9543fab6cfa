//! The parts of a prompt that a request to an object takes: its content, and its idempotency key.

use strands_core::message::Role;
use strands_core::{Prompt, PromptContent};

/// Returns a key as a value of a header: all but visible ASCII is percent-encoded.
pub(super) fn of_header(key: &str) -> String {
    let mut encoded = String::with_capacity(key.len());
    for byte in key.bytes() {
        match byte.is_ascii_graphic() {
            true => encoded.push(char::from(byte)),
            false => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

/// Returns the content of a prompt. `None` if it has none, or messages that are not of a user.
pub(super) fn content(prompt: Prompt) -> Option<PromptContent> {
    let messages = prompt.messages();
    let is_of_user = messages.iter().all(|message| message.role == Role::User);
    let blocks: Vec<_> = messages.iter().flat_map(|message| message.content.iter().cloned()).collect();
    let content = PromptContent::Blocks(blocks);
    (is_of_user && content.clone().into_prompt().is_ok()).then_some(content)
}
