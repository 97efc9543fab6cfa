//! Keywords that hold schemas: one table for rewriting and for validation.

use serde_json::Value;

/// Keywords with one schema.
const ONE: [&str; 12] = [
    "additionalItems",
    "additionalProperties",
    "contains",
    "else",
    "if",
    "items",
    "not",
    "propertyNames",
    "then",
    "unevaluatedItems",
    "unevaluatedProperties",
    "contentSchema",
];

/// Keywords with a list of schemas. `items` could hold one before draft 2020-12.
const LISTS: [&str; 5] = ["allOf", "anyOf", "items", "oneOf", "prefixItems"];

/// Keywords with schemas by name. `dependencies` may hold lists of names instead.
const MAPS: [&str; 6] = ["$defs", "definitions", "dependencies", "dependentSchemas", "patternProperties", "properties"];

/// The step from a schema to a subschema.
#[derive(Clone, Copy)]
pub(crate) enum Step<'a> {
    Keyword(&'a str),
    Item(&'a str, usize),
    Named(&'a str, &'a str),
}

impl Step<'_> {
    /// Returns the JSON Pointer of the step.
    pub(crate) fn pointer(self) -> String {
        match self {
            Self::Keyword(keyword) => format!("/{keyword}"),
            Self::Item(keyword, index) => format!("/{keyword}/{index}"),
            Self::Named(keyword, name) => format!("/{keyword}/{}", escaped(name)),
        }
    }
}

/// Visits the direct subschemas of a schema.
pub(crate) fn visit<'a>(schema: &'a Value, mut each: impl FnMut(Step<'a>, &'a Value)) {
    let is_schema = |part: &Value| part.is_object() || part.is_boolean();
    for (keyword, value) in schema.as_object().into_iter().flatten() {
        let keyword = keyword.as_str();
        match value {
            Value::Object(parts) if MAPS.contains(&keyword) => {
                let parts = parts.iter().filter(|(_, part)| is_schema(part));
                parts.for_each(|(name, part)| each(Step::Named(keyword, name), part));
            }
            Value::Array(parts) if LISTS.contains(&keyword) => {
                let parts = parts.iter().enumerate().filter(|(_, part)| is_schema(part));
                parts.for_each(|(index, part)| each(Step::Item(keyword, index), part));
            }
            Value::Object(_) | Value::Bool(_) if ONE.contains(&keyword) => each(Step::Keyword(keyword), value),
            _ => {}
        }
    }
}

/// Returns a copy of a keyword's value with `each` applied to its schemas.
pub(super) fn mapped<'a>(keyword: &str, value: &'a Value, each: &mut impl FnMut(&'a Value) -> Value) -> Value {
    match value {
        Value::Object(named) if MAPS.contains(&keyword) => {
            Value::Object(named.iter().map(|(name, schema)| (name.clone(), each(schema))).collect())
        }
        Value::Array(list) if LISTS.contains(&keyword) => Value::Array(list.iter().map(each).collect()),
        value if ONE.contains(&keyword) => each(value),
        value => value.clone(),
    }
}

/// Escapes a name for a JSON Pointer.
pub(crate) fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}
