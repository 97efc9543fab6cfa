//! The messages of an agent: always valid input for the next model call, whatever happens in between.
//!
//! A prompt joins the history for good only when the model has answered it; until then it can be withdrawn. The list and
//! the places of its messages, the repairs, and the bookkeeping of what a session has, are submodules.

mod list;
mod place;
mod repair;
mod unsaved;

use std::sync::Arc;

use serde_json::{Map, Value};

pub(crate) use list::MessageList;
use place::Place;
pub use repair::Repair;
pub(crate) use repair::{INTERRUPTED, OUTCOME_UNKNOWN, unanswered_calls, without_gaps};
use unsaved::Saved;
pub(crate) use unsaved::Unsaved;

use crate::message::{CallIds, ContentBlock, Message, Role, unique_calls};
use crate::models::{ModelRequest, estimate_tokens};
use crate::session::MessageRange;

/// The messages of an agent.
#[derive(Clone, Debug, Default)]
pub(crate) struct History {
    list: MessageList,
    /// The ids of all calls in the list. A response that is being read holds them, too.
    call_ids: Arc<CallIds>,
    /// Changes made by the newest prompt, until it is answered.
    prompt: PendingPrompt,
    saved: Saved,
    /// The number of the next message in the whole conversation.
    next_number: u64,
    /// The numbers of the messages, in short.
    kept: MessageRange,
    /// True if a conversation manager changed something, so that the messages may no longer be valid input.
    changed: bool,
}

/// Changes made by a prompt that has no response yet.
#[derive(Clone, Debug, Default)]
struct PendingPrompt {
    /// Number of messages at the end that belong to it.
    messages: usize,
    /// The last answered message as it was before the prompt was merged into it.
    merged: Option<Arc<Message>>,
    /// The messages, and the conversation manager's state, before they were truncated for a call that nobody has
    /// answered yet.
    before: Option<Box<Before>>,
}

#[derive(Clone, Debug)]
struct Before {
    list: MessageList,
    originals: Vec<(u64, Arc<Message>)>,
    state: Map<String, Value>,
}

impl History {
    /// Makes a list of messages from elsewhere, which are numbered from zero.
    pub(crate) fn seeded(messages: impl IntoIterator<Item = Arc<Message>>) -> MessageList {
        let (mut list, _) = repair::made_whole(messages.into_iter().map(|message| (message, Place::New)));
        for (number, place) in (0..).zip(list.places_mut()) {
            *place = Place::numbered(number);
        }
        list
    }

    pub(crate) fn new(mut seeded: MessageList) -> Self {
        let next_number = seeded.len() as u64;
        let call_ids = Arc::new(unique_calls::rename_repeated_earlier(seeded.messages_mut()));
        Self { list: seeded, call_ids, next_number, ..Self::default() }
    }

    /// The messages that a session has returned for this range. [`repair`](Self::repair) makes them valid input.
    pub(crate) fn restored(range: &MessageRange, messages: Vec<Arc<Message>>) -> Self {
        let next_number = range.from.saturating_add(messages.len().saturating_sub(range.also.len()) as u64);
        let numbers = range.also.iter().copied().chain((0..).map(|offset| range.from.saturating_add(offset)));
        let list = messages.into_iter().zip(numbers.map(Place::numbered)).collect();
        let (saved, kept) = (Saved::up_to(next_number), range.clone());
        let mut history = Self { list, next_number, saved, kept, changed: true, ..Self::default() };
        history.record();
        // Before a conversation manager looks for the calls that it knows.
        history.make_calls_unique();
        history
    }

    /// From here on a session stores the messages.
    pub(crate) fn record(&mut self) {
        self.saved.recording = true;
    }

    /// Makes the messages valid input again after a conversation manager, or a session, has changed them.
    pub(crate) fn repair(&mut self) -> Vec<Repair> {
        if !std::mem::take(&mut self.changed) {
            return Vec::new();
        }
        let (list, repairs) = repair::made_whole(repair::bridged(std::mem::take(&mut self.list)));
        self.list = list;
        self.make_calls_unique();
        repairs
    }

    /// Ids of calls repeat in messages from elsewhere. The session keeps what it has.
    fn make_calls_unique(&mut self) {
        let newest = self.list.last().map(Arc::clone);
        self.call_ids = Arc::new(unique_calls::rename_repeated_earlier(self.list.messages_mut()));
        if let (Some(original), Some((now, place))) = (newest, self.list.last_mut())
            && !Arc::ptr_eq(&original, now)
        {
            let number = place.number();
            self.saved.keep_original(number, true, original);
        }
    }

