//! Sliding window over the newest messages: the default conversation manager.

use std::error::Error as StdError;

use async_trait::async_trait;
use serde_json::Value;

use super::context_threshold::all_tokens;
use super::options::{ManagerOptions, manager_option_setters};
use super::window_trimming::{self, SLIDING_WINDOW, removable};
use super::{Conversation, ConversationManager, Reduction, result_truncation};

/// Key of the number of model calls in the manager's state, as in Python Strands.
const MODEL_CALLS: &str = "model_call_count";

/// A conversation manager that retains the newest messages.
///
/// After each invocation it trims the conversation to `window_size` messages, or a few more to keep tool calls and results
/// together. After a context overflow it truncates the largest tool results to their beginning and end. Only if there are
/// none, it removes the oldest half of the messages.
///
/// ```
/// use strands::conversation::SlidingWindowConversationManager;
///
/// let manager = SlidingWindowConversationManager::new(40).pin_first(1).proactive(0.7);
/// ```
#[derive(Clone, Debug)]
#[doc(alias = "memory", alias = "trim_messages")]
pub struct SlidingWindowConversationManager {
    window_size: usize,
    per_turn: Option<u64>,
    options: ManagerOptions,
}

manager_option_setters!(SlidingWindowConversationManager);

impl Default for SlidingWindowConversationManager {
    fn default() -> Self {
        Self { window_size: 40, per_turn: None, options: ManagerOptions::default() }
    }
}

impl SlidingWindowConversationManager {
    /// Creates a manager with a window of this many messages, not counting pinned ones. Default: 40.
    pub fn new(window_size: usize) -> Self {
        Self { window_size, ..Self::default() }
    }

    /// Also trims to the window before every `calls`th model call, for agents with many tool calls in one invocation.
    /// Default: disabled.
    #[must_use]
    pub fn per_turn(mut self, calls: u64) -> Self {
        self.per_turn = Some(calls.max(1));
        self
    }

    /// Returns the number of messages that may be removed.
    fn unpinned(&self, conversation: &Conversation<'_>) -> usize {
        let pins = self.options.pins(conversation);
        pins.iter().enumerate().filter(|(at, pinned)| !**pinned && !conversation.is_gap_note(*at)).count()
    }

    fn trim_to_window(&self, conversation: &mut Conversation<'_>) -> Trimmed {
        if conversation.messages().len() <= self.window_size || self.unpinned(conversation) <= self.window_size {
            return Trimmed::default();
        }
        self.trim(conversation, self.window_size, self.repeated_window())
    }

    /// Returns the window, if `restored` repeats the trims to it: only those after each invocation.
    fn repeated_window(&self) -> Option<usize> {
        self.per_turn.is_none().then_some(self.window_size)
    }

    /// Removes about half of the messages, so that a conversation that is far too long takes few model calls.
    fn halve(&self, conversation: &mut Conversation<'_>) -> Trimmed {
        let unpinned = self.unpinned(conversation);
        let keep = self.window_size.min(unpinned.saturating_sub(2)).min(unpinned.div_ceil(2));
        self.trim(conversation, keep.max(1), None)
    }

    /// Removes the oldest messages so that about `keep` remain, not counting pinned ones. `window` is set if `restored`
    /// repeats this.
    fn trim(&self, conversation: &mut Conversation<'_>, keep: usize, window: Option<usize>) -> Trimmed {
        conversation.remove_gap_notes();
        let pins = self.options.pins(conversation);
        let removable = removable(conversation.messages(), |at| conversation.number(at), &pins, keep);
        let is_removable = |at: usize| removable.get(at).copied().unwrap_or(false);
        let removed = (0..removable.len()).filter(|at| is_removable(*at));
        let tokens = removed.map(|at| conversation.estimated_tokens(at)).sum();
        let messages = match window {
            Some(window) => conversation.trim_to_window(window, is_removable),
            None => conversation.remove_where(is_removable),
        };
        if messages > 0 {
            result_truncation::forget_removed(conversation);
        }
        Trimmed { messages, tokens }
    }

    /// Truncates results and removes messages until about `excess` tokens are free.
    fn free(&self, conversation: &mut Conversation<'_>, excess: u64) -> Reduction {
        let (mut freed, mut done) = (0, Vec::new());
        if let Some(truncation) = self.options.truncate_largest(conversation, excess) {
            freed += truncation.tokens;
            done.push(truncation.description());
        }
        let mut removed = 0;
        while freed < excess {
            let trimmed = self.halve(conversation);
            if trimmed.messages == 0 {
                break;
            }
            freed += trimmed.tokens;
            removed += trimmed.messages;
        }
        if removed > 0 {
            done.push(format!("removed the {removed} oldest messages"));
        }
        match done.is_empty() {
            true => Reduction::Impossible("no tool result could be truncated and no message removed".to_owned()),
            false => Reduction::Reduced(done.join(", then ")),
        }
    }

    /// Counts a model call. Returns true if the conversation is to be trimmed before it.
    fn is_trim_due(&self, conversation: &mut Conversation<'_>) -> bool {
        let Some(every) = self.per_turn else { return false };
        let calls = conversation.state_value(MODEL_CALLS).and_then(Value::as_u64).unwrap_or(0).saturating_add(1);
        conversation.state().insert(MODEL_CALLS.to_owned(), calls.into());
        calls.is_multiple_of(every)
    }
}

/// Removed messages and their tokens.
#[derive(Clone, Copy, Debug, Default)]
struct Trimmed {
    messages: usize,
    tokens: u64,
}

