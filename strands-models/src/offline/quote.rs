//! What tools answered, told to a reader: short values in a line, records and lists in lines of their own.

use serde_json::Value;
use strands_core::message::ToolResultContent;

use super::OfflineToolResult;

/// How many items of a list are told, and how deep records are gone into.
const MAX_ITEMS: usize = 10;
const MAX_DEPTH: usize = 4;

/// All of these results, one after another.
pub(super) fn results(results: &[OfflineToolResult<'_>]) -> String {
    let told = results.iter().map(one);
    told.collect::<Vec<_>>().join("\n")
}

fn one(result: &OfflineToolResult<'_>) -> String {
    let tool = if result.tool().is_empty() { "the tool" } else { result.tool() };
    let verb = if result.is_error() { " failed" } else { "" };
    let mut told = format!("{tool}{verb}:");
    for piece in result.content() {
        match piece {
            ToolResultContent::Text(text) => inline(&mut told, text.trim_end()),
            ToolResultContent::Json(value) => json(&mut told, value, 0),
            ToolResultContent::Image(_) => inline(&mut told, "(an image)"),
            ToolResultContent::Document(_) => inline(&mut told, "(a document)"),
            ToolResultContent::Video(_) => inline(&mut told, "(a video)"),
            _ => inline(&mut told, "(something that can't be shown)"),
        }
    }
    if result.content().is_empty() {
        inline(&mut told, "(no content)");
    }
    told
}

fn inline(told: &mut String, text: &str) {
    told.push(if text.contains('\n') { '\n' } else { ' ' });
    told.push_str(text);
}

fn json(told: &mut String, value: &Value, depth: usize) {
    let nested = depth < MAX_DEPTH;
    match value {
        Value::Object(fields) if nested && !fields.is_empty() => {
            for (name, value) in fields {
                line(told, depth);
                told.push_str(name);
                told.push(':');
                json(told, value, depth + 1);
            }
        }
        Value::Array(items) if nested && !items.iter().all(is_short) => {
            for item in items.iter().take(MAX_ITEMS) {
                line(told, depth);
                told.push_str(&summary(item));
            }
            if let Some(more) = items.len().checked_sub(MAX_ITEMS).filter(|more| *more > 0) {
                line(told, depth);
                told.push_str(&format!("and {more} more"));
            }
        }
        value => {
            told.push(' ');
            told.push_str(&summary(value));
        }
    }
}

fn line(told: &mut String, depth: usize) {
    told.push('\n');
    told.push_str(&"  ".repeat(depth));
    told.push_str("- ");
}

fn is_short(value: &Value) -> bool {
    !value.is_object() && !value.is_array()
}

/// A value on one line.
fn summary(value: &Value) -> String {
    match value {
        Value::Null => "none".to_owned(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(items) if items.is_empty() => "none".to_owned(),
        Value::Array(items) if items.iter().all(is_short) => {
            let more = items.len().saturating_sub(MAX_ITEMS);
            let mut told: Vec<_> = items.iter().take(MAX_ITEMS).map(summary).collect();
            if more > 0 {
                told.push(format!("and {more} more"));
            }
            told.join(", ")
        }
        Value::Object(fields) if fields.values().all(is_short) => {
            let fields = fields.iter().map(|(name, value)| format!("{name} {}", summary(value)));
            fields.collect::<Vec<_>>().join(", ")
        }
        value => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(value: &Value) -> String {
        let mut told = "x:".to_owned();
        json(&mut told, value, 0);
        told
    }

    #[test]
    fn values_are_told_as_a_person_would_note_them() {
        assert_eq!(told(&json!(5)), "x: 5");
        assert_eq!(told(&json!([])), "x: none");
        assert_eq!(told(&json!(["a", true, null])), "x: a, yes, none");
        assert_eq!(
            told(
                &json!({"city": "Oslo", "days": [{"day": 1, "rain": false}, {"day": 2, "rain": true}], "wind": {"m/s": 3}})
            ),
            "x:\n- city: Oslo\n- days:\n  - day 1, rain no\n  - day 2, rain yes\n- wind:\n  - m/s: 3"
        );
    }

    #[test]
    fn long_lists_are_cut() {
        let long: Vec<u32> = (0..25).collect();
        assert_eq!(told(&json!(long)), "x: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, and 15 more");
    }
}
