//! Validation of a tool call's arguments.

use serde_json::{Map, Value};

use crate::depth;
use crate::schema::restored;
use crate::tool::{Tool, check_schema};

/// Returns the arguments as an object that fits the tool's schema.
///
/// # Errors
///
/// Returns what is wrong with them, for the model.
pub(super) fn validated(input: &Value, tool: &dyn Tool) -> Result<Value, String> {
    let input = match input {
        Value::Object(_) => restored(&tool.spec().input_schema, input).into_owned(),
        Value::Null => Value::Object(Map::new()),
        Value::String(text) if text.trim().is_empty() => Value::Object(Map::new()),
        Value::String(text) => {
            let why = match serde_json::from_str::<Value>(text) {
                Ok(parsed) => match depth::check(&parsed) {
                    Ok(()) => "they are a string".to_owned(),
                    Err(too_deep) => format!("it {too_deep}"),
                },
                Err(error) => error.to_string(),
            };
            return Err(format!("the arguments are not a valid JSON object: {why}"));
        }
        _ => return Err(format!("the arguments must be a JSON object, not {input}")),
    };
    if !tool.checks_input() {
        check_schema(&tool.spec().input_schema, &input)?;
    }
    Ok(input)
}
