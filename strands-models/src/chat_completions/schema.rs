//! JSON schemas that a model is held to, of tools' arguments and of answers.

use serde_json::{Map, Value};
use strands_core::model::OutputSchema;

/// The schema of an answer, under the names that OpenAI's protocols give its parts.
pub(crate) fn described(schema: &OutputSchema) -> Map<String, Value> {
    let mut described = Map::new();
    described.insert("name".to_owned(), schema.name.clone().into());
    if let Some(description) = &schema.description {
        described.insert("description".to_owned(), description.clone().into());
    }
    described.insert("schema".to_owned(), schema.schema.clone());
    if is_strict(&schema.schema) {
        described.insert("strict".to_owned(), true.into());
    }
    described
}

/// True where strict mode takes the schema as it is: every object is closed and requires all that it has, and nothing is
/// asked that strict mode does not know (<https://platform.openai.com/docs/guides/structured-outputs#supported-schemas>).
pub(crate) fn is_strict(schema: &Value) -> bool {
    let Value::Object(fields) = schema else {
        return false;
    };
    let each_strict = |schemas: &Value| match schemas {
        Value::Object(schemas) => schemas.values().all(is_strict),
        Value::Array(schemas) => schemas.iter().all(is_strict),
        _ => false,
    };
    let known = fields.iter().all(|(keyword, value)| match keyword.as_str() {
        "properties" | "$defs" | "definitions" | "anyOf" => each_strict(value),
        "items" => is_strict(value),
        keyword => KNOWN.contains(&keyword),
    });
    known
        && is_closed(fields)
        && ["type", "$ref", "anyOf", "enum", "const"].iter().any(|kind| fields.contains_key(*kind))
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

fn is_closed(fields: &Map<String, Value>) -> bool {
    let Some(Value::Object(properties)) = fields.get("properties") else {
        return fields.get("type").is_none_or(|kind| kind != "object");
    };
    let required = fields.get("required").and_then(Value::as_array);
    let requires = |name: &String| required.is_some_and(|required| required.iter().any(|known| known == name));
    fields.get("additionalProperties") == Some(&Value::Bool(false)) && properties.keys().all(requires)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn closed() -> Value {
        json!({"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": false})
    }

    #[test]
    fn strict_mode_takes_closed_objects_alone() {
        assert!(is_strict(&closed()));
        // Its names are no keywords.
        let named = json!({"type": "object", "properties": {"default": {"type": ["integer", "null"], "minimum": 0}},
            "required": ["default"], "additionalProperties": false});
        assert!(is_strict(&named));
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
        for schema in [open, optional, nested, unknown, anything] {
            assert!(!is_strict(&schema), "{schema}");
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
