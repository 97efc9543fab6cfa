//! The messages of an agent, kept valid as input for the next model call whatever happens in between.

use std::collections::HashSet;
use std::sync::Arc;

use crate::event_loop::run::INTERRUPTED;
use crate::message::{ContentBlock, Message, Role, ToolResult};

/// The messages of an agent. What a prompt adds is only kept once the model has answered it.
#[derive(Debug, Default)]
pub(crate) struct History {
    messages: Vec<Arc<Message>>,
    /// How many messages at the end nobody has answered yet.
    unanswered: usize,
    /// The last answered message as it was before the prompt was merged into it.
    merged: Option<Arc<Message>>,
}

impl History {
    /// Messages from elsewhere, made whole.
    pub(crate) fn restore(messages: impl IntoIterator<Item = Arc<Message>>) -> Self {
        let mut messages: Vec<_> = messages.into_iter().collect();
        repair(&mut messages);
        Self { messages, unanswered: 0, merged: None }
    }

    pub(crate) fn messages(&self) -> &[Arc<Message>] {
        &self.messages
    }

    pub(crate) fn messages_mut(&mut self) -> &mut Vec<Arc<Message>> {
        &mut self.messages
    }

    /// Adds a message for good.
    pub(crate) fn push(&mut self, mut message: Message) -> Arc<Message> {
        message.track();
        let message = Arc::new(message);
        self.messages.push(Arc::clone(&message));
        message
    }

    /// Adds what a prompt says, until it is answered. Roles alternate: what follows a message of the same side joins it.
    pub(crate) fn ask(&mut self, prompt: Vec<Message>) {
        if !prompt.is_empty()
            && let Some(results) = self.messages.last().and_then(|last| unanswered_calls(last))
        {
            self.push(results);
        }
        for message in prompt {
            match self.messages.last_mut() {
                Some(last) if last.role == message.role => {
                    if self.unanswered == 0 && self.merged.is_none() {
                        self.merged = Some(Arc::clone(last));
                    }
                    Arc::make_mut(last).content.extend(message.content);
                }
                _ => {
                    self.push(message);
                    self.unanswered += 1;
                }
            }
        }
    }

    /// The prompt has been answered and stays. Returns what of it is new.
    pub(crate) fn answered(&mut self) -> Vec<Arc<Message>> {
        let merged = usize::from(self.merged.take().is_some());
        let new = std::mem::take(&mut self.unanswered) + merged;
        self.messages.iter().skip(self.messages.len().saturating_sub(new)).cloned().collect()
    }

    /// Nobody will answer the prompt: it goes.
    pub(crate) fn withdraw(&mut self) {
        self.messages.truncate(self.messages.len().saturating_sub(std::mem::take(&mut self.unanswered)));
        if let Some(merged) = self.merged.take()
            && let Some(last) = self.messages.last_mut()
        {
            *last = merged;
        }
    }

    /// A guardrail replaces what the user said last. Results stay beside the calls they answer.
    pub(crate) fn redact_prompt(&mut self, replacement: &str) {
        let Some(last) = self.messages.last_mut().filter(|last| last.role == Role::User) else { return };
        let message = Arc::make_mut(last);
        let mut results: Vec<_> =
            message.content.drain(..).filter(|block| matches!(block, ContentBlock::ToolResult(_))).collect();
        for block in &mut results {
            if let ContentBlock::ToolResult(result) = block {
                result.content = vec![replacement.into()];
            }
        }
        message.content = if results.is_empty() { vec![ContentBlock::text(replacement)] } else { results };
    }
}

/// Results for the tool calls of a message that nobody answered.
fn unanswered_calls(message: &Message) -> Option<Message> {
    let results: Vec<_> = message
        .tool_uses()
        .map(|call| ContentBlock::ToolResult(ToolResult::error(&call.tool_use_id, INTERRUPTED)))
        .collect();
    (message.role == Role::Assistant && !results.is_empty()).then(|| Message::new(Role::User, results))
}

