//! Result of a call of an agent.

use crate::event::AgentResponse;
use crate::stop_reason::StopReason;
use crate::tool::{IntoToolOutput, ToolError, ToolOutput};

/// Maximum number of bytes of the text that an agent had generated before a limit.
const MAX_TEXT: usize = 4 * 1024;

/// Returns the output of an agent that has ended, as the result of the tool `name`.
///
/// # Errors
///
/// Returns an error for the model if the agent was cut off, or has no structured output although it was requested.
pub(super) fn of(name: &str, response: &AgentResponse, is_typed: bool) -> Result<ToolOutput, ToolError> {
    match &response.stop_reason {
        StopReason::Cancelled => return Err(ToolError::new(format!("the agent `{name}` was cancelled"))),
        limit if limit.is_limit() => {
            let reason = response.stop_reason.as_str();
            let mut text = response.text();
            text.truncate(text.floor_char_boundary(MAX_TEXT));
            let so_far = if text.is_empty() { text } else { format!("; so far: {text}") };
            return Err(ToolError::new(format!("the agent `{name}` was stopped by {reason}{so_far}")));
        }
        _ => {}
    }
    match &response.output {
        Some(output) => return Ok(ToolOutput::json(output.clone())),
        None if is_typed => {
            return Err(ToolError::new(format!("the agent `{name}` ended without the requested output")));
        }
        None => {}
    }
    let output = response.message.content.clone().into_tool_output()?;
    // Providers reject an empty result.
    if output.content().is_empty() { Ok(ToolOutput::text("The agent ended without text.")) } else { Ok(output) }
}
