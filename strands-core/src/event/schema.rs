//! JSON Schema of events, extended for event types of later releases.

use schemars::Schema;
use serde_json::{Value, json};

/// Adds an alternative for unknown types. A known type still has to match its own schema.
pub(super) fn allow_unknown_types(schema: &mut Schema) {
    let Some(Value::Array(events)) = schema.get_mut("oneOf") else { return };
    let types: Vec<_> = events.iter().filter_map(|event| event.pointer("/properties/type/const").cloned()).collect();
    events.push(json!({
        "description": "An event of a type that is unknown to this release. Ignore it.",
        "type": "object",
        "properties": {"type": {"type": "string", "not": {"enum": types}}},
        "required": ["type"],
    }));
}
