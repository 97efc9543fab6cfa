//! Tools whose result is the response to the prompt, such as agents that the model delegates to.

use std::sync::Arc;

use super::driver::Driver;
use crate::message::{ContentBlock, Message, Role, ToolResultContent, ToolUse};
use crate::run::Run;

/// Error result of all calls of a turn in which such a tool is not the only one. The text is that of Strands.
const NOT_ALONE: &str = "This tool call was not executed. A delegation tool must be the only tool called in a turn. Retry with a \
                         single delegation tool call or use only non-delegation tools.";

impl Driver<'_> {
    /// Returns the reason for which no tool of the turn may run: one of them would end the turn, and is not the only one.
    pub(super) fn refused_delegation(&self) -> Option<String> {
        let pending = self.work.run.as_ref().and_then(Run::pending)?;
        let is_refused =
            pending.calls.len() > 1 && pending.calls.iter().any(|call| self.ends_turn(&call.tool_use.name));
        is_refused.then(|| NOT_ALONE.to_owned())
    }

    /// Returns the response to the prompt with its call, if the only call of the turn has it.
    pub(super) fn delegated_response(&mut self, results: &Message) -> Option<(Arc<ToolUse>, Message)> {
        let executed = self.ended_by.take();
        let requested = {
            let mut calls = self.work.history.messages().iter().rev().nth(1)?.tool_uses();
            calls.next().filter(|_| calls.next().is_none())?
        };
        // As hooks have left it, unless it was executed by another process.
        let call = executed.unwrap_or_else(|| Arc::new(requested.clone()));
        if !self.ends_turn(&call.name) || !self.may_go_without_output(&call.name) {
            return None;
        }
        let result = results.tool_results().find(|result| result.tool_use_id == requested.tool_use_id)?;
        if result.is_error() {
            return None;
        }
        let content: Vec<ContentBlock> = result.content.iter().filter_map(block_of).collect();
        if content.is_empty() {
            return None;
        }
        Some((call, Message::new(Role::Assistant, content)))
    }

    /// Notes an executed call, if it may have the response to the prompt.
    pub(super) fn note_delegation(&mut self, call: &Arc<ToolUse>) {
        if self.work.run.as_ref().and_then(Run::pending).is_some_and(|pending| pending.calls.len() == 1) {
            self.ended_by = Some(Arc::clone(call));
        }
    }

    /// Returns false if the model has to generate a structured output, whatever the tool returns. The tools of this prompt are
    /// those of its caller, who has use for a response without the output.
    fn may_go_without_output(&self, tool: &str) -> bool {
        self.output.kind.is_none() || self.selection.added.iter().any(|added| added.spec().name == tool)
    }

    fn ends_turn(&self, tool: &str) -> bool {
        self.tools.get(tool).is_some_and(|tool| tool.policy().ends_turn)
    }
}

/// Returns the content of a response for a part of a result.
fn block_of(content: &ToolResultContent) -> Option<ContentBlock> {
    Some(match content {
        ToolResultContent::Text(text) => ContentBlock::text(text),
        ToolResultContent::Json(json) => ContentBlock::text(json.to_string()),
        ToolResultContent::Image(image) => ContentBlock::Image(image.clone()),
        ToolResultContent::Document(document) => ContentBlock::Document(document.clone()),
        ToolResultContent::Video(video) => ContentBlock::Video(video.clone()),
        ToolResultContent::Audio(audio) => ContentBlock::Audio(audio.clone()),
        ToolResultContent::Unknown(_) => return None,
    })
}
