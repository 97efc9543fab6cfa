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

/// True where strict mode takes the schema as it is: every object is closed, and requires all that it has.
pub(crate) fn is_strict(schema: &Value) -> bool {
    match schema {
        Value::Object(fields) => {
            let closed = match fields.get("properties") {
                Some(Value::Object(properties)) => {
                    let required = fields.get("required").and_then(Value::as_array);
                    let requires = |name: &String| required.is_some_and(|required| required.iter().any(|r| r == name));
                    fields.get("additionalProperties") == Some(&Value::Bool(false)) && properties.keys().all(requires)
                }
                _ => fields.get("type").is_none_or(|kind| kind != "object"),
            };
            closed && fields.values().all(is_strict)
        }
        Value::Array(items) => items.iter().all(is_strict),
        _ => true,
    }
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
        let mut open = closed();
        open["additionalProperties"] = json!(true);
        let mut optional = closed();
        optional["required"] = json!([]);
        let mut nested = closed();
        nested["properties"]["a"] = json!({"type": "array", "items": {"type": "object"}});
        for schema in [open, optional, nested] {
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
