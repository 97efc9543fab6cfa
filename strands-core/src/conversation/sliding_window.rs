//! The newest messages stay, the oldest go. The default.

use std::error::Error as StdError;
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;

use super::{Conversation, ConversationManager, Reduction};
use crate::message::{ContentBlock, Message, Role, ToolResult, ToolResultContent};

/// The state's name for the ids of tool results that were cut.
const TRUNCATED: &str = "truncated_results";

/// How many characters of a long tool result stay at each end of it.
const KEPT_AT_EACH_END: usize = 200;

/// How many characters a text must have to be cut: what was cut once, with the note in its middle, is not cut again.
const LONG: usize = 2 * KEPT_AT_EACH_END + 64;

/// Keeps the newest messages.
///
/// After each invocation at most `window_size` messages stay, or a few more where a tool call would otherwise lose its
/// result. When the model says that the conversation does not fit, the largest tool result is cut to its beginning and
/// its end first; only then do the oldest messages go.
#[derive(Clone, Debug)]
pub struct SlidingWindowConversationManager {
    window_size: usize,
    truncate_results: bool,
}

impl Default for SlidingWindowConversationManager {
    fn default() -> Self {
        Self { window_size: 40, truncate_results: true }
    }
}

impl SlidingWindowConversationManager {
    /// A window of this many messages.
    pub fn new(window_size: usize) -> Self {
        Self { window_size, ..Self::default() }
    }

    /// Leaves tool results as they are.
    #[must_use]
    pub fn keep_results(mut self) -> Self {
        self.truncate_results = false;
        self
    }

    /// Removes the oldest messages so that about `keep` stay. Returns how many went.
    fn trim(conversation: &mut Conversation<'_>, keep: usize) -> usize {
        let messages = conversation.messages();
        let least = messages.len().saturating_sub(keep);
        let start = messages.iter().enumerate().skip(least).find(|(_, message)| opens(message)).map(|(at, _)| at);
        if let Some(start) = start {
            return conversation.remove(0..start);
        }
        // One long run of tools: its prompt stays, its oldest calls go with their results.
        let Some(prompt) = messages.iter().rposition(|message| opens(message)) else { return 0 };
        let from = prompt + 1;
        let pairs = messages.len().saturating_sub(from).saturating_sub(1) / 2;
        let surplus = least.saturating_sub(prompt).div_ceil(2).min(pairs);
        conversation.remove(from..from + surplus * 2) + conversation.remove(0..prompt)
    }
}

/// True for a message that a conversation may start with.
fn opens(message: &Message) -> bool {
    message.role == Role::User && message.tool_results().next().is_none()
}

#[async_trait]
impl ConversationManager for SlidingWindowConversationManager {
    fn name(&self) -> &'static str {
        "SlidingWindowConversationManager"
    }

    async fn apply(&self, conversation: &mut Conversation<'_>) -> Result<(), Box<dyn StdError + Send + Sync>> {
        if conversation.messages().len() > self.window_size {
            Self::trim(conversation, self.window_size);
        }
        Ok(())
    }

    async fn reduce(&self, conversation: &mut Conversation<'_>) -> Result<Reduction, Box<dyn StdError + Send + Sync>> {
        if self.truncate_results
            && let Some(removed) = truncate_largest(conversation)
        {
            return Ok(Reduction::Reduced(format!("cut {removed} characters from the largest tool result")));
        }
        let before = conversation.messages().len();
        // Half, so that a conversation that is far too long does not take a model call for each message.
        let keep = self.window_size.min(before.saturating_sub(2)).min(before.div_ceil(2));
        match Self::trim(conversation, keep.max(1)) {
            0 => Ok(Reduction::Impossible(format!(
                "no tool result was left to cut, and none of the {before} messages could go without breaking the rest"
            ))),
            removed => Ok(Reduction::Reduced(format!("removed the {removed} oldest messages"))),
        }
    }

    fn restored(&self, conversation: &mut Conversation<'_>) {
        let Some(Value::Array(truncated)) = conversation.state().get(TRUNCATED).cloned() else { return };
        let mut still: Vec<Value> = Vec::new();
        for id in truncated.iter().filter_map(Value::as_str) {
            let holds = |message: &Arc<Message>| message.tool_results().any(|result| result.tool_use_id == id);
            if let Some(at) = conversation.messages().iter().position(holds) {
                truncate_at(conversation, at, id);
                still.push(Value::from(id));
            }
        }
        conversation.state().insert(TRUNCATED.to_owned(), Value::Array(still));
    }
}

fn long_texts(result: &ToolResult) -> usize {
    let lengths = result.content.iter().map(|content| match content {
        ToolResultContent::Text(text) => text.chars().count(),
        ToolResultContent::Json(json) => json.to_string().chars().count(),
        _ => 0,
    });
    lengths.filter(|length| *length > LONG).sum()
}

