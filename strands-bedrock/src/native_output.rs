//! Native structured output: a JSON schema that Bedrock enforces on the text of the model.

use serde_json::{Map, Value, json};
use strands_core::models::OutputSchema;
use strands_core::schema::{SchemaDialect, StrictSchemaError};

/// Returns the `textFormat` that constrains a response to this schema.
///
/// # Errors
///
/// Returns [`StrictSchemaError`] for schemas that would lose meaning, and for recursive ones.
pub(crate) fn text_format(output: &OutputSchema) -> Result<Value, StrictSchemaError> {
    let mut definition = Map::new();
    let held = output.rewritten("bedrock", |schema| SchemaDialect::BEDROCK.strict(schema).map(|held| held.to_string()));
    definition.insert("schema".to_owned(), Result::clone(&held)?.into());
    definition.insert("name".to_owned(), output.name.as_str().into());
    if let Some(description) = &output.description {
        definition.insert("description".to_owned(), description.as_str().into());
    }
    Ok(json!({"type": "json_schema", "structure": {"jsonSchema": definition}}))
}
