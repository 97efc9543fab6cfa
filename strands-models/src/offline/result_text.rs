//! Tool results as text: short values on one line, objects and lists on separate lines.

use serde_json::Value;
use strands_core::message::ToolResultContent;

use super::OfflineToolResult;

/// Maximum number of list items, and depth of objects, in the text.
const MAX_ITEMS: usize = 10;
const MAX_DEPTH: usize = 4;

/// Formats these results, one per line.
pub(super) fn format(results: &[OfflineToolResult<'_>]) -> String {
    let texts = results.iter().map(result_text);
    texts.collect::<Vec<_>>().join("\n")
}

fn result_text(result: &OfflineToolResult<'_>) -> String {
    let tool = if result.tool().is_empty() { "the tool" } else { result.tool() };
    let verb = if result.is_error() { " failed" } else { "" };
    let mut out = format!("{tool}{verb}:");
    for content in result.content() {
        match content {
            ToolResultContent::Text(text) => inline(&mut out, text.trim_end()),
            ToolResultContent::Json(value) => json(&mut out, value, 0),
            ToolResultContent::Image(_) => inline(&mut out, "(an image)"),
            ToolResultContent::Document(_) => inline(&mut out, "(a document)"),
            ToolResultContent::Video(_) => inline(&mut out, "(a video)"),
            ToolResultContent::Audio(_) => inline(&mut out, "(audio)"),
            _ => inline(&mut out, "(something that can't be shown)"),
        }
    }
    if result.content().is_empty() {
        inline(&mut out, "(no content)");
    }
    out
}

fn inline(out: &mut String, text: &str) {
    out.push(if text.contains('\n') { '\n' } else { ' ' });
    out.push_str(text);
}

fn json(out: &mut String, value: &Value, depth: usize) {
    let nested = depth < MAX_DEPTH;
    match value {
        Value::Object(fields) if nested && !fields.is_empty() => {
            for (name, value) in fields {
                line(out, depth);
                out.push_str(name);
                out.push(':');
                json(out, value, depth + 1);
            }
        }
        Value::Array(items) if nested && !items.iter().all(is_short) => {
            for item in items.iter().take(MAX_ITEMS) {
                line(out, depth);
                out.push_str(&summary(item));
            }
            if let Some(more) = items.len().checked_sub(MAX_ITEMS).filter(|more| *more > 0) {
                line(out, depth);
                out.push_str(&format!("and {more} more"));
            }
        }
        value => {
            out.push(' ');
            out.push_str(&summary(value));
        }
    }
}

fn line(out: &mut String, depth: usize) {
    out.push('\n');
    out.push_str(&"  ".repeat(depth));
    out.push_str("- ");
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
            let mut texts: Vec<_> = items.iter().take(MAX_ITEMS).map(summary).collect();
            if more > 0 {
                texts.push(format!("and {more} more"));
            }
            texts.join(", ")
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

    fn text(value: &Value) -> String {
        let mut out = "x:".to_owned();
        json(&mut out, value, 0);
        out
    }

    #[test]
    fn formats_values_for_people() {
        assert_eq!(text(&json!(5)), "x: 5");
        assert_eq!(text(&json!([])), "x: none");
        assert_eq!(text(&json!(["a", true, null])), "x: a, yes, none");
        assert_eq!(
            text(
                &json!({"city": "Oslo", "days": [{"day": 1, "rain": false}, {"day": 2, "rain": true}], "wind": {"m/s": 3}})
            ),
            "x:\n- city: Oslo\n- days:\n  - day 1, rain no\n  - day 2, rain yes\n- wind:\n  - m/s: 3"
        );
    }

    #[test]
    fn truncates_long_lists() {
        let long: Vec<u32> = (0..25).collect();
        assert_eq!(text(&json!(long)), "x: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, and 15 more");
    }
}
