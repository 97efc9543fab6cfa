//! JSON schemas that Anthropic's constrained decoding takes. Source:
//! <https://platform.claude.com/docs/en/build-with-claude/structured-outputs>, and what the API refuses with which words.

use std::collections::HashMap;
use std::fmt::Write as _;

use serde_json::{Map, Value, json};

/// How many fields of a schema may be optional, and how many may be one of several things.
const MOST_OPTIONAL: usize = 24;
const MOST_UNIONS: usize = 16;

/// What a schema may hold as it is. Anything else is told in the description.
const KEPT: [&str; 12] = [
    "$schema",
    "$ref",
    "$defs",
    "definitions",
    "type",
    "enum",
    "const",
    "default",
    "title",
    "description",
    "required",
    "additionalProperties",
];

const FORMATS: [&str; 10] =
    ["date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"];

/// The schema as the provider takes it: objects closed, and bounds that it does not know told in words. `None` where it
/// can't be had so: open maps, fields of any type, schemas that hold themselves, and too many choices.
pub(super) fn constrained(schema: &Value) -> Option<Value> {
    if holds_itself(schema) {
        return None;
    }
    let mut walk = Walk::default();
    let schema = walk.schema(schema)?;
    (walk.optional <= MOST_OPTIONAL && walk.unions <= MOST_UNIONS).then_some(schema)
}

/// True where the provider takes the schema as it is.
pub(super) fn is_constrained(schema: &Value) -> bool {
    constrained(schema).is_some_and(|constrained| constrained == *schema)
}

#[derive(Default)]
struct Walk {
    optional: usize,
    unions: usize,
}

impl Walk {
    fn schema(&mut self, schema: &Value) -> Option<Value> {
        let fields = schema.as_object()?;
        let mut out = Map::new();
        for name in ["$defs", "definitions"] {
            if let Some(definitions) = fields.get(name) {
                out.insert(name.to_owned(), self.each(definitions)?);
            }
        }
        let is = |kind: &str| match fields.get("type") {
            Some(Value::String(own)) => own == kind,
            Some(Value::Array(several)) => several.iter().any(|own| own == kind),
            _ => false,
        };
        // Fields beside a union or a reference, as flattened enums have them, and values that have to fit several objects:
        // each part is closed, so that none would allow the fields of another.
        let has_fields = is("object") || fields.contains_key("properties");
        let parts = ["$ref", "anyOf", "oneOf", "allOf"].iter().filter(|part| fields.contains_key(**part)).count();
        let all_of = fields.get("allOf").and_then(Value::as_array).map_or(0, Vec::len);
        if parts + usize::from(has_fields) > 1 || all_of > 1 {
            return None;
        }
        if let Some(reference) = fields.get("$ref") {
            // Nothing may stand beside it but definitions.
            out.insert("$ref".to_owned(), reference.clone());
            return Some(Value::Object(out));
        }
        let mut told = String::new();
        for (name, value) in fields {
            match name.as_str() {
                "$defs" | "definitions" => {}
                "properties" => drop(out.insert(name.clone(), self.each(value)?)),
                "items" => drop(out.insert(name.clone(), self.schema(value)?)),
                "anyOf" | "oneOf" => {
                    self.unions += 1;
                    out.insert("anyOf".to_owned(), self.all(value)?);
                }
                "allOf" => drop(out.insert(name.clone(), self.all(value)?)),
                "prefixItems" => return None,
                "additionalProperties" if *value != Value::Bool(false) => return None,
                "format" if FORMATS.iter().any(|known| value == known) => drop(out.insert(name.clone(), value.clone())),
                "minItems" if matches!(value.as_u64(), Some(0 | 1)) => drop(out.insert(name.clone(), value.clone())),
                name if KEPT.contains(&name) => drop(out.insert(name.to_owned(), value.clone())),
                name => {
                    let comma = if told.is_empty() { "" } else { ", " };
                    // Writing to text can't fail.
                    let _ = write!(told, "{comma}{name}: {value}");
                }
            }
        }
        if fields.get("type").is_some_and(Value::is_array) {
            self.unions += 1;
        }
        if is("object") {
            let properties = fields.get("properties").and_then(Value::as_object);
            // An object of which nothing is known is open.
            let properties = properties.filter(|properties| !properties.is_empty()).or_else(|| {
                let closed = fields.get("additionalProperties") == Some(&Value::Bool(false));
                closed.then(|| fields.get("properties").and_then(Value::as_object)).flatten()
            })?;
            let required = fields.get("required").and_then(Value::as_array);
            self.optional +=
                properties.keys().filter(|name| !required.is_some_and(|r| r.iter().any(|r| r == *name))).count();
            out.insert("additionalProperties".to_owned(), Value::Bool(false));
        }
        if is("array") && !fields.contains_key("items") {
            return None;
        }
        if !["type", "enum", "const", "anyOf", "oneOf", "allOf"].iter().any(|name| fields.contains_key(*name)) {
            return None;
        }
        if !told.is_empty() {
            let described = out.get("description").and_then(Value::as_str);
            let described = described.map_or_else(String::new, |described| format!("{described}\n\n"));
            out.insert("description".to_owned(), json!(format!("{described}{{{told}}}")));
        }
        Some(Value::Object(out))
    }

    fn each(&mut self, schemas: &Value) -> Option<Value> {
        let schemas = schemas.as_object()?.iter();
        let schemas: Option<Map<_, _>> =
            schemas.map(|(name, schema)| Some((name.clone(), self.schema(schema)?))).collect();
        schemas.map(Value::Object)
    }