/// Makes a history from elsewhere valid input: results that answer no call go, and calls that nobody answered get an
/// error result, in the order of the calls. Calls in the last message stay open: they can still run.
fn repair(messages: &mut Vec<Arc<Message>>) {
    if messages.iter().all(|message| message.tool_uses().next().is_none() && message.tool_results().next().is_none()) {
        return;
    }
    let mut whole: Vec<Arc<Message>> = Vec::with_capacity(messages.len());
    for message in messages.drain(..) {
        let calls: Vec<String> = match whole.last() {
            Some(last) if last.role == Role::Assistant => {
                last.tool_uses().map(|call| call.tool_use_id.clone()).collect()
            }
            _ => Vec::new(),
        };
        if calls.is_empty() && message.tool_results().next().is_none() {
            whole.push(message);
            continue;
        }
        if message.role == Role::Assistant {
            whole.extend(whole.last().and_then(|last| unanswered_calls(last)).map(Arc::new));
            whole.push(message);
            continue;
        }
        let answered: Vec<&str> = message.tool_results().map(|result| result.tool_use_id.as_str()).collect();
        if answered == calls {
            whole.push(message);
            continue;
        }
        let content = answer_in_order(&calls, &message.content);
        if !content.is_empty() {
            let mut repaired = Message::clone(&message);
            repaired.content = content;
            whole.push(Arc::new(repaired));
        }
    }
    *messages = whole;
}

fn answer_in_order(calls: &[String], content: &[ContentBlock]) -> Vec<ContentBlock> {
    let mut seen = HashSet::new();
    let result_of = |id: &String| {
        let found =
            content.iter().find(|block| matches!(block, ContentBlock::ToolResult(result) if result.tool_use_id == *id));
        found.cloned().unwrap_or_else(|| ContentBlock::ToolResult(ToolResult::error(id, INTERRUPTED)))
    };
    let results = calls.iter().filter(|id| seen.insert(id.as_str())).map(result_of).collect::<Vec<_>>();
    let others = content.iter().filter(|block| !matches!(block, ContentBlock::ToolResult(_))).cloned();
    results.into_iter().chain(others).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::message::{ToolResultStatus, ToolUse};

    fn call(ids: &[&str]) -> Message {
        Message::new(Role::Assistant, ids.iter().map(|id| ToolUse::new(*id, "look", json!({}))))
    }

    fn results(ids: &[&str]) -> Message {
        Message::new(Role::User, ids.iter().map(|id| ToolResult::new(*id, ToolResultStatus::Success, ["ok"])))
    }

    fn shape(history: &History) -> Vec<(Role, Vec<String>)> {
        let ids = |message: &Message| message.tool_results().map(|result| result.tool_use_id.clone()).collect();
        history.messages().iter().map(|message| (message.role, ids(message))).collect()
    }

    #[test]
    fn a_prompt_nobody_answered_leaves_no_trace() {
        let mut history = History::restore([Message::user("a"), Message::assistant("b")].map(Arc::new));
        history.ask(vec![Message::user("c")]);
        history.withdraw();
        assert_eq!(history.messages().len(), 2);

        let mut history = History::restore([Message::user("a"), call(&["1"]), results(&["1"])].map(Arc::new));
        history.ask(vec![Message::user("c")]);
        assert_eq!(history.messages().last().unwrap().content.len(), 2);
        history.withdraw();
        assert_eq!(history.messages().last().unwrap().content.len(), 1);
    }

    #[test]
    fn a_prompt_after_open_calls_answers_them_first() {
        let mut history = History::restore([Message::user("a"), call(&["1", "2"])].map(Arc::new));
        history.ask(vec![Message::user("never mind")]);
        let last = history.messages().last().unwrap();
        assert_eq!(last.tool_results().count(), 2);
        assert_eq!(last.text(), "never mind");
    }

    #[test]
    fn a_history_from_elsewhere_is_made_whole() {
        let history = History::restore(
            [
                results(&["orphan"]),
                Message::user("go"),
                call(&["1", "2"]),
                results(&["2", "stray"]),
                call(&["3"]),
                Message::user("hello?"),
                call(&["4"]),
                Message::assistant("well"),
                call(&["5"]),
            ]
            .map(Arc::new),
        );
        let ids = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>();
        assert_eq!(
            shape(&history),
            [
                (Role::User, ids(&[])),
                (Role::Assistant, ids(&[])),
                (Role::User, ids(&["1", "2"])),
                (Role::Assistant, ids(&[])),
                (Role::User, ids(&["3"])),
                (Role::Assistant, ids(&[])),
                (Role::User, ids(&["4"])),
                (Role::Assistant, ids(&[])),
                (Role::Assistant, ids(&[])),
            ]
        );
    }
}
