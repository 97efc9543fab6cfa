//! What a recording keeps of a request: enough to see that it is the same, without what changes from run to run.

use serde_json::{Map, Value, json};

use crate::message::{Message, Role, SystemBlock, ToolResult, ToolResultContent};
use crate::models::ModelRequest;

/// A request, in short. Ids of tool calls are left out: they change from run to run.
pub(super) fn summary(request: &ModelRequest<'_>) -> Value {
    let mut kept = Map::new();
    let mut keep = |name: &str, value: Value| kept.insert(name.to_owned(), value);
    keep("messages", request.messages.len().into());
    if let [before @ .., newest] = request.messages
        && newest.role == Role::User
    {
        keep("userText", newest.text().into());
        let calls = before.last();
        let results: Vec<_> =
            newest.tool_results().map(|answer| tool_result(answer, calls.map(AsRef::as_ref))).collect();
        if !results.is_empty() {
            keep("toolResults", results.into());
        }
    }
    let system = request.system.iter().filter_map(|block| match block {
        SystemBlock::Text(text) => Some(text.as_str()),
        SystemBlock::CachePoint(_) => None,
    });
    let system: Vec<_> = system.collect();
    if !system.is_empty() {
        keep("system", system.join("\n").into());
    }
    if !request.tools.is_empty() {
        keep("tools", request.tools.iter().map(|spec| Value::from(spec.name.as_str())).collect());
    }
    if let Some(choice) = request.tool_choice {
        // A choice is always valid JSON.
        keep("toolChoice", serde_json::to_value(choice).unwrap_or_default());
    }
    if let Some(schema) = request.output_schema {
        keep("outputSchema", schema.name.as_str().into());
    }
    Value::Object(kept)
}

fn tool_result(result: &ToolResult, calls: Option<&Message>) -> Value {
    let call = calls.and_then(|message| message.tool_uses().find(|call| call.tool_use_id == result.tool_use_id));
    let pieces = result.content.iter().map(|piece| match piece {
        ToolResultContent::Text(text) => text.clone(),
        ToolResultContent::Json(value) => value.to_string(),
        ToolResultContent::Image(_) => "[image]".to_owned(),
        ToolResultContent::Document(_) => "[document]".to_owned(),
        ToolResultContent::Video(_) => "[video]".to_owned(),
        ToolResultContent::Unknown(fields) => Value::Object(fields.clone()).to_string(),
    });
    let text = pieces.collect::<Vec<_>>().join("\n");
    json!({"tool": call.map(|call| call.name.as_str()), "error": result.is_error(), "text": text})
}
