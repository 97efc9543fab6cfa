//! Prompts: functions whose results are messages of the user.

use rmcp::model::{
    CompleteRequestParams, CompleteResult, CompletionInfo, ErrorData, GetPromptResult, Prompt, PromptArgument,
    PromptMessage, Reference, Role,
};
use serde_json::Value;
use strands_core::message::{ToolResult, ToolResultContent};
use strands_core::{ToolSet, ToolSpec};

use super::content;

/// Returns prompts as the protocol lists them.
pub(super) fn list(prompts: &ToolSet) -> Vec<Prompt> {
    prompts.iter().map(|prompt| described(prompt.spec())).collect()
}

fn described(spec: &ToolSpec) -> Prompt {
    let required = spec.input_schema.get("required").and_then(Value::as_array);
    let is_required = |name: &str| required.is_some_and(|required| required.iter().any(|required| required == name));
    let properties = spec.input_schema.get("properties").and_then(Value::as_object);
    let arguments = properties.into_iter().flatten().map(|(name, schema)| {
        let mut argument = PromptArgument::new(name).with_required(is_required(name));
        argument.description = schema.get("description").and_then(Value::as_str).map(str::to_owned);
        argument
    });
    let description = (!spec.description.is_empty()).then_some(spec.description.as_str());
    Prompt::new(spec.name.as_str(), description, Some(arguments.collect()))
}

/// Converts the result of a prompt's function: each content block is a message of the user.
pub(super) fn messages(result: &ToolResult) -> Result<GetPromptResult, ErrorData> {
    if result.is_error() {
        return Err(ErrorData::invalid_params(error_text(result), None));
    }
    let messages = content::blocks(result).into_iter().map(|block| PromptMessage::new(Role::User, block));
    Ok(GetPromptResult::new(messages.collect()))
}

/// Returns the text of an error result.
pub(super) fn error_text(result: &ToolResult) -> String {
    let texts = result.content.iter().filter_map(|content| match content {
        ToolResultContent::Text(text) => Some(text.as_str()),
        _ => None,
    });
    texts.collect::<Vec<_>>().join("\n")
}

/// Completes the argument of a prompt from the values that its schema lists.
pub(super) fn complete(prompts: &ToolSet, request: &CompleteRequestParams) -> CompleteResult {
    let mut result = CompleteResult::default();
    let Reference::Prompt(reference) = &request.r#ref else { return result };
    let Some(prompt) = prompts.get(&reference.name) else { return result };
    let values = prompt
        .spec()
        .input_schema
        .get("properties")
        .and_then(|properties| properties.get(&request.argument.name)?.get("enum")?.as_array());
    let values = values.into_iter().flatten().filter_map(Value::as_str);
    let fitting = values.filter(|value| value.starts_with(&request.argument.value)).take(CompletionInfo::MAX_VALUES);
    result.completion.values = fitting.map(str::to_owned).collect();
    result
}
