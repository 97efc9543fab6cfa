//! Validation of a tool call's arguments.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::depth;
use crate::schema::restore_value;
use crate::schema_validation::quoting;
use crate::tool::{Tool, ToolSet};

/// Maximum number of characters of arguments quoted in an error.
const MAX_QUOTED: usize = 80;

/// Returns the arguments as an object that fits the tool's schema.
///
/// # Errors
///
/// Returns a description of the error, for the model.
pub(super) fn validated(input: &Value, tool: &Arc<dyn Tool>, tools: &ToolSet) -> Result<Value, String> {
    let mut input = match input {
        Value::Object(_) => restore_value(&tool.spec().input_schema, input).into_owned(),
        Value::Null => Value::Object(Map::new()),
        Value::String(text) if text.trim().is_empty() => Value::Object(Map::new()),
        Value::String(text) => {
            let reason = match serde_json::from_str::<Value>(text) {
                Ok(parsed) => match depth::check(&parsed) {
                    Ok(()) => "they are a string".to_owned(),
                    Err(too_deep) => format!("it {too_deep}"),
                },
                Err(error) => error.to_string(),
            };
            return Err(format!("the arguments are not a valid JSON object: {reason}"));
        }
        _ => {
            let quoted = quoting::truncated(&input.to_string(), MAX_QUOTED);
            return Err(format!("the arguments must be a JSON object, not {quoted}"));
        }
    };
    if !tool.checks_input() {
        let unsupported = |error| format!("the schema of the tool is not supported: {error}");
        let validator = tools.validator(tool).map_err(unsupported)?;
        if tool.policy().numeric_strings
            && let Some(with_numbers) = validator.with_numbers(&input)
        {
            input = with_numbers;
        }
        validator.check(&input)?;
    }
    Ok(input)
}
