//! Tool specs as JSON text, translated once for all requests of an agent.

use std::sync::Arc;

use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};
use strands_core::models::ToolSpecs;
use strands_core::schema::SchemaDialect;
use strands_core::tool::ToolSpec;

/// Tool specs in Ollama's form.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub(super) struct OllamaTools(Vec<Box<RawValue>>);

pub(super) fn translated(specs: &ToolSpecs) -> Arc<OllamaTools> {
    // Serialization fails only for maps with keys that are not strings, and a schema has none.
    specs.translated(|specs| OllamaTools(specs.iter().filter_map(|spec| to_raw_value(&tool(spec)).ok()).collect()))
}

fn tool(spec: &ToolSpec) -> Value {
    let parameters = SchemaDialect::OLLAMA.arguments(&spec.input_schema);
    json!({"type": "function", "function": {"name": spec.name, "description": spec.description, "parameters": parameters}})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tools_are_translated_once() {
        let specs: ToolSpecs = [ToolSpec::new("look", "Looks.", json!({"type": "object"}))].into_iter().collect();
        assert!(Arc::ptr_eq(&translated(&specs), &translated(&specs)));
        assert_eq!(
            json!(*translated(&specs)),
            json!([{"type": "function", "function": {"name": "look", "description": "Looks.", "parameters": {"type": "object", "properties": {}}}}])
        );
        assert_eq!(json!(*translated(&ToolSpecs::default())), json!([]));
    }
}
