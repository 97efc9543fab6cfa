//! Summary of a request in a recording: enough to recognize it, without values that change from run to run.

use serde_json::{Map, Value, json};

use crate::message::{Message, Role, SystemBlock, ToolResult, ToolResultContent};
use crate::models::ModelRequest;

/// Returns the summary of a request. Ids of tool calls are left out, since they change from run to run.
pub(super) fn summary(request: &ModelRequest<'_>) -> Value {
    let mut summary = Map::new();
    let mut add = |name: &str, value: Value| summary.insert(name.to_owned(), value);
    add("messages", request.messages.len().into());
    if let [before @ .., newest] = request.messages
        && newest.role == Role::User
    {
        add("userText", newest.text().into());
        let calls = before.last();
        let results: Vec<_> =
            newest.tool_results().map(|result| tool_result(result, calls.map(AsRef::as_ref))).collect();
        if !results.is_empty() {
            add("toolResults", results.into());
        }
    }
    let system = request.system.iter().filter_map(|block| match block {
        SystemBlock::Text(text) => Some(text.as_str()),
        SystemBlock::CachePoint(_) => None,
    });
    let system: Vec<_> = system.collect();
    if !system.is_empty() {
        add("system", system.join("\n").into());
    }
    if !request.tools.is_empty() {
        add("tools", request.tools.iter().map(|spec| Value::from(spec.name.as_str())).collect());
    }
    if let Some(choice) = request.tool_choice {
        // A choice is always valid JSON.
        add("toolChoice", serde_json::to_value(choice).unwrap_or_default());
    }
    if let Some(schema) = request.output_schema {
        add("outputSchema", schema.name.as_str().into());
    }
    Value::Object(summary)
}

fn tool_result(result: &ToolResult, calls: Option<&Message>) -> Value {
    let call = calls.and_then(|message| message.tool_uses().find(|call| call.tool_use_id == result.tool_use_id));
    let parts = result.content.iter().map(|part| match part {
        ToolResultContent::Text(text) => text.clone(),
        ToolResultContent::Json(value) => value.to_string(),
        ToolResultContent::Image(_) => "[image]".to_owned(),
        ToolResultContent::Document(_) => "[document]".to_owned(),
        ToolResultContent::Video(_) => "[video]".to_owned(),
        ToolResultContent::Audio(_) => "[audio]".to_owned(),
        ToolResultContent::Unknown(fields) => Value::Object(fields.clone()).to_string(),
    });
    let text = parts.collect::<Vec<_>>().join("\n");
    json!({"tool": call.map(|call| call.name.as_str()), "error": result.is_error(), "text": text})
}
