//! Pieces of messages, each of a bounded length: what is quoted may be as long as a model or a server likes.

use serde_json::Value;

/// Characters of a quoted value.
const MAX_VALUE: usize = 60;

/// Alternatives that are listed by name.
const MAX_LISTED: usize = 20;

/// Returns the start of a text, with an ellipsis if there is more.
pub(crate) fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// A value in backticks, without the quotes of a string. Arrays and objects are named only.
pub(super) fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => format!("`{}`", cut(text, MAX_VALUE)),
        Value::Array(_) => "an array".to_owned(),
        Value::Object(_) => "an object".to_owned(),
        scalar => format!("`{scalar}`"),
    }
}

/// An allowed value in backticks. Small arrays and objects are written out.
pub(super) fn allowed(value: &Value) -> String {
    match value {
        Value::Array(_) | Value::Object(_) => format!("`{}`", cut(&value.to_string(), MAX_VALUE)),
        scalar => shown(scalar),
    }
}

/// The kind of a value, with the value where it is short.
pub(super) fn kind(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => format!("boolean {value}"),
        Value::Number(number) => format!("number {}", cut(&number.to_string(), MAX_VALUE)),
        Value::String(text) => format!("string `{}`", cut(text, MAX_VALUE)),
        Value::Array(_) => "an array".to_owned(),
        Value::Object(_) => "an object".to_owned(),
    }
}

/// Names in backticks, with the number of those that are not listed.
pub(super) fn list<I: IntoIterator<Item = String>>(names: I) -> String {
    let mut names = names.into_iter();
    let listed: Vec<_> = names.by_ref().take(MAX_LISTED).collect();
    match names.count() {
        0 => listed.join(", "),
        more => format!("{} and {more} more", listed.join(", ")),
    }
}

/// "expected `a`" or "expected one of `a`, `b`".
pub(super) fn one_of<I: IntoIterator<Item = String>>(names: I) -> String {
    let names: Vec<_> = names.into_iter().collect();
    match names.as_slice() {
        [only] => format!("expected {only}"),
        _ => format!("expected one of {}", list(names)),
    }
}

/// A name in backticks.
pub(crate) fn name(text: &str) -> String {
    format!("`{}`", cut(text, MAX_VALUE))
}
