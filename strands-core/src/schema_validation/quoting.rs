//! Parts of messages, each of bounded length: quoted values may be arbitrarily long.

use serde_json::Value;

/// The most characters of a quoted value.
const MAX_VALUE: usize = 60;

/// The most names in a list.
const MAX_LISTED: usize = 20;

/// Truncates a text, with an ellipsis.
pub(crate) fn truncated(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// Formats a value in backticks, without the quotes of a string. Arrays and objects are only named.
pub(super) fn quoted(value: &Value) -> String {
    match value {
        Value::String(text) => format!("`{}`", truncated(text, MAX_VALUE)),
        Value::Array(_) => "an array".to_owned(),
        Value::Object(_) => "an object".to_owned(),
        scalar => format!("`{scalar}`"),
    }
}

/// Formats an allowed value in backticks. Small arrays and objects are written out.
pub(super) fn allowed(value: &Value) -> String {
    match value {
        Value::Array(_) | Value::Object(_) => format!("`{}`", truncated(&value.to_string(), MAX_VALUE)),
        scalar => quoted(scalar),
    }
}

/// Describes the type of a value, with the value if it is short.
pub(super) fn type_and_value(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => format!("boolean {value}"),
        Value::Number(number) => format!("number {}", truncated(&number.to_string(), MAX_VALUE)),
        Value::String(text) => format!("string `{}`", truncated(text, MAX_VALUE)),
        Value::Array(_) => "an array".to_owned(),
        Value::Object(_) => "an object".to_owned(),
    }
}

/// Joins names in backticks, with the number of those that are not listed.
pub(super) fn list<I: IntoIterator<Item = String>>(names: I) -> String {
    let mut names = names.into_iter();
    let listed: Vec<_> = names.by_ref().take(MAX_LISTED).collect();
    match names.count() {
        0 => listed.join(", "),
        more => format!("{} and {more} more", listed.join(", ")),
    }
}

/// Formats "expected `a`" or "expected one of `a`, `b`".
pub(super) fn one_of<I: IntoIterator<Item = String>>(names: I) -> String {
    let names: Vec<_> = names.into_iter().collect();
    match names.as_slice() {
        [only] => format!("expected {only}"),
        _ => format!("expected one of {}", list(names)),
    }
}

/// Formats a name in backticks.
pub(crate) fn name(text: &str) -> String {
    format!("`{}`", truncated(text, MAX_VALUE))
}
