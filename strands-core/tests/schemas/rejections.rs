//! Schemas that agents reject for their tools, with advice.

use std::sync::Arc;

use serde_json::{Value, json};
use strands_core::schema::ToolSchemaError;
use strands_core::{Tool, ToolContext, ToolError, ToolOutput, ToolSet, ToolSetError, ToolSpec, async_trait};
use strands_testkit::schemas::of_functions;

struct Named(ToolSpec);

#[async_trait]
impl Tool for Named {
    fn spec(&self) -> &ToolSpec {
        &self.0
    }

    async fn call(&self, _: &ToolContext, input: Value) -> Result<ToolOutput, ToolError> {
        Ok(ToolOutput::json(input))
    }
}

fn set(schema: Value) -> Result<ToolSet, ToolSetError> {
    ToolSet::new([Arc::new(Named(ToolSpec::new("book", "Books.", schema))) as Arc<dyn Tool>])
}

fn rejected(schema: Value) -> String {
    let error = set(schema).unwrap_err();
    assert!(matches!(error, ToolSetError::InvalidSchema { .. }), "{error}");
    error.to_string()
}

#[test]
fn rejects_roots_that_are_not_objects_with_advice() {
    for (schema, found) in [
        (json!({"type": "string"}), r#""string""#),
        (json!({"type": ["array", "null"]}), r#""array" or "null""#),
        (json!({"anyOf": [{"type": "string"}, {"type": "null"}]}), "a union without an object"),
        (json!({"enum": [1, 2]}), "a list of values"),
        (json!({"$ref": "#/$defs/T", "$defs": {"T": {"type": "integer"}}}), "a union without an object"),
    ] {
        let message = rejected(schema.clone());
        assert!(
            message.starts_with(&format!("invalid input schema of tool `book`: its root is {found};")),
            "{message}"
        );
        assert!(message.contains(r#"write {"type": "object""#), "{message}");
    }
    assert!(rejected(json!([])).ends_with(r#"it is not a JSON object; start with {"type": "object"}"#));
    assert!(rejected(json!({"properties": []})).ends_with("its `properties` is not an object of schemas"));
    assert!(rejected(json!({"required": "a"})).ends_with("its `required` is not a list of names"));
    let error = set(json!({"type": "dict", "properties": {}})).unwrap_err().to_string();
    assert!(error.ends_with("unknown type `dict` at `/type`; use `object`"), "{error}");
    let mut deep = json!({});
    for _ in 0..200 {
        deep = json!({"properties": {"a": deep}});
    }
    let error = set(deep).unwrap_err();
    assert!(matches!(error, ToolSetError::InvalidSchema { reason: ToolSchemaError::TooDeep, .. }), "{error}");
}

#[test]
fn accepts_roots_with_one_sensible_meaning() {
    for schema in [
        json!({}),
        json!({"properties": {"a": {"type": "string"}}}),
        json!({"type": ["object", "null"], "properties": {"a": {}}}),
        json!({"oneOf": [{"type": "object"}, {"type": "null"}]}),
        json!({"$ref": "#/$defs/T", "$defs": {"T": {"type": "object"}}}),
    ] {
        assert!(set(schema.clone()).is_ok(), "{schema}");
    }
}

#[test]
fn accepts_the_schemas_of_functions() {
    let rejected: Vec<String> = of_functions()
        .into_iter()
        .filter_map(|case| Some(format!("{}: {}", case.name, set(case.schema).err()?)))
        // Arguments can't be validated against such a pattern.
        .filter(|why| !why.contains("lookaround"))
        .collect();
    assert!(rejected.is_empty(), "{rejected:#?}");
}