    /// The ids of all calls in the messages.
    pub(crate) fn call_ids(&self) -> &Arc<CallIds> {
        &self.call_ids
    }

    /// Numbers what was just added.
    fn number_newest(&mut self) {
        let new = self.list.iter().rev().take_while(|(_, place)| *place == Place::New).count();
        let first = self.list.len() - new;
        for place in self.list.places_mut().skip(first) {
            *place = Place::numbered(self.next_number);
            self.next_number = self.next_number.saturating_add(1);
        }
    }

    /// The numbers of the messages that are still here.
    pub(crate) fn kept(&self) -> &MessageRange {
        &self.kept
    }

    fn numbers_kept(&self) -> MessageRange {
        let mut from = self.next_number;
        let mut numbers = self.list.iter().rev().filter_map(|(_, place)| place.numbers()).peekable();
        while let Some((first, _)) = numbers.next_if(|(_, last)| last.checked_add(1) == Some(from)) {
            from = first;
        }
        let mut also: Vec<u64> = numbers.flat_map(|(first, last)| (first..=last).rev()).collect();
        also.reverse();
        MessageRange::new(from, also)
    }

    /// The number of the newest message, answered or not.
    pub(crate) fn newest_number(&self) -> Option<u64> {
        self.next_number.checked_sub(1)
    }

    /// The number of the message at this index; `None` for one that nobody said, such as a summary.
    pub(crate) fn number(&self, at: usize) -> Option<u64> {
        self.list.place(at)?.number()
    }

    /// True for a note that stands where messages were removed.
    pub(crate) fn is_gap(&self, at: usize) -> bool {
        self.list.place(at) == Some(Place::Gap)
    }

    /// The index of the message with this number.
    pub(crate) fn with_number(&self, number: u64) -> Option<usize> {
        let has = |(first, last): (u64, u64)| (first..=last).contains(&number);
        self.list.iter().position(|(_, place)| place.numbers().is_some_and(has))
    }

    /// Changes that a session has to write next; nothing of a prompt that nobody has answered.
    pub(crate) fn unsaved(&self) -> Option<Unsaved> {
        self.saved.next(&self.list, self.list.len() - self.prompt.messages)
    }

    /// The session has written what [`unsaved`](Self::unsaved) returned.
    pub(crate) fn saved(&mut self, written: &Unsaved) {
        let newest = self.list.last_place().and_then(Place::number);
        self.saved.written(written, newest);
    }

    /// The newest message has changed after it was added.
    fn newest_changed(&mut self) {
        self.saved.newest_changed(self.list.last_place().and_then(Place::number));
    }

    pub(crate) fn messages(&self) -> &[Arc<Message>] {
        self.list.messages()
    }

    /// Removes the messages at the indexes for which `goes` is true from what the model sees. Returns how many went.
    pub(crate) fn remove_where(&mut self, mut goes: impl FnMut(usize) -> bool) -> usize {
        let before = self.list.len();
        self.list.retain(|at, _| !goes(at));
        let removed = before - self.list.len();
        if removed > 0 {
            self.changed = true;
            self.kept = self.numbers_kept();
        }
        removed
    }

    /// Removes the notes between messages; [`repair`](Self::repair) puts those back that are needed.
    pub(crate) fn close_gaps(&mut self) {
        self.list.retain(|_, place| place != Place::Gap);
        self.changed = true;
    }

    /// Replaces the message at an index.
    pub(crate) fn replace(&mut self, at: usize, message: Message) {
        let is_newest = at + 1 == self.list.len();
        let Some((shown, place)) = self.list.get_mut(at) else { return };
        let number = place.number();
        let original = std::mem::replace(shown, Arc::new(message));
        self.changed = true;
        self.saved.keep_original(number, is_newest, original);
    }

    /// Inserts a message that nobody said, before the one at this index.
    pub(crate) fn insert(&mut self, at: usize, mut message: Message) {
        message.track();
        self.list.insert(at, Arc::new(message), Place::Nowhere);
        self.changed = true;
    }

    /// Adds a message for good. Returns it as it stands there: an assistant message that follows another one joins it.
    ///
    /// Calls in it whose id is taken get another one. A response that was read with [`call_ids`](Self::call_ids) has none.
    pub(crate) fn push(&mut self, mut message: Message) -> Arc<Message> {
        message.track();
        let mut message = Arc::new(message);
        if self.list.len() == 0 && message.role == Role::Assistant {
            return message;
        }
        if message.tool_uses().next().is_some() {
            unique_calls::rename_calls(&mut message, Arc::make_mut(&mut self.call_ids));
        }
        let before = self.list.len();
        repair::append(&mut self.list, message, Place::New, &mut Vec::new());
        if self.list.len() == before {
            self.newest_changed();
        }
        self.number_newest();
        self.list.last().map_or_else(|| Arc::new(Message::new(Role::User, [""; 0])), Arc::clone)
    }

