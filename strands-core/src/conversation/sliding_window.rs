//! The newest messages stay, the oldest go. The default.

use std::error::Error as StdError;

use async_trait::async_trait;
use serde_json::Value;

use super::share::{Share, all_tokens};
use super::{Conversation, ConversationManager, Reduction, pins, results};
use crate::message::{Message, Role};

/// Strands' name for how many model calls there were.
const MODEL_CALLS: &str = "model_call_count";

/// Keeps the newest messages.
///
/// After each invocation at most `window_size` messages stay, or a few more where a tool call would otherwise lose its
/// result. When the model says that the conversation does not fit, the largest tool results are cut to their beginning
/// and their end first; only then do the oldest messages go, down to half.
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
    truncate_results: bool,
    pinned: u64,
    every: Option<u64>,
    share: Option<Share>,
}

impl Default for SlidingWindowConversationManager {
    fn default() -> Self {
        Self { window_size: 40, truncate_results: true, pinned: 0, every: None, share: None }
    }
}

impl SlidingWindowConversationManager {
    /// A window of this many messages. Pinned ones do not count.
    pub fn new(window_size: usize) -> Self {
        Self { window_size, ..Self::default() }
    }

    /// Leaves tool results as they are.
    #[must_use]
    pub fn keep_results(mut self) -> Self {
        self.truncate_results = false;
        self
    }

    /// Keeps the first `messages` of the whole conversation, beside those that are
    /// [`pinned`](Message::pinned) themselves.
    #[must_use]
    pub fn pin_first(mut self, messages: u64) -> Self {
        self.pinned = messages;
        self
    }

    /// Trims to the window before every `calls`th model call, too, and not only after an invocation: for agents that
    /// call many tools in one.
    #[must_use]
    pub fn per_turn(mut self, calls: u64) -> Self {
        self.every = Some(calls.max(1));
        self
    }

    /// Shortens before a model call whose input is projected to exceed this share of the model's context window, from 0
    /// to 1; of 200,000 tokens where the model does not know its window. Strands' share is 0.7. The default is to wait
    /// until the model refuses.
    #[must_use]
    pub fn proactive(mut self, share: f64) -> Self {
        self.share = Some(Share::new(share));
        self
    }

    fn pins(&self, conversation: &Conversation<'_>) -> Vec<bool> {
        pins::pinned(conversation.messages(), |at| conversation.number(at), self.pinned)
    }

    /// How many messages may go.
    fn loose(&self, conversation: &Conversation<'_>) -> usize {
        let pins = self.pins(conversation);
        pins.iter().enumerate().filter(|(at, pinned)| !**pinned && !conversation.is_gap(*at)).count()
    }

    fn trim_to_window(&self, conversation: &mut Conversation<'_>) -> Trimmed {
        if conversation.messages().len() <= self.window_size || self.loose(conversation) <= self.window_size {
            return Trimmed::default();
        }
        self.trim(conversation, self.window_size)
    }

    /// Removes about half of the messages, so that a conversation that is far too long does not take a model call for
    /// each.
    fn halve(&self, conversation: &mut Conversation<'_>) -> Trimmed {
        let loose = self.loose(conversation);
        let keep = self.window_size.min(loose.saturating_sub(2)).min(loose.div_ceil(2));
        self.trim(conversation, keep.max(1))
    }

    /// Removes the oldest messages so that about `keep` stay beside the pinned ones.
    fn trim(&self, conversation: &mut Conversation<'_>, keep: usize) -> Trimmed {
        conversation.close_gaps();
        let pins = self.pins(conversation);
        let goes = going(conversation, &pins, keep);
        let of = |at: usize| goes.get(at).copied().unwrap_or(false);
        let tokens = (0..goes.len()).filter(|at| of(*at)).map(|at| conversation.estimated_tokens(at)).sum();
        let messages = conversation.remove_where(of);
        if messages > 0 {
            results::forget_removed(conversation);
        }
        Trimmed { messages, tokens }
    }

    /// Frees about so many tokens.
    fn free(&self, conversation: &mut Conversation<'_>, excess: u64) -> Reduction {
        let (mut freed, mut done) = (0, Vec::new());
        if self.truncate_results {
            let pins = self.pins(conversation);
            if let Some(cut) = results::cut_largest(conversation, &pins, excess) {
                freed += cut.tokens;
                done.push(cut.what());
            }
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
            true => Reduction::Impossible("nothing was left to cut or to remove".to_owned()),
            false => Reduction::Reduced(done.join(", then ")),
        }
    }

    /// Counts a model call. True when it is one before which to trim.
    fn counts_to_trim(&self, conversation: &mut Conversation<'_>) -> bool {
        let Some(every) = self.every else { return false };
        let calls = conversation.remembered(MODEL_CALLS).and_then(Value::as_u64).unwrap_or(0).saturating_add(1);
        conversation.state().insert(MODEL_CALLS.to_owned(), calls.into());
        calls.is_multiple_of(every)
    }
}

/// What went.
#[derive(Clone, Copy, Debug, Default)]
struct Trimmed {
    messages: usize,
    tokens: u64,
}

