//! Keywords of JSON Schema, by what they hold.

use serde_json::{Map, Value};

/// Keywords that tell of values without deciding which of them fit.
pub(super) const ANNOTATIONS: [&str; 9] =
    ["$comment", "$schema", "default", "deprecated", "description", "examples", "readOnly", "title", "writeOnly"];

/// Keywords that hold one schema. In older drafts `items` may hold a list.
const SCHEMAS: [&str; 12] = [
    "additionalItems",
    "additionalProperties",
    "contains",
    "contentSchema",
    "else",
    "if",
    "items",
    "not",
    "propertyNames",
    "then",
    "unevaluatedItems",
    "unevaluatedProperties",
];

/// Keywords that hold a list of schemas.
const LISTS: [&str; 4] = ["allOf", "anyOf", "oneOf", "prefixItems"];

/// Keywords that hold schemas by names that the schema's author has chosen.
/// Older drafts have `dependencies`, which may hold lists of names instead.
const NAMED: [&str; 6] =
    ["$defs", "definitions", "dependencies", "dependentSchemas", "patternProperties", "properties"];

/// The types of JSON Schema.
pub(super) const TYPES: [&str; 7] = ["string", "number", "integer", "boolean", "array", "object", "null"];

/// Returns true for a keyword that does not decide which values fit.
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

/// Returns a copy of the value of a keyword whose schemas are made by `each`.
pub(super) fn mapped<'a>(keyword: &str, value: &'a Value, each: &mut impl FnMut(&'a Value) -> Value) -> Value {
    match value {
        Value::Object(named) if NAMED.contains(&keyword) => {
            Value::Object(named.iter().map(|(name, schema)| (name.clone(), each(schema))).collect())
        }
        Value::Array(list) if LISTS.contains(&keyword) || keyword == "items" => {
            Value::Array(list.iter().map(each).collect())
        }
        value if SCHEMAS.contains(&keyword) => each(value),
        value => value.clone(),
    }
}

/// Calls `each` with the schemas that stand directly in a schema.
pub(super) fn for_each<'a>(schema: &'a Value, each: &mut impl FnMut(&'a Value)) {
    for (keyword, value) in schema.as_object().into_iter().flatten() {
        match value {
            Value::Object(named) if NAMED.contains(&keyword.as_str()) => named.values().for_each(&mut *each),
            Value::Array(list) if LISTS.contains(&keyword.as_str()) || keyword == "items" => {
                list.iter().for_each(&mut *each);
            }
            value if SCHEMAS.contains(&keyword.as_str()) => each(value),
            _ => {}
        }
    }
}

/// The types that a schema names, in order; `None` if it names none.
pub(super) fn types(keywords: &Map<String, Value>) -> Option<Vec<&str>> {
    match keywords.get("type")? {
        Value::String(only) => Some(vec![only]),
        Value::Array(several) => Some(several.iter().filter_map(Value::as_str).collect()),
        _ => None,
    }
}

/// The type of a value.
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

/// The texts in the list of a keyword.
pub(super) fn texts<'a>(keywords: &'a Map<String, Value>, keyword: &str) -> impl Iterator<Item = &'a str> {
    keywords.get(keyword).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}