    /// Adds a prompt, until it is answered. What follows a message of the same role joins it, and results without a call
    /// are left out.
    pub(crate) fn ask(&mut self, prompt: Vec<Message>) {
        let mut prompt: MessageList =
            repair::grouped(prompt.into_iter().map(|message| (Arc::new(message), Place::New))).into_iter().collect();
        if prompt.messages().iter().any(|message| message.tool_uses().next().is_some()) {
            unique_calls::rename_repeated(prompt.messages_mut(), Arc::make_mut(&mut self.call_ids));
        }
        for (mut message, _) in prompt {
            let (before, last) = (self.list.len(), self.list.last().map(Arc::clone));
            if message.tracking_id.is_none() {
                Arc::make_mut(&mut message).track();
            }
            repair::append(&mut self.list, message, Place::New, &mut Vec::new());
            let pushed = self.list.len() - before;
            let changed = |last: &Arc<Message>| self.list.last().is_some_and(|now| !Arc::ptr_eq(now, last));
            if pushed == 0 && self.prompt.messages == 0 && self.prompt.merged.is_none() {
                self.prompt.merged = last.filter(changed);
            }
            self.prompt.messages += pushed;
            self.saved.prompt_begins(self.next_number);
            self.number_newest();
        }
    }

    /// Size estimate: a token for each message, and those of its content.
    pub(crate) fn size(&self) -> u64 {
        estimate_tokens(&ModelRequest::new(self.messages())).saturating_add(self.list.len() as u64)
    }

    /// The messages are about to be truncated; they come back if nobody answers what is left.
    pub(crate) fn remember_whole(&mut self, state: &Map<String, Value>) {
        if self.prompt.before.is_none() {
            let (list, originals) = (self.list.clone(), self.saved.originals().to_vec());
            self.prompt.before = Some(Box::new(Before { list, originals, state: state.clone() }));
        }
    }

    /// The prompt has been answered and stays. Returns what of it is new.
    pub(crate) fn answered(&mut self) -> Vec<Arc<Message>> {
        let PendingPrompt { messages, merged, .. } = std::mem::take(&mut self.prompt);
        let new = messages + usize::from(merged.is_some());
        let joined = self.list.len().checked_sub(new).filter(|_| merged.is_some());
        self.saved.newest_changed(joined.and_then(|at| self.number(at)));
        self.messages().iter().skip(self.list.len().saturating_sub(new)).cloned().collect()
    }

    /// Nobody will answer the prompt: it goes. Returns the conversation manager's state, if that goes back too.
    pub(crate) fn withdraw(&mut self) -> Option<Map<String, Value>> {
        let PendingPrompt { messages, merged, before } = std::mem::take(&mut self.prompt);
        let state = before.map(|before| {
            let Before { list, originals, state } = *before;
            (self.list, self.changed) = (list, false);
            self.call_ids = Arc::new(unique_calls::rename_repeated_earlier(self.list.messages_mut()));
            self.saved.set_originals(originals);
            state
        });
        let answered = self.list.len().saturating_sub(messages);
        if let Some(number) = self.list.iter().skip(answered).find_map(|(_, place)| place.number()) {
            self.next_number = number;
        }
        self.saved.forget_from(self.next_number);
        self.saved.prompt_withdrawn();
        for (message, _) in self.list.iter().skip(answered) {
            for call in message.tool_uses() {
                Arc::make_mut(&mut self.call_ids).free(&call.tool_use_id);
            }
        }
        self.list.truncate(answered);
        if state.is_some() {
            self.kept = self.numbers_kept();
        }
        if let Some(merged) = merged
            && let Some((last, _)) = self.list.last_mut()
        {
            *last = merged;
        }
        state
    }

    /// The number of messages that stay in the whole conversation if everything from the message at this index on is
    /// dropped; `None` if something would go that stands for older messages.
    pub(crate) fn rewound_to(&self, at: usize) -> Option<u64> {
        let first = self.number(at)?;
        let mut dropped = self.list.iter().skip(at).map(|(_, place)| place);
        dropped.all(|place| place == Place::Gap || place.number().is_some()).then_some(first)
    }