/// Cuts the largest tool result, wherever it is. Returns how many characters went.
fn truncate_largest(conversation: &mut Conversation<'_>) -> Option<usize> {
    let sizes = conversation.messages().iter().enumerate().flat_map(|(at, message)| {
        message.tool_results().map(move |result| (long_texts(result), at, result.tool_use_id.clone()))
    });
    let (_, at, id) = sizes.filter(|(size, ..)| *size > 0).max_by_key(|(size, ..)| *size)?;
    let removed = truncate_at(conversation, at, &id)?;
    let truncated = conversation.state().entry(TRUNCATED).or_insert_with(|| Value::Array(Vec::new()));
    if let Value::Array(ids) = truncated {
        ids.push(Value::String(id));
    }
    Some(removed)
}

fn truncate_at(conversation: &mut Conversation<'_>, at: usize, id: &str) -> Option<usize> {
    let mut message = Message::clone(conversation.messages().get(at)?);
    let result = message.content.iter_mut().find_map(|content| match content {
        ContentBlock::ToolResult(result) if result.tool_use_id == id => Some(result),
        _ => None,
    })?;
    let mut removed = 0;
    for content in &mut result.content {
        let text = match content {
            ToolResultContent::Text(text) => std::mem::take(text),
            ToolResultContent::Json(json) => json.to_string(),
            _ => continue,
        };
        let (cut, gone) = cut_middle(text);
        removed += gone;
        if gone > 0 || matches!(content, ToolResultContent::Text(_)) {
            *content = ToolResultContent::Text(cut);
        }
    }
    conversation.replace(at, message);
    Some(removed)
}

fn cut_middle(text: String) -> (String, usize) {
    let length = text.chars().count();
    if length <= LONG {
        return (text, 0);
    }
    let gone = length - 2 * KEPT_AT_EACH_END;
    let head: String = text.chars().take(KEPT_AT_EACH_END).collect();
    let tail: String = text.chars().skip(KEPT_AT_EACH_END + gone).collect();
    (format!("{head}... [truncated: {gone} chars removed] ...{tail}"), gone)
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, json};

    use super::*;
    use crate::agent::History;
    use crate::message::{ToolResultStatus, ToolUse};
    use crate::testing::ScriptedModel;

    fn pair(id: &str, size: usize) -> [Message; 2] {
        let result = ToolResult::new(id, ToolResultStatus::Success, ["x".repeat(size)]);
        [
            Message::new(Role::Assistant, [ToolUse::new(id, "look", json!({}))]),
            Message::new(Role::User, [ContentBlock::ToolResult(result)]),
        ]
    }

    async fn reduce(messages: Vec<Message>) -> (Vec<Arc<Message>>, Reduction) {
        let mut history = History::restore(messages.into_iter().map(Arc::new));
        let (mut state, model) = (Map::new(), ScriptedModel::new([]));
        let mut conversation = Conversation::new(&mut history, &mut state, &model);
        let manager = SlidingWindowConversationManager::new(4);
        let reduction = manager.reduce(&mut conversation).await.unwrap();
        (history.messages().to_vec(), reduction)
    }

    #[tokio::test]
    async fn the_largest_result_is_cut_first_even_behind_a_small_one() {
        let mut messages = vec![Message::user("go")];
        messages.extend(pair("small", 10).into_iter().chain(pair("large", 10_000)));
        let (messages, reduction) = reduce(messages).await;
        assert_eq!(reduction, Reduction::Reduced("cut 9600 characters from the largest tool result".into()));
        assert_eq!(messages.len(), 5);
    }

    #[tokio::test]
    async fn the_oldest_go_and_the_rest_starts_with_a_prompt() {
        let said = |n: usize| {
            if n.is_multiple_of(2) { Message::user(n.to_string()) } else { Message::assistant(n.to_string()) }
        };
        let (messages, _) = reduce((0..9).map(said).collect()).await;
        assert_eq!(messages.first().unwrap().role, Role::User);
        assert_eq!(messages.last().unwrap().text(), "8");
        assert!(messages.len() <= 4, "{}", messages.len());
    }

    #[tokio::test]
    async fn one_long_run_of_tools_keeps_its_prompt_and_its_pairs() {
        let mut messages = vec![Message::user("go")];
        messages.extend((0..10).flat_map(|n| pair(&n.to_string(), 10)));
        let (messages, reduction) = reduce(messages).await;
        assert!(matches!(reduction, Reduction::Reduced(_)));
        assert_eq!(messages[0].text(), "go");
        assert_eq!(messages.len() % 2, 1);
        for (call, result) in messages[1..].chunks(2).map(|pair| (&pair[0], &pair[1])) {
            assert_eq!(call.tool_uses().next().unwrap().tool_use_id, result.tool_results().next().unwrap().tool_use_id);
        }
    }

    #[tokio::test]
    async fn a_single_prompt_can_not_be_shortened() {
        let (_, reduction) = reduce(vec![Message::user("much")]).await;
        assert!(matches!(reduction, Reduction::Impossible(_)), "{reduction:?}");
    }
}
