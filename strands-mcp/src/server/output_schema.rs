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

    /// Returns the structured content of a result, or `None` if the result is not one JSON value or text.
    pub(super) fn structured(&self, result: &ToolResult) -> Option<Value> {
        let value = match result.content.as_slice() {
            [ToolResultContent::Json(value)] => value.clone(),
            [ToolResultContent::Text(text)] => Value::String(text.clone()),
            _ => return None,
        };
        match value {
            value if self.is_wrapped => Some(Value::Object(Map::from_iter([(FIELD.to_owned(), value)]))),
            value if value.is_object() => Some(value),
            _ => None,
        }
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
    use strands_core::message::{ToolResult, ToolResultStatus};

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
}
