//! JSON schemas that a model is held to, of tools' arguments and of answers.

use serde_json::{Map, Value, json};
use strands_core::model::OutputSchema;

/// The schema of an answer, under the names that OpenAI's protocols give its parts.
pub(crate) fn described(schema: &OutputSchema) -> Map<String, Value> {
    let mut described = Map::new();
    described.insert("name".to_owned(), schema.name.clone().into());
    if let Some(description) = &schema.description {
        described.insert("description".to_owned(), description.clone().into());
    }
    let strict = strict(&schema.schema);
    let is_strict = strict.is_some();
    described.insert("schema".to_owned(), strict.unwrap_or_else(|| schema.schema.clone()));
    if is_strict {
        described.insert("strict".to_owned(), true.into());
    }
    described
}

/// The schema in the words of strict mode, where it has a form there: every object is closed and requires all that it
/// has, and nothing is asked that strict mode does not know
/// (<https://platform.openai.com/docs/guides/structured-outputs#supported-schemas>).
pub(crate) fn strict(schema: &Value) -> Option<Value> {
    let fields = schema.as_object()?;
    let mut out = Map::new();
    for (keyword, value) in fields {
        let value = match keyword.as_str() {
            "properties" | "$defs" | "definitions" => {
                let each = value.as_object()?.iter().map(|(name, schema)| Some((name.clone(), strict(schema)?)));
                Value::Object(each.collect::<Option<_>>()?)
            }
            "anyOf" => Value::Array(value.as_array()?.iter().map(strict).collect::<Option<_>>()?),
            "items" => strict(value)?,
            // The names of Rust's numbers say nothing that their bounds do not.
            "format" if is(fields, "integer") || is(fields, "number") => continue,
            "format" if !FORMATS.iter().any(|format| value == format) => return None,
            keyword if KNOWN.contains(&keyword) => value.clone(),
            _ => return None,
        };
        out.insert(keyword.clone(), value);
    }
    let says_what = ["type", "$ref", "anyOf", "enum", "const"].iter().any(|kind| out.contains_key(*kind));
    if !says_what || !is_closed(&out) {
        return None;
    }
    // Nothing may stand beside a reference: "$ref cannot have keywords {'description'}".
    if out.len() > 1
        && let Some(reference) = out.shift_remove("$ref")
    {
        let known = out.insert("anyOf".to_owned(), json!([{ "$ref": reference }]));
        return known.is_none().then_some(Value::Object(out));
    }
    Some(Value::Object(out))
}

/// What strict mode knows, beside what holds other schemas.
const KNOWN: [&str; 18] = [
    "$ref",
    "$schema",
    "additionalProperties",
    "const",
    "description",
    "enum",
    "exclusiveMaximum",
    "exclusiveMinimum",
    "format",
    "maxItems",
    "maximum",
    "minItems",
    "minimum",
    "multipleOf",
    "pattern",
    "required",
    "title",
    "type",
];

/// The formats of text that it knows.
const FORMATS: [&str; 9] = ["date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"];

/// True for a schema of this type, alone or among others.
fn is(fields: &Map<String, Value>, kind: &str) -> bool {
    match fields.get("type") {
        Some(Value::Array(kinds)) => kinds.iter().any(|own| own == kind),
        own => own.is_some_and(|own| own == kind),
    }
}

fn is_closed(fields: &Map<String, Value>) -> bool {
    let Some(Value::Object(properties)) = fields.get("properties") else {
        return !is(fields, "object");
    };
    let required = fields.get("required").and_then(Value::as_array);
    let requires = |name: &String| required.is_some_and(|required| required.iter().any(|known| known == name));
    fields.get("additionalProperties") == Some(&Value::Bool(false)) && properties.keys().all(requires)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn closed() -> Value {
        json!({"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": false})
    }

    #[test]
    fn strict_mode_takes_closed_objects_alone() {
        assert_eq!(strict(&closed()), Some(closed()));
        // Its names are no keywords.
        let named = json!({"type": "object", "properties": {"default": {"type": ["integer", "null"], "minimum": 0}},
            "required": ["default"], "additionalProperties": false});
        assert_eq!(strict(&named), Some(named));
        let mut open = closed();
        open["additionalProperties"] = json!(true);
        let mut optional = closed();
        optional["required"] = json!([]);
        let mut nested = closed();
        nested["properties"]["a"] = json!({"type": "array", "items": {"type": "object"}});
        let mut unknown = closed();
        unknown["properties"]["a"] = json!({"type": "string", "minLength": 1});
        let mut anything = closed();
        anything["properties"]["a"] = json!({});
        let mut open_or_null = closed();
        open_or_null["properties"]["a"] =
            json!({"type": ["object", "null"], "additionalProperties": {"type": "string"}});
        let mut unknown_format = closed();
        unknown_format["properties"]["a"] = json!({"type": "string", "format": "uri"});
        for schema in [open, optional, nested, unknown, anything, open_or_null, unknown_format] {
            assert_eq!(strict(&schema), None, "{schema}");
        }
    }

    #[test]
    fn what_strict_mode_words_otherwise_is_reworded() {
        let with = |a: Value| {
            let mut schema = closed();
            schema["properties"]["a"] = a;
            schema["$defs"] = json!({"B": closed()});
            schema
        };
        for (schema, expected) in [
            // The names that Rust's numbers have are no formats there.
            (
                json!({"type": ["integer", "null"], "format": "uint8", "minimum": 0, "maximum": 255}),
                json!({"type": ["integer", "null"], "minimum": 0, "maximum": 255}),
            ),
            (json!({"type": "string", "format": "date-time"}), json!({"type": "string", "format": "date-time"})),
            // "$ref cannot have keywords {'description'}".
            (
                json!({"$ref": "#/$defs/B", "description": "One."}),
                json!({"anyOf": [{"$ref": "#/$defs/B"}], "description": "One."}),
            ),
            (json!({"$ref": "#/$defs/B"}), json!({"$ref": "#/$defs/B"})),
        ] {
            assert_eq!(strict(&with(schema)), Some(with(expected)));
        }
    }

    #[test]
    fn an_answer_is_held_to_its_schema_where_that_can_be() {
        let schema = OutputSchema::new("city", closed()).with_description("A city.");
        let described = Value::Object(described(&schema));
        assert_eq!(described, json!({"name": "city", "description": "A city.", "schema": closed(), "strict": true}));
        let open = super::described(&OutputSchema::new("city", json!({"type": "object"})));
        assert!(!open.contains_key("strict"));
    }
}
