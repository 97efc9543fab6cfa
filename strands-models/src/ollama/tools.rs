//! Tools as JSON text. They are translated once for all requests of an agent.

use std::sync::Arc;

use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Map, Value, json};
use strands_core::model::ToolSpecs;
use strands_core::tool::ToolSpec;

/// How deep definitions are put in the place of what refers to them. A type may hold itself.
const DEEPEST: usize = 6;

/// Tools in Ollama's form.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub(super) struct OllamaTools(Vec<Box<RawValue>>);

pub(super) fn translated(specs: &ToolSpecs) -> Arc<OllamaTools> {
    // Only a map whose keys are no text has no JSON, and a schema has none.
    specs.translated(|specs| OllamaTools(specs.iter().filter_map(|spec| to_raw_value(&tool(spec)).ok()).collect()))
}

fn tool(spec: &ToolSpec) -> Value {
    let schema = &spec.input_schema;
    let mut parameters = schema.clone();
    properties(&mut parameters, schema, 0);
    json!({"type": "function", "function": {"name": spec.name, "description": spec.description, "parameters": parameters}})
}

/// Of a property the server reads `type`, `description`, `enum`, `items`, `properties`, `required` and `anyOf`
/// ([api/types.go][types]); the rest it drops, and refuses a schema that is no object. So what a property says in other
/// words is said in these, or the model would not hear of it.
///
/// [types]: https://github.com/ollama/ollama/blob/main/api/types.go
fn properties(schema: &mut Value, root: &Value, depth: usize) {
    for property in schema.get_mut("properties").and_then(Value::as_object_mut).into_iter().flat_map(Map::values_mut) {
        readable(property, root, depth);
    }
}

fn readable(schema: &mut Value, root: &Value, depth: usize) {
    if let Some(definition) = definition(schema, root).filter(|_| depth < DEEPEST) {
        let mut fields = definition.clone();
        if let Some(beside) = schema.as_object() {
            let beside = beside.iter().filter(|(name, _)| *name != "$ref");
            fields.extend(beside.map(|(name, value)| (name.clone(), value.clone())));
        }
        *schema = Value::Object(fields);
        // What was put in may refer to another definition.
        return readable(schema, root, depth + 1);
    }
    let Value::Object(fields) = schema else {
        *schema = json!({});
        return;
    };
    if let Some(only) = fields.get("const").cloned()
        && !fields.contains_key("enum")
    {
        fields.insert("enum".to_owned(), json!([only]));
    }
    if !fields.contains_key("anyOf")
        && let Some(one_of) = fields.shift_remove("oneOf")
    {
        fields.insert("anyOf".to_owned(), one_of);
    }
    for alternative in fields.get_mut("anyOf").and_then(Value::as_array_mut).into_iter().flatten() {
        readable(alternative, root, depth + 1);
    }
    properties(schema, root, depth + 1);
}

/// What `$ref` refers to, within the schema.
fn definition<'a>(schema: &Value, root: &'a Value) -> Option<&'a Map<String, Value>> {
    root.pointer(schema.get("$ref")?.as_str()?.strip_prefix('#')?)?.as_object()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameters(schema: Value) -> Value {
        tool(&ToolSpec::new("book", "Books.", schema))["function"]["parameters"].clone()
    }

    #[test]
    fn tools_are_translated_once() {
        let specs: ToolSpecs = [ToolSpec::new("look", "Looks.", json!({"type": "object"}))].into_iter().collect();
        assert!(Arc::ptr_eq(&translated(&specs), &translated(&specs)));
        assert_eq!(
            json!(*translated(&specs)),
            json!([{"type": "function", "function": {"name": "look", "description": "Looks.", "parameters": {"type": "object"}}}])
        );
        assert_eq!(json!(*translated(&ToolSpecs::default())), json!([]));
    }

    #[test]
    fn a_property_says_all_that_it_says_in_words_that_the_server_reads() {
        let schema = json!({
            "type": "object",
            "properties": {
                "leg": {"$ref": "#/$defs/Leg", "description": "The first."},
                "class": {"oneOf": [{"const": "first", "description": "Wide."}, {"$ref": "#/$defs/Class"}]},
                "anything": true,
                "legs": {"type": "array", "items": {"$ref": "#/$defs/Leg"}},
                "elsewhere": {"$ref": "https://example.com/schema"},
            },
            "$defs": {
                "Leg": {"type": "object", "properties": {"to": {"$ref": "#/$defs/Place"}}},
                "Place": {"type": "string"},
                "Class": {"type": "string", "enum": ["second"]},
            },
        });
        let read = parameters(schema.clone());
        assert_eq!(
            read["properties"],
            json!({
                "leg": {"type": "object", "properties": {"to": {"type": "string"}}, "description": "The first."},
                "class": {"anyOf": [
                    {"const": "first", "description": "Wide.", "enum": ["first"]},
                    {"type": "string", "enum": ["second"]},
                ]},
                "anything": {},
                "legs": {"type": "array", "items": {"$ref": "#/$defs/Leg"}},
                "elsewhere": {"$ref": "https://example.com/schema"},
            })
        );
        assert_eq!(read["$defs"], schema["$defs"]);
    }

    #[test]
    fn a_type_that_holds_itself_comes_to_an_end() {
        let read = parameters(json!({
            "type": "object",
            "properties": {"node": {"$ref": "#/$defs/Node"}, "circle": {"$ref": "#/properties/circle"}},
            "$defs": {"Node": {"type": "object", "properties": {"left": {"$ref": "#/$defs/Node"}, "right": {"$ref": "#/$defs/Node"}}}},
        }));
        assert_eq!(read["properties"]["node"]["properties"]["left"]["properties"]["right"]["type"], "object");
        assert!(read.to_string().len() < 16_384, "{}", read.to_string().len());
    }
}
