//! Generic rules of the offline model, for turns that the planner leaves to them: call the tool that the user's message
//! names, quote tool results, or introduce itself.

use strands_core::ToolSpec;
use strands_core::message::Role;
use strands_core::models::{ErrorDetails, ModelError, ToolChoice};

use super::arguments::{self, Missing};
use super::{OfflineStep, OfflineTurn, matching, result_text};

/// The event loop's prompt for structured output. It is not the user's text, so arguments are not taken from it.
const OUTPUT_PROMPT: &str = "You must format the previous response as structured output.";
/// Number of the user's latest messages that a forced call takes its arguments from.
const MAX_TEXTS: usize = 8;

/// Returns the step of the generic rules.
pub(super) fn step(turn: &OfflineTurn<'_>) -> OfflineStep {
    if !turn.results().is_empty() {
        return OfflineStep::respond(result_text::format(turn.results()));
    }
    match matching::requested(turn.user_text(), turn.tools()) {
        Some(tool) => match arguments::from_text(tool, turn.user_text()) {
            Ok(input) => OfflineStep::call(&tool.name, input),
            Err(missing) => OfflineStep::respond(question(tool, &missing)),
        },
        None => OfflineStep::respond(introduction(turn)),
    }
}

/// Returns the step if it satisfies the request's tool choice, and otherwise a call that does.
///
/// # Errors
///
/// Returns [`ModelError::InvalidRequest`] if the chosen tool is not in the request.
pub(super) fn enforce_tool_choice(turn: &OfflineTurn<'_>, step: OfflineStep) -> Result<OfflineStep, ModelError> {
    let tool = match turn.tool_choice() {
        Some(ToolChoice::Any {}) => {
            if step.tool_calls().len() > 0 {
                return Ok(step);
            }
            matching::nearest(turn.user_text(), turn.tools())
                .ok_or_else(|| invalid_request("a tool must be called, but there are none".to_owned()))?
        }
        Some(ToolChoice::Tool { name }) => {
            if step.tool_calls().any(|(tool, _)| tool == name) {
                return Ok(step);
            }
            turn.tool(name).ok_or_else(|| {
                invalid_request(format!("tool `{name}` must be called, but it is not one of the tools"))
            })?
        }
        _ => return Ok(step),
    };
    let texts: Vec<String> = turn.user_texts().rev().filter(|text| text != OUTPUT_PROMPT).take(MAX_TEXTS).collect();
    let text = texts.join(". ");
    let response = turn.messages().iter().rev().find(|message| message.role == Role::Assistant);
    let response = response.map(|message| message.text()).filter(|text| !text.is_empty());
    let results = turn.all_results();
    let known: Vec<_> = results.iter().rev().filter_map(super::OfflineToolResult::json).collect();
    let input = arguments::forced(tool, &text, response.as_ref().unwrap_or(&text), &known);
    Ok(OfflineStep::call(&tool.name, input))
}

fn invalid_request(reason: String) -> ModelError {
    ModelError::InvalidRequest { details: ErrorDetails::new().with_body(reason).boxed() }
}

fn question(tool: &ToolSpec, missing: &[Missing]) -> String {
    let missing: Vec<String> = missing
        .iter()
        .map(|argument| {
            if argument.description.is_empty() {
                format!("- {}", argument.name)
            } else {
                format!("- {}: {}", argument.name, argument.description)
            }
        })
        .collect();
    format!("To call {} I need more. Please say it all in one message:\n{}", tool.name, missing.join("\n"))
}

fn introduction(turn: &OfflineTurn<'_>) -> String {
    let introduction = "I am the offline model: no language model, just rules that pick a tool by your words.";
    let tools: Vec<String> = turn
        .tools()
        .map(|tool| {
            let purpose = tool.description.lines().next().unwrap_or_default();
            format!("- {}: {purpose}", tool.name)
        })
        .collect();
    if tools.is_empty() {
        return format!("{introduction} I have no tools here, so all I can do is say so.");
    }
    format!("{introduction} I can call:\n{}", tools.join("\n"))
}
