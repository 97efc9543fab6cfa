//! JSON Schema keywords that do not hold schemas: annotations, types, lists of names.

use serde_json::{Map, Value};

/// Keywords that describe values without restricting them.
pub(super) const ANNOTATIONS: [&str; 9] =
    ["$comment", "$schema", "default", "deprecated", "description", "examples", "readOnly", "title", "writeOnly"];

/// The types of JSON Schema.
pub(super) const TYPES: [&str; 7] = ["string", "number", "integer", "boolean", "array", "object", "null"];

/// Returns true for a keyword that does not restrict values.
pub(super) fn is_annotation(keyword: &str) -> bool {
    ANNOTATIONS.contains(&keyword)
}

/// Returns true if any value fits the schema.
pub(super) fn is_anything(schema: &Value) -> bool {
    match schema {
        Value::Object(keywords) => keywords.keys().all(|keyword| is_annotation(keyword)),
        Value::Bool(fits) => *fits,
        _ => false,
    }
}

/// Returns the declared types in order, or `None` without a `type` keyword.
pub(super) fn types(keywords: &Map<String, Value>) -> Option<Vec<&str>> {
    match keywords.get("type")? {
        Value::String(only) => Some(vec![only]),
        Value::Array(several) => Some(several.iter().filter_map(Value::as_str).collect()),
        _ => None,
    }
}

/// Returns the JSON Schema type of a value.
pub(super) fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// Returns the strings in the list of a keyword.
pub(super) fn texts<'a>(keywords: &'a Map<String, Value>, keyword: &str) -> impl Iterator<Item = &'a str> {
    keywords.get(keyword).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}