    /// Drops everything from the message at this index on, which is the given number of messages into the conversation.
    pub(crate) fn rewind(&mut self, at: usize, keep: u64) -> Vec<Arc<Message>> {
        let dropped = self.list.iter().skip(at).filter(|(_, place)| *place != Place::Gap);
        let dropped = dropped.map(|(message, _)| Arc::clone(message)).collect();
        self.prompt = PendingPrompt::default();
        self.list.truncate(at);
        self.next_number = keep;
        self.saved.to = self.saved.to.min(keep);
        self.saved.last_changed = false;
        self.saved.forget_from(keep);
        self.kept = self.numbers_kept();
        self.changed = true;
        self.repair();
        dropped
    }

    /// A guardrail replaces the newest user message. Results stay beside the calls they belong to.
    pub(crate) fn redact_prompt(&mut self, replacement: &str) {
        let Some((last, place)) = self.list.last_mut().filter(|(last, _)| last.role == Role::User) else { return };
        let number = place.number();
        let message = Arc::make_mut(last);
        let mut results: Vec<_> =
            message.content.drain(..).filter(|block| matches!(block, ContentBlock::ToolResult(_))).collect();
        for block in &mut results {
            if let ContentBlock::ToolResult(result) = block {
                result.content = vec![replacement.into()];
            }
        }
        message.content = if results.is_empty() { vec![ContentBlock::text(replacement)] } else { results };
        self.saved.forget_original(number);
        self.newest_changed();
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::message::{ToolResult, ToolResultStatus, ToolUse};

    impl History {
        fn from_messages(messages: impl IntoIterator<Item = Arc<Message>>) -> Self {
            Self::new(Self::seeded(messages))
        }
    }

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
        let mut history = History::from_messages([Message::user("a"), Message::assistant("b")].map(Arc::new));
        history.ask(vec![Message::user("c")]);
        history.withdraw();
        assert_eq!(history.messages().len(), 2);

        let mut history = History::from_messages([Message::user("a"), call(&["1"]), results(&["1"])].map(Arc::new));
        history.ask(vec![Message::user("c")]);
        assert_eq!(history.messages().last().unwrap().content.len(), 2);
        history.withdraw();
        assert_eq!(history.messages().last().unwrap().content.len(), 1);
    }

    #[test]
    fn shortening_for_a_call_that_fails_leaves_no_trace() {
        let mut history = History::from_messages([Message::user("a"), Message::assistant("b")].map(Arc::new));
        history.ask(vec![Message::user("c")]);
        history.remember_whole(&Map::new());
        history.remove_where(|at| at < 2);
        assert_eq!(history.withdraw(), Some(Map::new()));
        assert_eq!(history.messages().len(), 2);
    }

    #[test]
    fn results_in_a_prompt_answer_open_calls_and_nothing_else() {
        let mut history = History::from_messages([Message::user("a"), call(&["1", "2"])].map(Arc::new));
        history.ask(vec![results(&["2", "stray"]), Message::user("so?")]);
        assert_eq!(shape(&history).last().unwrap().1, ["1", "2"]);
        let answers: Vec<_> = history.messages().last().unwrap().tool_results().map(ToolResult::is_error).collect();
        assert_eq!(answers, [true, false]);
        history.ask(vec![results(&["1"])]);
        assert_eq!(shape(&history).last().unwrap().1, ["1", "2"]);
    }

    #[test]
    fn roles_alternate_whatever_comes_from_elsewhere() {
        let history = History::from_messages(
            [
                Message::assistant("hello"),
                Message::user("a"),
                Message::user("b"),
                Message::assistant("c"),
                Message::assistant("d"),
                Message::new(Role::User, [""; 0]),
            ]
            .map(Arc::new),
        );
        let texts: Vec<_> = history.messages().iter().map(|message| message.text()).collect();
        assert_eq!(texts, ["a\nb", "c\nd"]);
    }

    #[test]
    fn results_that_came_in_two_messages_are_all_kept() {
        let history = History::from_messages(
            [Message::user("a"), call(&["1", "2"]), results(&["2"]), results(&["1"])].map(Arc::new),
        );
        assert_eq!(shape(&history).last().unwrap().1, ["1", "2"]);
        assert!(history.messages().last().unwrap().tool_results().all(|result| !result.is_error()));
    }

    #[test]
    fn a_prompt_after_open_calls_answers_them_first() {
        let mut history = History::from_messages([Message::user("a"), call(&["1", "2"])].map(Arc::new));
        history.ask(vec![Message::user("never mind")]);
        let last = history.messages().last().unwrap();
        assert_eq!(last.tool_results().count(), 2);
        assert_eq!(last.text(), "never mind");
    }

    #[test]
    fn a_history_from_elsewhere_is_made_whole() {
        let history = History::from_messages(
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
            ]
        );
    }
}
