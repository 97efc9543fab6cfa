//! JSON schemas that are hard to put into the subset that a provider accepts.
#![allow(clippy::unwrap_used, reason = "what fails here fails the test that called it")]

use serde_json::{Map, Value, json};

/// Schemas with fields beside a union or a reference, as `#[serde(flatten)]` of a tagged enum has them, each with whether it
/// can be sent.
///
/// Closing each part apart from the others would leave no value that fits all of them.
pub fn beside_a_union_or_a_reference() -> Vec<(Value, bool)> {
    let variant = |tag: &str| {
        let kind = json!({"type": "string", "const": tag});
        json!({"type": "object", "properties": {"kind": kind}, "required": ["kind"]})
    };
    let fields = json!({"type": "object", "properties": {"id": {"type": "integer"}}, "required": ["id"]});
    let unions = json!({"anyOf": [variant("a"), variant("b")]});
    let with = |name: &str, part: Value| {
        let mut value = fields.clone();
        value.as_object_mut().unwrap().insert(name.to_owned(), part);
        value
    };
    let values = [
        (with("oneOf", json!([variant("a"), variant("b")])), false),
        (with("anyOf", json!([variant("a")])), false),
        (with("allOf", json!([variant("a")])), false),
        (with("$ref", json!("#/$defs/A")), false),
        (fields.clone(), true),
        (json!({"allOf": [fields, unions]}), false),
        (json!({"oneOf": [variant("a")], "anyOf": [variant("b")]}), false),
        (unions, true),
    ];
    let schema = |value: Value| json!({"type": "object", "properties": {"value": value}, "required": ["value"], "$defs": {"A": variant("a")}});
    values.into_iter().map(|(value, is_sent)| (schema(value), is_sent)).collect()
}

/// A schema with this many levels of definitions, each of which refers to the next one six times.
pub fn levels_of_references(levels: usize) -> Value {
    let level = |next: usize| {
        let fields: Map<_, _> =
            (0..6).map(|at| (format!("f{at}"), json!({"$ref": format!("#/$defs/L{next}")}))).collect();
        json!({"type": "object", "properties": fields})
    };
    let mut definitions: Map<_, _> = (0..levels).map(|at| (format!("L{at}"), level(at + 1))).collect();
    definitions.insert(format!("L{levels}"), json!({"type": "string"}));
    json!({"type": "object", "properties": {"value": {"$ref": "#/$defs/L0"}}, "$defs": definitions})
}
