//! The keywords that hold schemas.

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

/// Keywords with a list of schemas. `items` had one before 2020.
const LISTS: [&str; 5] = ["allOf", "anyOf", "items", "oneOf", "prefixItems"];

/// Keywords with schemas by name. `dependencies` may hold lists of names instead.
const MAPS: [&str; 6] = ["$defs", "definitions", "dependencies", "dependentSchemas", "patternProperties", "properties"];

/// The way from a schema to one in it.
#[derive(Clone, Copy)]
pub(super) enum Step<'a> {
    Keyword(&'a str),
    Item(&'a str, usize),
    Named(&'a str, &'a str),
}

impl Step<'_> {
    /// JSON Pointer of the step.
    pub(super) fn pointer(self) -> String {
        match self {
            Self::Keyword(keyword) => format!("/{keyword}"),
            Self::Item(keyword, index) => format!("/{keyword}/{index}"),
            Self::Named(keyword, name) => format!("/{keyword}/{}", escaped(name)),
        }
    }
}

/// Visits the schemas in a schema.
pub(super) fn visit<'a>(schema: &'a Value, mut each: impl FnMut(Step<'a>, &'a Value)) {
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

/// A name as a segment of a JSON Pointer.
pub(super) fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}
