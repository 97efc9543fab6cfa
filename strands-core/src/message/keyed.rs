//! JSON schema of values whose key names their kind, such as `{"text": ".."}`.

use schemars::{Schema, json_schema};
use serde_json::{Map, Value, json};

/// Returns the schema of one kind: an object with these fields, and possibly others.
pub(super) fn schema<'a>(fields: impl IntoIterator<Item = (&'a str, Schema)>) -> Map<String, Value> {
    let properties: Map<_, _> = fields.into_iter().map(|(name, field)| (name.to_owned(), field.to_value())).collect();
    let required: Vec<_> = properties.keys().cloned().collect();
    Map::from_iter([
        ("type".to_owned(), json!("object")),
        ("properties".to_owned(), Value::Object(properties)),
        ("required".to_owned(), json!(required)),
        ("additionalProperties".to_owned(), json!(true)),
    ])
}

/// Returns the schema of a value of one of these kinds, by key, or of a kind of a later release.
pub(super) fn schema_of_any<'a>(
    description: &str,
    kinds: impl IntoIterator<Item = (&'a str, Map<String, Value>)>,
) -> Schema {
    let (keys, mut kinds): (Vec<_>, Vec<_>) =
        kinds.into_iter().map(|(key, schema)| (json!({"required": [key]}), Value::Object(schema))).unzip();
    kinds.push(json!({
        "description": "A kind unknown to this release.",
        "type": "object",
        "additionalProperties": true,
        "not": {"anyOf": keys},
    }));
    json_schema!({"description": description, "anyOf": kinds})
}
