//! Content of prompts, responses and tools as JSON, in the form of the legacy and of the latest conventions.

use serde_json::{Value, json};
use strands_core::message::{Message, Role};

/// Value in place of images, documents and other bytes.
const REPLACED: &str = "<replaced>";

/// Returns the blocks of a message, as in requests of the Bedrock Converse API.
pub(crate) fn legacy(message: &Message) -> String {
    blocks(message).to_string()
}

fn blocks(message: &Message) -> Value {
    without_bytes(serde_json::to_value(&message.content).unwrap_or(Value::Null))
}

/// Returns messages in the form of the latest conventions.
pub(crate) fn latest<'a>(messages: impl IntoIterator<Item = &'a Message>, finish_reason: Option<&str>) -> String {
    Value::Array(messages.into_iter().map(|message| latest_message(message, finish_reason)).collect()).to_string()
}

fn latest_message(message: &Message, finish_reason: Option<&str>) -> Value {
    let parts: Vec<Value> = match blocks(message) {
        Value::Array(blocks) => blocks.into_iter().map(part).collect(),
        _ => Vec::new(),
    };
    let role = if message.role == Role::Assistant { "assistant" } else { "user" };
    match finish_reason {
        Some(reason) => json!({"role": role, "parts": parts, "finish_reason": reason}),
        None => json!({"role": role, "parts": parts}),
    }
}

/// Returns a block as a part of a message.
fn part(block: Value) -> Value {
    let Value::Object(block) = block else { return block };
    let Some((key, value)) = block.into_iter().next() else { return Value::Null };
    match key.as_str() {
        "text" => json!({"type": "text", "content": value}),
        "toolUse" => tool_call(field(&value, "name"), field(&value, "toolUseId"), field(&value, "input")),
        "toolResult" => tool_response(field(&value, "toolUseId"), field(&value, "content")),
        _ => json!({"type": key, "content": value}),
    }
}

fn field<'v>(value: &'v Value, name: &str) -> &'v Value {
    value.get(name).unwrap_or(&Value::Null)
}

/// Returns a tool call as a part of a message.
pub(crate) fn tool_call(name: &Value, id: &Value, arguments: &Value) -> Value {
    json!({"type": "tool_call", "name": name, "id": id, "arguments": arguments})
}

/// Returns a tool result as a part of a message.
pub(crate) fn tool_response(id: &Value, content: &Value) -> Value {
    json!({"type": "tool_call_response", "id": id, "response": content})
}

/// Returns one message of a tool.
pub(crate) fn tool_message(part: Value) -> String {
    json!([{"role": "tool", "parts": [part]}]).to_string()
}

/// Serializes a value without its bytes.
pub(crate) fn json_of(value: &impl serde::Serialize) -> Value {
    without_bytes(serde_json::to_value(value).unwrap_or(Value::Null))
}

/// Replaces the bytes of images, documents and other media.
fn without_bytes(mut value: Value) -> Value {
    replace_bytes(&mut value);
    value
}

fn replace_bytes(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(replace_bytes),
        Value::Object(fields) => {
            for (name, field) in fields {
                if matches!(name.as_str(), "bytes" | "redactedContent") {
                    *field = Value::from(REPLACED);
                } else {
                    replace_bytes(field);
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use strands_core::message::ToolUse;

    #[test]
    fn has_the_form_that_strands_for_python_exports() {
        let call = ToolUse::new("tooluse_a", "get_weather", json!({"city": "Paris"}));
        let message =
            Message::new(Role::Assistant, [strands_core::message::ContentBlock::text("Checking."), call.into()]);
        let legacy: Value = serde_json::from_str(&legacy(&message)).unwrap();
        let expected = json!([{"text": "Checking."},
            {"toolUse": {"toolUseId": "tooluse_a", "name": "get_weather", "input": {"city": "Paris"}}}]);
        assert_eq!(legacy, expected);
        let latest: Value = serde_json::from_str(&latest([&message], Some("tool_use"))).unwrap();
        let expected = json!([{"role": "assistant", "parts": [
            {"type": "text", "content": "Checking."},
            {"type": "tool_call", "name": "get_weather", "id": "tooluse_a", "arguments": {"city": "Paris"}},
        ], "finish_reason": "tool_use"}]);
        assert_eq!(latest, expected);
    }

    #[test]
    fn bytes_are_replaced() {
        let image = json!({"image": {"format": "png", "source": {"bytes": "aGk="}}});
        assert_eq!(without_bytes(image)["image"]["source"]["bytes"], REPLACED);
    }
}