/// Which messages go so that about `keep` stay beside the pinned ones. What stays begins with a prompt, and calls stay or
/// go with their results.
fn going(conversation: &Conversation<'_>, pins: &[bool], keep: usize) -> Vec<bool> {
    let messages = conversation.messages();
    let pinned = |at: usize| pins.get(at).copied().unwrap_or(false);
    let mut loose = (0..messages.len()).filter(|at| !pinned(*at));
    let surplus = loose.clone().count().saturating_sub(keep);
    if surplus == 0 {
        return Vec::new();
    }
    let least = loose.nth(surplus).unwrap_or(messages.len());
    let before = |start: usize| (0..messages.len()).map(|at| at < start && !pinned(at)).collect::<Vec<_>>();
    let start = messages.iter().enumerate().skip(least).find(|(_, message)| opens(message)).map(|(at, _)| at);
    if let Some(start) = start {
        return before(start);
    }
    // One long run of tools: its prompt stays, its oldest calls go with their results.
    let Some(prompt) = messages.iter().rposition(|message| opens(message)) else { return Vec::new() };
    let mut goes = before(prompt);
    let gone = goes.iter().filter(|goes| **goes).count();
    let mut surplus = surplus.saturating_sub(gone);
    let mut at = prompt + 1;
    let words = pins::newest_words(messages, |at| conversation.number(at));
    let stays = |at: usize| pinned(at) || words.contains(&at);
    // The newest message stays, and a call in front of it.
    while surplus > 0 && at + 2 < messages.len() {
        let role = |at: usize| messages.get(at).map(|message| message.role);
        if role(at) == Some(Role::Assistant) && role(at + 1) == Some(Role::User) && !stays(at) && !stays(at + 1) {
            goes.iter_mut().skip(at).take(2).for_each(|goes| *goes = true);
            surplus = surplus.saturating_sub(2);
            at += 1;
        }
        at += 1;
    }
    goes
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
        self.trim_to_window(conversation);
        Ok(())
    }

    async fn prepare(&self, conversation: &mut Conversation<'_>) -> Result<Reduction, Box<dyn StdError + Send + Sync>> {
        let trimmed = match self.counts_to_trim(conversation) {
            true => self.trim_to_window(conversation).messages,
            false => 0,
        };
        match self.share.and_then(|share| share.excess(conversation)) {
            Some(excess) => Ok(self.free(conversation, excess)),
            None if trimmed > 0 => Ok(Reduction::Reduced(format!("removed the {trimmed} oldest messages"))),
            None => Ok(Reduction::NotNeeded),
        }
    }

    async fn reduce(&self, conversation: &mut Conversation<'_>) -> Result<Reduction, Box<dyn StdError + Send + Sync>> {
        if self.truncate_results {
            let pins = self.pins(conversation);
            // A quarter, so that hundreds of long results do not take a model call each.
            let quarter = all_tokens(conversation) / 4;
            if let Some(cut) = results::cut_largest(conversation, &pins, quarter) {
                return Ok(Reduction::Reduced(cut.what()));
            }
        }
        let before = conversation.messages().len();
        match self.halve(conversation).messages {
            0 => Ok(Reduction::Impossible(format!(
                "no tool result was left to cut, and none of the {before} messages could go without breaking the rest"
            ))),
            removed => Ok(Reduction::Reduced(format!("removed the {removed} oldest messages"))),
        }
    }

    fn restored(&self, conversation: &mut Conversation<'_>) -> Result<(), Box<dyn StdError + Send + Sync>> {
        results::restored(conversation)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::{Map, json};

    use super::*;
    use crate::history::History;
    use crate::message::{ContentBlock, ToolResult, ToolResultStatus, ToolUse};
    use crate::testing::ScriptedModel;

    fn pair(id: &str, size: usize) -> [Message; 2] {
        let result = ToolResult::new(id, ToolResultStatus::Success, ["x".repeat(size)]);
        [
            Message::new(Role::Assistant, [ToolUse::new(id, "look", json!({}))]),
            Message::new(Role::User, [ContentBlock::ToolResult(result)]),
        ]
    }

    fn talk(messages: usize) -> Vec<Message> {
        let said = |n: usize| {
            if n.is_multiple_of(2) { Message::user(n.to_string()) } else { Message::assistant(n.to_string()) }
        };
        (0..messages).map(said).collect()
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
    async fn the_largest_result_is_cut_first_even_behind_a_small_one() {
        let mut messages = vec![Message::user("go")];
        messages.extend(pair("small", 10).into_iter().chain(pair("large", 10_000)));
        let (messages, reduction) = reduce(messages).await;
        assert_eq!(reduction, Reduction::Reduced("cut 9600 characters from the largest tool result".into()));
        assert_eq!(messages.len(), 5);
    }

    #[tokio::test]
    async fn many_large_results_are_cut_until_a_quarter_has_gone() {
        let mut messages = vec![Message::user("go")];
        messages.extend((0..40).flat_map(|n| pair(&n.to_string(), 4_000)));
        let (_, reduction) = reduce(messages).await;
        assert_eq!(reduction, Reduction::Reduced("cut 43200 characters from the 12 largest tool results".into()));
    }

    #[tokio::test]
    async fn pinned_results_are_not_cut() {
        let mut messages = vec![Message::user("go")];
        let [call, result] = pair("1", 10_000);
        messages.extend([call, result.pinned()]);
        let (_, reduction) = reduce(messages).await;
        assert!(matches!(reduction, Reduction::Impossible(_)), "{reduction:?}");
    }

    #[tokio::test]
    async fn the_oldest_go_and_the_rest_starts_with_a_prompt() {
        let (messages, _) = reduce(talk(9)).await;
        assert_eq!(messages.first().unwrap().role, Role::User);
        assert_eq!(messages.last().unwrap().text(), "8");
        assert!(messages.len() <= 4, "{}", messages.len());
    }

    #[tokio::test]
    async fn pins_stay_apart_from_what_follows() {
        let manager = SlidingWindowConversationManager::new(4).pin_first(1);
        let mut messages = talk(9);
        messages[2] = Message::user("2").pinned();
        let (messages, _) = reduce_with(&manager, messages).await;
        let texts: Vec<_> = messages.iter().map(|message| message.text()).collect();
        let left_out = "[Earlier messages left out.]";
        assert_eq!(texts, ["0", left_out, "2", left_out, "6", "7", "8"]);
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