#[async_trait]
impl ConversationManager for SlidingWindowConversationManager {
    fn name(&self) -> &'static str {
        SLIDING_WINDOW
    }

    async fn apply(&self, conversation: &mut Conversation<'_>) -> Result<(), Box<dyn StdError + Send + Sync>> {
        self.trim_to_window(conversation);
        Ok(())
    }

    async fn prepare(&self, conversation: &mut Conversation<'_>) -> Result<Reduction, Box<dyn StdError + Send + Sync>> {
        let trimmed = match self.is_trim_due(conversation) {
            true => self.trim_to_window(conversation).messages,
            false => 0,
        };
        match self.options.excess(conversation) {
            Some(excess) => Ok(self.free(conversation, excess)),
            None if trimmed > 0 => Ok(Reduction::Reduced(format!("removed the {trimmed} oldest messages"))),
            None => Ok(Reduction::NotNeeded),
        }
    }

    async fn reduce(&self, conversation: &mut Conversation<'_>) -> Result<Reduction, Box<dyn StdError + Send + Sync>> {
        // A quarter of all tokens, so that hundreds of long results do not take a model call each.
        let quarter = all_tokens(conversation) / 4;
        if let Some(truncation) = self.options.truncate_largest(conversation, quarter) {
            return Ok(Reduction::Reduced(truncation.description()));
        }
        let before = conversation.messages().len();
        match self.halve(conversation).messages {
            0 => Ok(Reduction::Impossible(format!(
                "no tool result could be truncated, and none of the {before} messages removed"
            ))),
            removed => Ok(Reduction::Reduced(format!("removed the {removed} oldest messages"))),
        }
    }

    fn restored(&self, conversation: &mut Conversation<'_>) -> Result<(), Box<dyn StdError + Send + Sync>> {
        window_trimming::repeat(conversation, &self.options, self.repeated_window());
        result_truncation::restored(conversation)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::{Map, json};

    use super::*;
    use crate::history::History;
    use crate::message::{ContentBlock, Message, Role, ToolResult, ToolResultStatus, ToolUse};
    use crate::testing::ScriptedModel;

    fn pair(id: &str, size: usize) -> [Message; 2] {
        let result = ToolResult::new(id, ToolResultStatus::Success, ["x".repeat(size)]);
        [
            Message::new(Role::Assistant, [ToolUse::new(id, "look", json!({}))]),
            Message::new(Role::User, [ContentBlock::ToolResult(result)]),
        ]
    }

    fn talk(messages: usize) -> Vec<Message> {
        let message = |n: usize| {
            if n.is_multiple_of(2) { Message::user(n.to_string()) } else { Message::assistant(n.to_string()) }
        };
        (0..messages).map(message).collect()
    }

    async fn reduce(messages: Vec<Message>) -> (Vec<Arc<Message>>, Reduction) {
        reduce_with(&SlidingWindowConversationManager::new(4), messages).await
    }

    async fn reduce_with(
        manager: &SlidingWindowConversationManager,
        messages: Vec<Message>,
    ) -> (Vec<Arc<Message>>, Reduction) {
        let mut history = History::new(History::seeded(messages.into_iter().map(Arc::new)));
        let (mut state, model) = (Map::new(), ScriptedModel::new([]));
        let mut conversation = Conversation::new(&mut history, &mut state, &model);
        let reduction = manager.reduce(&mut conversation).await.unwrap();
        history.repair();
        (history.messages().to_vec(), reduction)
    }

    #[tokio::test]
    async fn truncates_the_largest_result_first() {
        let mut messages = vec![Message::user("go")];
        messages.extend(pair("small", 10).into_iter().chain(pair("large", 10_000)));
        let (messages, reduction) = reduce(messages).await;
        assert_eq!(reduction, Reduction::Reduced("removed 9600 characters from the largest tool result".into()));
        assert_eq!(messages.len(), 5);
    }

    #[tokio::test]
    async fn truncates_large_results_until_a_quarter_is_removed() {
        let mut messages = vec![Message::user("go")];
        messages.extend((0..40).flat_map(|n| pair(&n.to_string(), 4_000)));
        let (_, reduction) = reduce(messages).await;
        assert_eq!(reduction, Reduction::Reduced("removed 43200 characters from the 12 largest tool results".into()));
    }

    #[tokio::test]
    async fn does_not_truncate_pinned_results() {
        let mut messages = vec![Message::user("go")];
        let [call, result] = pair("1", 10_000);
        messages.extend([call, result.pinned()]);
        let (_, reduction) = reduce(messages).await;
        assert!(matches!(reduction, Reduction::Impossible(_)), "{reduction:?}");
    }

    #[tokio::test]
    async fn removes_the_oldest_messages_and_starts_with_a_prompt() {
        let (messages, _) = reduce(talk(9)).await;
        assert_eq!(messages.first().unwrap().role, Role::User);
        assert_eq!(messages.last().unwrap().text(), "8");
        assert!(messages.len() <= 4, "{}", messages.len());
    }

    #[tokio::test]
    async fn inserts_notes_after_pinned_messages() {
        let manager = SlidingWindowConversationManager::new(4).pin_first(1);
        let mut messages = talk(9);
        messages[2] = Message::user("2").pinned();
        let (messages, _) = reduce_with(&manager, messages).await;
        let texts: Vec<_> = messages.iter().map(|message| message.text()).collect();
        let left_out = "[Earlier messages left out.]";
        assert_eq!(texts, ["0", left_out, "2", left_out, "6", "7", "8"]);
    }

    #[tokio::test]
    async fn one_long_invocation_keeps_its_prompt_and_pairs() {
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
    async fn can_not_reduce_a_single_prompt() {
        let (_, reduction) = reduce(vec![Message::user("much")]).await;
        assert!(matches!(reduction, Reduction::Impossible(_)), "{reduction:?}");
    }
}
