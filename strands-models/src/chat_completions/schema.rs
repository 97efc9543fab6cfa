//! JSON schemas of structured output, and of the functions that a model may call.

use serde_json::{Map, Value};
use strands_core::models::OutputSchema;
use strands_core::schema::SchemaDialect;

/// Returns the schema of a structured output under the names that OpenAI's protocols give its parts. It is strict if the
/// server can hold a model to it.
pub(crate) fn described(schema: &OutputSchema, dialect: &SchemaDialect) -> Map<String, Value> {
    let mut described = Map::new();
    described.insert("name".to_owned(), schema.name.clone().into());
    if let Some(description) = &schema.description {
        described.insert("description".to_owned(), description.clone().into());
    }
    let written = schema.rewritten(dialect.name(), |schema| written(schema, true, dialect));
    let (schema, is_strict) = &*written;
    described.insert("schema".to_owned(), schema.clone());
    if *is_strict {
        described.insert("strict".to_owned(), true.into());
    }
    described
}

/// Returns a schema as the server accepts it, and true if the server enforces it. A schema that is not enforced keeps its
/// optional properties.
pub(crate) fn written(schema: &Value, strict: bool, dialect: &SchemaDialect) -> (Value, bool) {
    match strict.then(|| dialect.strict(schema)) {
        Some(Ok(held)) => (held, true),
        _ => (dialect.arguments(schema), false),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn makes_schemas_strict_if_possible() {
        let schema = json!({"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "integer"}}, "required": ["a"]});
        let schema = OutputSchema::new("city", schema).with_description("A city.");
        let closed = json!({"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": ["integer", "null"]}},
            "required": ["a", "b"], "additionalProperties": false});
        assert_eq!(
            Value::Object(described(&schema, &SchemaDialect::OPENAI)),
            json!({"name": "city", "description": "A city.", "schema": closed, "strict": true})
        );
        let open = json!({"type": "object", "properties": {"m": {"type": "object", "additionalProperties": {"type": "string"}}}});
        let described = described(&OutputSchema::new("city", open.clone()), &SchemaDialect::OPENAI);
        assert_eq!(Value::Object(described), json!({"name": "city", "schema": open}));
    }
}
