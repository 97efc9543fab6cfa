//! Output schemas and structured content. The protocol wants an object at the root: any other value becomes the field
//! `result` of one, as in other SDKs.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use strands_core::message::{ToolResult, ToolResultContent};

/// Name of the field that wraps values other than objects.
const FIELD: &str = "result";

/// Form of a tool's structured content.
pub(super) struct OutputForm {
    pub(super) schema: Arc<Map<String, Value>>,
    is_wrapped: bool,
}

impl OutputForm {
    /// Creates the form for the output schema of a tool.
    pub(super) fn new(schema: &Value) -> Self {
        match schema {
            Value::Object(object) if object.get("type").and_then(Value::as_str) == Some("object") => {
                Self { schema: Arc::new(object.clone()), is_wrapped: false }
            }
            schema => Self { schema: Arc::new(wrapped(schema.clone())), is_wrapped: true },
        }
    }

    /// Returns the structured content of a result, or `None` if the result has no value of the schema.
    pub(super) fn structured(&self, result: &ToolResult) -> Option<Value> {
        let value = match result.content.as_slice() {
            [ToolResultContent::Json(value)] => value.clone(),
            [ToolResultContent::Text(text)] if self.is_wrapped => Value::String(text.clone()),
            // Results of other servers may be text, or have it beside the value.
            [ToolResultContent::Text(text)] => serde_json::from_str(text).unwrap_or_else(|_| text.as_str().into()),
            content => content.iter().find_map(object)?,
        };
        if !self.is_wrapped && value.is_object() {
            return Some(value);
        }
        (self.is_wrapped || self.has_only_field()).then(|| Value::Object(Map::from_iter([(FIELD.to_owned(), value)])))
    }

    /// Returns true for an object that another SDK has wrapped around a value.
    fn has_only_field(&self) -> bool {
        let properties = self.schema.get("properties").and_then(Value::as_object);
        properties.is_some_and(|properties| properties.len() == 1 && properties.contains_key(FIELD))
    }
}

fn object(content: &ToolResultContent) -> Option<Value> {
    match content {
        ToolResultContent::Json(value) if value.is_object() => Some(value.clone()),
        _ => None,
    }
}

/// Makes a schema the only field of an object. Definitions move to the new root, where references look for them.
fn wrapped(mut schema: Value) -> Map<String, Value> {
    let definitions = schema.as_object_mut().and_then(|schema| schema.shift_remove("$defs"));
    let mut wrapper = Map::from_iter([
        ("type".to_owned(), "object".into()),
        ("properties".to_owned(), json!({FIELD: schema})),
        ("required".to_owned(), json!([FIELD])),
    ]);
    if let Some(definitions) = definitions {
        wrapper.insert("$defs".to_owned(), definitions);
    }
    wrapper
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use strands_core::message::{ToolResult, ToolResultContent, ToolResultStatus};

    use super::OutputForm;

    #[test]
    fn values_other_than_objects_are_wrapped_with_their_definitions_at_the_root() {
        let form = OutputForm::new(&json!({
            "type": "array",
            "items": {"$ref": "#/$defs/City"},
            "$defs": {"City": {"type": "string"}},
        }));
        assert_eq!(
            serde_json::Value::Object((*form.schema).clone()),
            json!({
                "type": "object",
                "properties": {"result": {"type": "array", "items": {"$ref": "#/$defs/City"}}},
                "required": ["result"],
                "$defs": {"City": {"type": "string"}},
            })
        );
        let result = ToolResult::new("1", ToolResultStatus::Success, [json!(["Oslo"])]);
        assert_eq!(form.structured(&result), Some(json!({"result": ["Oslo"]})));
    }

    #[test]
    fn objects_are_not_wrapped() {
        let form = OutputForm::new(&json!({"type": "object", "properties": {"city": {"type": "string"}}}));
        let result = ToolResult::new("1", ToolResultStatus::Success, [json!({"city": "Oslo"})]);
        assert_eq!(form.structured(&result), Some(json!({"city": "Oslo"})));
        let result = ToolResult::new("1", ToolResultStatus::Success, ["text"]);
        assert_eq!(form.structured(&result), None);
    }

    #[test]
    fn results_of_other_servers_are_structured_again() {
        let form = OutputForm::new(&json!({"type": "object", "properties": {"result": {"type": "integer"}}}));
        let city = OutputForm::new(&json!({"type": "object", "properties": {"city": {"type": "string"}}}));
        let structured = |form: &OutputForm, content: Vec<ToolResultContent>| {
            form.structured(&ToolResult::new("1", ToolResultStatus::Success, content))
        };
        assert_eq!(structured(&form, vec!["3".into()]), Some(json!({"result": 3})));
        assert_eq!(structured(&form, vec!["three".into()]), Some(json!({"result": "three"})));
        assert_eq!(structured(&form, vec![r#"{"result":3}"#.into()]), Some(json!({"result": 3})));
        let both = vec!["a city".into(), json!({"city": "Oslo"}).into()];
        assert_eq!(structured(&city, both), Some(json!({"city": "Oslo"})));
    }
}
