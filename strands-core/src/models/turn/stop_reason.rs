//! Consistency of a stop reason with the content of its response.

use crate::message::ContentBlock;
use crate::models::{ModelError, StopReason};

/// Makes stop reason and content consistent: the result is tool use exactly if there are complete tool calls.
pub(super) fn reconcile(stop_reason: StopReason, content: &mut [ContentBlock]) -> Result<StopReason, ModelError> {
    let calls = content.iter().any(|block| matches!(block, ContentBlock::ToolUse(_)));
    match stop_reason {
        StopReason::ToolUse if !calls && content.is_empty() => {
            Err(ModelError::protocol("the stop reason is tool use, but the response is empty"))
        }
        StopReason::ToolUse if !calls => Ok(StopReason::EndTurn),
        StopReason::ToolUse | StopReason::EndTurn | StopReason::StopSequence if calls => Ok(StopReason::ToolUse),
        stopped if calls => {
            for block in content {
                if let ContentBlock::ToolUse(call) = block {
                    *block = ContentBlock::text(unfinished(&call.name, &stopped));
                }
            }
            Ok(stopped)
        }
        stopped => Ok(stopped),
    }
}

/// Returns the text that replaces an incomplete tool call in the history.
fn unfinished(tool: &str, stopped: &StopReason) -> String {
    let tool = if tool.is_empty() { "<unknown>" } else { tool };
    match stopped {
        // The text of Python Strands, so that histories are the same.
        StopReason::MaxTokens => {
            format!("The selected tool {tool}'s tool use was incomplete due to maximum token limits being reached.")
        }
        stopped => {
            format!("The selected tool {tool} was not run because the turn ended with {stopped}.")
        }
    }
}
