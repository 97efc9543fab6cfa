//! Task of a run: a text or content blocks, as Strands has it.

use serde::Deserialize;
use serde_json::Value;
use strands_core::Prompt;
use strands_core::message::{ContentBlock, Message, Role, TextBlock};

/// Returns a prompt in the form of Strands' task. A prompt of several messages becomes one list of blocks; roles and metadata of
/// messages are no part of it.
pub(super) fn write(task: &Prompt) -> Value {
    if let [Message { role: Role::User, content, .. }] = task.messages()
        && let [ContentBlock::Text(TextBlock { text, .. })] = content.as_slice()
    {
        return Value::String(text.clone());
    }
    let blocks: Vec<&ContentBlock> = task.messages().iter().flat_map(|message| &message.content).collect();
    serde_json::to_value(blocks).unwrap_or_else(|_| Value::String(task.text()))
}

/// Returns true if [`write`] leaves nothing out.
pub(super) fn is_whole(task: &Prompt) -> bool {
    let [message] = task.messages() else { return false };
    message.role == Role::User
        && message.metadata.is_none()
        && message.tracking_id.is_none()
        && message.unknown.is_empty()
        && !message.content.is_empty()
}

/// Returns the prompt in a task. Responses to interrupts, which Strands may have for a task, are no prompt.
pub(super) fn read(task: &Value) -> Result<Prompt, serde_json::Error> {
    match task {
        Value::Null => Ok(Prompt::none()),
        Value::String(text) if text.is_empty() => Ok(Prompt::none()),
        Value::String(text) => Ok(Prompt::from(text.as_str())),
        blocks => Vec::<ContentBlock>::deserialize(blocks).map(Prompt::from),
    }
}
