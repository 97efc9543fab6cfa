//! Tools as JSON text. They are translated once for all requests of an agent.

use std::borrow::Cow;
use std::sync::Arc;

use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Map, Value, json};
use strands_core::model::{ToolChoice, ToolSpecs};
use strands_core::tool::ToolSpec;

/// Tools in the form of Chat Completions.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub(super) struct ChatTools(Vec<Box<RawValue>>);

/// Tools in the form of Responses.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub(super) struct ResponsesTools(Vec<Box<RawValue>>);

#[derive(Serialize)]
struct Function<'a> {
    name: &'a str,
    description: &'a str,
    parameters: Cow<'a, Value>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    strict: bool,
}

pub(super) fn chat(specs: &ToolSpecs) -> Option<Arc<ChatTools>> {
    #[derive(Serialize)]
    struct Tool<'a> {
        r#type: &'static str,
        function: Function<'a>,
    }
    // Only a map whose keys are no text has no JSON, and a schema has none.
    let entry = |spec: &ToolSpec| to_raw_value(&Tool { r#type: "function", function: function(spec) }).ok();
    (!specs.is_empty()).then(|| specs.translated(|specs| ChatTools(specs.iter().filter_map(entry).collect())))
}

pub(super) fn responses(specs: &ToolSpecs) -> Option<Arc<ResponsesTools>> {
    #[derive(Serialize)]
    struct Tool<'a> {
        r#type: &'static str,
        #[serde(flatten)]
        function: Function<'a>,
    }
    let entry = |spec: &ToolSpec| to_raw_value(&Tool { r#type: "function", function: function(spec) }).ok();
    (!specs.is_empty()).then(|| specs.translated(|specs| ResponsesTools(specs.iter().filter_map(entry).collect())))
}

/// `tool_choice` of Chat Completions.
pub(super) fn chat_choice(choice: &ToolChoice) -> Value {
    match choice {
        ToolChoice::Tool { name } => json!({"type": "function", "function": {"name": name}}),
        choice => word(choice),
    }
}

/// `tool_choice` of Responses.
pub(super) fn responses_choice(choice: &ToolChoice) -> Value {
    match choice {
        ToolChoice::Tool { name } => json!({"type": "function", "name": name}),
        choice => word(choice),
    }
}

fn word(choice: &ToolChoice) -> Value {
    if matches!(choice, ToolChoice::Any {}) { json!("required") } else { json!("auto") }
}

fn function(spec: &ToolSpec) -> Function<'_> {
    let schema = &spec.input_schema;
    Function {
        name: &spec.name,
        description: &spec.description,
        parameters: with_properties(schema),
        strict: spec.strict && is_strict(schema),
    }
}

/// An object schema has to name its properties, even where there are none.
fn with_properties(schema: &Value) -> Cow<'_, Value> {
    match schema {
        Value::Object(fields) if !fields.contains_key("properties") && !fields.contains_key("$ref") => {
            let mut fields = fields.clone();
            fields.insert("properties".to_owned(), Value::Object(Map::new()));
            Cow::Owned(Value::Object(fields))
        }
        schema => Cow::Borrowed(schema),
    }
}

/// True where strict mode takes the schema as it is: every object is closed, and requires all that it has.
fn is_strict(schema: &Value) -> bool {
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
    use super::*;

    fn closed() -> Value {
        json!({"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": false})
    }

    #[test]
    fn tools_are_translated_once_for_each_protocol() {
        let specs: ToolSpecs = [ToolSpec::new("look", "Looks.", json!({"type": "object"}))].into_iter().collect();
        assert!(Arc::ptr_eq(&chat(&specs).unwrap(), &chat(&specs).unwrap()));
        assert!(Arc::ptr_eq(&responses(&specs).unwrap(), &responses(&specs).unwrap()));
        assert_eq!(
            serde_json::to_value(&*chat(&specs).unwrap()).unwrap(),
            json!([{"type": "function", "function": {"name": "look", "description": "Looks.",
                "parameters": {"type": "object", "properties": {}}}}])
        );
        assert_eq!(
            serde_json::to_value(&*responses(&specs).unwrap()).unwrap(),
            json!([{"type": "function", "name": "look", "description": "Looks.",
                "parameters": {"type": "object", "properties": {}}}])
        );
        assert!(chat(&ToolSpecs::default()).is_none() && responses(&ToolSpecs::default()).is_none());
    }

    #[test]
    fn a_tool_is_strict_where_its_schema_can_be() {
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
        let specs: ToolSpecs = [ToolSpec::new("a", "A.", closed()).with_strict(true)].into_iter().collect();
        assert_eq!(serde_json::to_value(&*responses(&specs).unwrap()).unwrap()[0]["strict"], json!(true));
    }
}