    fn all(&mut self, schemas: &Value) -> Option<Value> {
        let schemas: Option<Vec<_>> = schemas.as_array()?.iter().map(|schema| self.schema(schema)).collect();
        schemas.map(Value::Array)
    }
}

/// State of a reference in a search.
#[derive(Clone, Copy, PartialEq)]
enum Visit {
    /// Its references are being searched.
    Open,
    /// It does not lead back.
    Done,
}

/// True where a definition leads back to itself.
fn holds_itself(schema: &Value) -> bool {
    fn leads_back<'a>(root: &'a Value, schema: &'a Value, visits: &mut HashMap<&'a str, Visit>) -> bool {
        match schema {
            Value::Object(fields) => {
                if let Some(reference) = fields.get("$ref").and_then(Value::as_str) {
                    match visits.get(reference) {
                        Some(Visit::Open) => return true,
                        Some(Visit::Done) => {}
                        None => {
                            let Some(target) = reference.strip_prefix('#').and_then(|pointer| root.pointer(pointer))
                            else {
                                // What is elsewhere can't be looked at.
                                return true;
                            };
                            visits.insert(reference, Visit::Open);
                            if leads_back(root, target, visits) {
                                return true;
                            }
                            visits.insert(reference, Visit::Done);
                        }
                    }
                }
                let inside = fields.iter().filter(|(name, _)| !matches!(name.as_str(), "$defs" | "definitions"));
                inside.into_iter().any(|(_, value)| leads_back(root, value, visits))
            }
            Value::Array(items) => items.iter().any(|item| leads_back(root, item, visits)),
            _ => false,
        }
    }
    leads_back(schema, schema, &mut HashMap::from([("#", Visit::Open)]))
}

#[cfg(test)]
mod tests {
    use strands_testkit::schemas::{beside_a_union_or_a_reference, levels_of_references};

    use super::*;

    fn object(properties: &Value) -> Value {
        json!({"type": "object", "properties": properties})
    }

    #[test]
    fn objects_are_closed_and_unknown_bounds_are_told() {
        let schema = json!({"$schema": "s", "type": "object", "title": "Person", "required": ["age"],
            "properties": {
                "age": {"type": "integer", "format": "uint8", "minimum": 0, "maximum": 255, "description": "Years."},
                "mail": {"type": ["string", "null"], "format": "email"},
                "tags": {"type": "array", "items": {"oneOf": [{"const": "a"}, {"$ref": "#/$defs/B", "title": "x"}]}, "minItems": 2},
            },
            "$defs": {"B": object(&json!({"x": {"type": "boolean"}}))}});
        assert_eq!(
            constrained(&schema).unwrap(),
            json!({"$schema": "s", "type": "object", "title": "Person", "required": ["age"],
                "properties": {
                    "age": {"type": "integer", "description": "Years.\n\n{format: \"uint8\", minimum: 0, maximum: 255}"},
                    "mail": {"type": ["string", "null"], "format": "email"},
                    "tags": {"type": "array", "items": {"anyOf": [{"const": "a"}, {"$ref": "#/$defs/B"}]},
                        "description": "{minItems: 2}"},
                },
                "$defs": {"B": {"type": "object", "properties": {"x": {"type": "boolean"}}, "additionalProperties": false}},
                "additionalProperties": false})
        );
    }

    #[test]
    fn a_schema_that_is_taken_stays_as_it_is() {
        let closed = json!({"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": false});
        assert!(is_constrained(&closed));
        assert!(!is_constrained(&object(&json!({"a": {"type": "string"}}))), "it would have to be closed");
        assert!(is_constrained(&json!({"type": "object", "properties": {}, "additionalProperties": false})));
    }

    #[test]
    fn what_would_lose_something_is_not_constrained() {
        let many = |count: usize, kind: Value| -> Value {
            object(&Value::Object((0..count).map(|at| (format!("f{at}"), kind.clone())).collect()))
        };
        for open in [
            object(&json!({"map": {"type": "object", "additionalProperties": {"type": "string"}}})),
            object(&json!({"map": {"type": "object"}})),
            object(&json!({"anything": {}})),
            object(&json!({"anything": true})),
            object(&json!({"pair": {"type": "array", "prefixItems": [{"type": "string"}]}})),
            object(&json!({"list": {"type": "array"}})),
            json!({"$ref": "#/$defs/T", "$defs": {"T": object(&json!({"next": {"$ref": "#/$defs/T"}}))}}),
            object(&json!({"a": {"$ref": "elsewhere.json"}})),
            many(25, json!({"type": "string"})),
            many(17, json!({"type": ["string", "null"]})),
        ] {
            assert_eq!(constrained(&open), None, "{open}");
        }
        assert!(constrained(&many(24, json!({"type": "string"}))).is_some());
    }

    #[test]
    fn fields_beside_a_union_or_a_reference_are_not_sent() {
        for (schema, is_sent) in beside_a_union_or_a_reference() {
            assert_eq!(constrained(&schema).is_some(), is_sent, "{schema}");
        }
    }

    /// The work is bounded, whatever the schema: it is done for each request.
    #[test]
    fn references_are_followed_once() {
        let schema = levels_of_references(8);
        let began = std::time::Instant::now();
        assert!(!holds_itself(&schema));
        assert!(began.elapsed() < std::time::Duration::from_millis(100), "{:?}", began.elapsed());
    }
}
