//! What the offline model does where no planner says otherwise: call the tool that the user's words name, tell what the
//! tools answered, and otherwise say what it is.

use strands_core::ToolSpec;
use strands_core::message::Role;
use strands_core::models::{ErrorDetails, ModelError, ToolChoice};

use super::arguments::{self, Missing};
use super::{OfflineStep, OfflineTurn, matching, quote};

/// Prompt of the loop when a structured output is due. It is not a word of the user.
const OUTPUT_PROMPT: &str = "You must format the previous response as structured output.";
/// How many of the user's latest texts a forced call takes its arguments from.
const TEXTS_LOOKED_AT: usize = 8;

/// The generic step.
pub(super) fn step(turn: &OfflineTurn<'_>) -> OfflineStep {
    if !turn.results().is_empty() {
        return OfflineStep::say(quote::results(turn.results()));
    }
    match matching::asked_for(turn.user_text(), turn.tools()) {
        Some(tool) => match arguments::from_text(tool, turn.user_text()) {
            Ok(input) => OfflineStep::call(&tool.name, input),
            Err(missing) => OfflineStep::say(question(tool, &missing)),
        },
        None => OfflineStep::say(introduction(turn)),
    }
}

/// The step, if it does what the request's tool choice demands, and otherwise one that does.
pub(super) fn obey(turn: &OfflineTurn<'_>, step: OfflineStep) -> Result<OfflineStep, ModelError> {
    let tool = match turn.tool_choice() {
        Some(ToolChoice::Any {}) => {
            if step.tool_calls().len() > 0 {
                return Ok(step);
            }
            matching::nearest(turn.user_text(), turn.tools())
                .ok_or_else(|| refused("a tool must be called, but there are none".to_owned()))?
        }
        Some(ToolChoice::Tool { name }) => {
            if step.tool_calls().any(|(tool, _)| tool == name) {
                return Ok(step);
            }
            turn.tool(name)
                .ok_or_else(|| refused(format!("tool `{name}` must be called, but it is not one of the tools")))?
        }
        _ => return Ok(step),
    };
    let texts: Vec<String> =
        turn.user_texts().rev().filter(|text| text != OUTPUT_PROMPT).take(TEXTS_LOOKED_AT).collect();
    let text = texts.join(". ");
    let said = turn.messages().iter().rev().find(|message| message.role == Role::Assistant);
    let said = said.map(|message| message.text()).filter(|said| !said.is_empty());
    let results = turn.all_results();
    let known: Vec<_> = results.iter().rev().filter_map(super::OfflineToolResult::json).collect();
    let input = arguments::forced(tool, &text, said.as_ref().unwrap_or(&text), &known);
    Ok(OfflineStep::call(&tool.name, input))
}

fn refused(why: String) -> ModelError {
    ModelError::InvalidRequest { details: ErrorDetails::new().with_body(why).boxed() }
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
    let what = "I am the offline model: no language model, just rules that pick a tool by your words.";
    let tools: Vec<String> = turn
        .tools()
        .map(|tool| {
            let purpose = tool.description.lines().next().unwrap_or_default();
            format!("- {}: {purpose}", tool.name)
        })
        .collect();
    if tools.is_empty() {
        return format!("{what} I have no tools here, so all I can do is say so.");
    }
    format!("{what} I can call:\n{}", tools.join("\n"))
}
