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

/// Returns the schemas in a schema, each with its pointer from there.
pub(super) fn subschemas(schema: &Value) -> Vec<(String, &Value)> {
    let mut found = Vec::new();
    let is_schema = |part: &Value| part.is_object() || part.is_boolean();
    for (keyword, value) in schema.as_object().into_iter().flatten() {
        let keyword = keyword.as_str();
        match value {
            Value::Object(parts) if MAPS.contains(&keyword) => {
                let parts = parts.iter().filter(|(_, part)| is_schema(part));
                found.extend(parts.map(|(name, part)| (format!("/{keyword}/{}", escaped(name)), part)));
            }
            Value::Array(parts) if LISTS.contains(&keyword) => {
                let parts = parts.iter().enumerate().filter(|(_, part)| is_schema(part));
                found.extend(parts.map(|(index, part)| (format!("/{keyword}/{index}"), part)));
            }
            part if ONE.contains(&keyword) && is_schema(part) => found.push((format!("/{keyword}"), part)),
            _ => {}
        }
    }
    found
}

/// A name as a segment of a JSON Pointer.
pub(super) fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}
