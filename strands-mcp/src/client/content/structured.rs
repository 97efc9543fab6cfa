//! Structured content beside text. Servers repeat it as text for older clients; models get it once.

use rmcp::model::ContentBlock;
use serde_json::Value;
use strands_core::message::ToolResultContent;

/// Maximum depth of JSON that agents store. Deeper JSON becomes text.
const MAX_DEPTH: usize = 100;

/// Place of the structured content among the content blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// In place of a text block that is its JSON.
    Instead(usize),
    /// After all blocks.
    Last,
    /// The blocks have the same data.
    Nowhere,
}

/// Finds the place of structured content.
pub(super) fn place(data: &Value, content: &[ContentBlock]) -> Place {
    if data.is_null() && !content.is_empty() {
        return Place::Nowhere;
    }
    let texts = || content.iter().map(|block| block.as_text().map(|text| text.text.as_str()));
    if let Some(at) = texts().position(|text| text.is_some_and(|text| is_json_of(text, data))) {
        return Place::Instead(at);
    }
    // Python servers wrap a result that is not an object: one text, or a list with one text for each item.
    let wrapped = data.as_object().filter(|fields| fields.len() == 1).and_then(|fields| fields.get("result"));
    let repeats = |text: Option<&str>, value| text.is_some_and(|text| shows(text, value));
    let is_repeated = match (wrapped, content) {
        (Some(value), [_]) if texts().all(|text| repeats(text, value)) => true,
        (Some(Value::Array(items)), content) if !items.is_empty() && items.len() == content.len() => {
            texts().zip(items).all(|(text, item)| repeats(text, item))
        }
        _ => false,
    };
    if is_repeated { Place::Nowhere } else { Place::Last }
}

/// Returns structured content with the size of its JSON.
pub(super) fn part(data: Value) -> (usize, ToolResultContent) {
    let json = data.to_string();
    (json.len(), if fits(&data, MAX_DEPTH) { ToolResultContent::Json(data) } else { ToolResultContent::Text(json) })
}

/// Returns true if a text is a value, or its JSON.
fn shows(text: &str, value: &Value) -> bool {
    value.as_str() == Some(text) || is_json_of(text, value)
}

fn is_json_of(text: &str, value: &Value) -> bool {
    // Most texts are no JSON, and are not parsed.
    let may_be = match (value, text.trim_start().bytes().next()) {
        (Value::Object(_), first) => first == Some(b'{'),
        (Value::Array(_), first) => first == Some(b'['),
        (_, first) => first.is_some(),
    };
    may_be && serde_json::from_str::<Value>(text).is_ok_and(|parsed| parsed == *value)
}

fn fits(value: &Value, levels: usize) -> bool {
    let Some(below) = levels.checked_sub(1) else { return !matches!(value, Value::Array(_) | Value::Object(_)) };
    match value {
        Value::Array(items) => items.iter().all(|item| fits(item, below)),
        Value::Object(fields) => fields.values().all(|field| fits(field, below)),
        _ => true,
    }
}
