//! JSON schema of the events: that of the known types, and one for the types of later releases.

use schemars::Schema;
use serde_json::{Value, json};

/// Adds an alternative for types that this version does not know. A known type has to be as this version describes it.
pub(super) fn allow_unknown_types(schema: &mut Schema) {
    let Some(Value::Array(events)) = schema.get_mut("oneOf") else { return };
    let types: Vec<_> = events.iter().filter_map(|event| event.pointer("/properties/type/const").cloned()).collect();
    events.push(json!({
        "description": "An event of a type that this release does not know. Skip it.",
        "type": "object",
        "properties": {"type": {"type": "string", "not": {"enum": types}}},
        "required": ["type"],
    }));
}
