//! Keywords that a provider does not take, told in the description instead.

use std::fmt::Write as _;

use serde_json::{Map, Value};

/// The longest text that is told of one schema, in characters.
const MOST_CHARS: usize = 1_000;

/// Adds keywords to the description of a schema: `{minimum: 0, maximum: 9}`.
pub(super) fn tell(schema: &mut Map<String, Value>, told: &[(&str, Value)]) {
    if told.is_empty() {
        return;
    }
    let mut text = String::new();
    for (keyword, value) in told {
        let comma = if text.is_empty() { "" } else { ", " };
        // Writing to text can't fail.
        let _ = write!(text, "{comma}{keyword}: {value}");
    }
    let mut text = format!("{{{text}}}");
    if let Some((end, _)) = text.char_indices().nth(MOST_CHARS) {
        text.truncate(end);
        text.push('…');
    }
    append(schema, &text);
}

/// Adds a paragraph to the description of a schema.
pub(super) fn append(schema: &mut Map<String, Value>, text: &str) {
    let described = match schema.get("description").and_then(Value::as_str).map(str::trim_end) {
        Some(known) if !known.is_empty() => format!("{known}\n\n{text}"),
        _ => text.to_owned(),
    };
    schema.insert("description".to_owned(), described.into());
}
