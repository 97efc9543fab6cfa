//! Descriptions extended with the constraints that a provider has no keyword for.

use std::fmt::Write as _;

use serde_json::{Map, Value};

/// The longest text added to one description, in characters.
const MAX_CHARS: usize = 1_000;

/// Adds constraints to the description of a schema: `{minimum: 0, maximum: 9}`.
pub(super) fn add_constraints(schema: &mut Map<String, Value>, constraints: &[(&str, Value)]) {
    if constraints.is_empty() {
        return;
    }
    let mut text = String::new();
    for (keyword, value) in constraints {
        let comma = if text.is_empty() { "" } else { ", " };
        // Writing to a `String` can't fail.
        let _ = write!(text, "{comma}{keyword}: {value}");
    }
    let mut text = format!("{{{text}}}");
    if let Some((end, _)) = text.char_indices().nth(MAX_CHARS) {
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
