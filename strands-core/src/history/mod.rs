//! History of an agent: its messages, which are always valid input for the next model call.
//!
//! A prompt is pending until the model responds, and can be withdrawn until then.

mod list;
mod pending_prompt;
mod position;
mod removals;
mod repair;
mod save_state;

use std::sync::Arc;

pub(crate) use list::MessageList;
use pending_prompt::PendingPrompt;
use position::Position;
pub(crate) use removals::Removals;
pub use repair::Repair;
pub(crate) use repair::{INTERRUPTED, OUTCOME_UNKNOWN, interrupted_results, without_gap_notes};
use save_state::SaveState;
pub(crate) use save_state::Unsaved;

use crate::message::{CallIds, ContentBlock, Message, Role, unique_calls};
use crate::models::{ModelRequest, estimate_tokens};
use crate::session::MessageRange;

/// The messages of an agent.
#[derive(Clone, Debug, Default)]
pub(crate) struct History {
    list: MessageList,
    /// Ids of all calls in the list, shared with the reader of a response.
    call_ids: Arc<CallIds>,
    /// Changes made by the newest prompt, until there is a response.
    prompt: PendingPrompt,
    saved: SaveState,
    /// Number of the next message in the whole conversation.
    next_number: u64,
    /// Numbers of the messages in the list, as a range.
    range: MessageRange,
    removals: Removals,
    /// True if a conversation manager changed something, so that the messages may no longer be valid input.
    changed: bool,
}

impl History {
    /// Creates a list from external messages, which are repaired and numbered from zero.
    pub(crate) fn seeded(messages: impl IntoIterator<Item = Arc<Message>>) -> MessageList {
        let (mut list, _) = repair::made_valid(messages.into_iter().map(|message| (message, Position::New)));
        for (number, position) in (0..).zip(list.positions_mut()) {
            *position = Position::numbered(number);
        }
        list
    }

    pub(crate) fn new(mut seeded: MessageList) -> Self {
        let next_number = seeded.len() as u64;
        let call_ids = Arc::new(unique_calls::rename_repeated_earlier(seeded.messages_mut()));
        Self { list: seeded, call_ids, next_number, ..Self::default() }
    }

    /// Creates a history from the messages of a range in a session. [`repair`](Self::repair) makes them valid input.
    pub(crate) fn restored(range: &MessageRange, messages: Vec<Arc<Message>>) -> Self {
        let next_number = range.from.saturating_add(messages.len().saturating_sub(range.earlier.len()) as u64);
        let numbers = range.earlier.iter().copied().chain((0..).map(|offset| range.from.saturating_add(offset)));
        let list = messages.into_iter().zip(numbers.map(Position::numbered)).collect();
        let (saved, range) = (SaveState::up_to(next_number), range.clone());
        let mut history = Self { list, next_number, saved, range, changed: true, ..Self::default() };
        history.record();
        // Before a conversation manager looks up calls by their ids.
        history.make_calls_unique();
        history
    }

    /// Starts to track changes for a session.
    pub(crate) fn record(&mut self) {
        self.saved.recording = true;
    }

    /// Makes the messages valid input again after changes by a conversation manager or a session.
    pub(crate) fn repair(&mut self) -> Vec<Repair> {
        if !std::mem::take(&mut self.changed) {
            return Vec::new();
        }
        let (list, repairs) = repair::made_valid(repair::with_gap_notes(std::mem::take(&mut self.list)));
        self.list = list;
        self.make_calls_unique();
        repairs
    }

    /// Renames repeated ids of calls in external messages. The session keeps the original messages.
    fn make_calls_unique(&mut self) {
        let newest = self.list.last().map(Arc::clone);
        self.call_ids = Arc::new(unique_calls::rename_repeated_earlier(self.list.messages_mut()));
        if let (Some(original), Some((now, position))) = (newest, self.list.last_mut())
            && !Arc::ptr_eq(&original, now)
        {
            let number = position.number();
            self.saved.keep_original(number, true, original);
        }
    }

    /// Returns the ids of all calls in the messages.
    pub(crate) fn call_ids(&self) -> &Arc<CallIds> {
        &self.call_ids
    }

    /// Numbers the messages that were just added.
    fn number_newest(&mut self) {
        let new = self.list.iter().rev().take_while(|(_, position)| *position == Position::New).count();
        let first = self.list.len() - new;
        for position in self.list.positions_mut().skip(first) {
            *position = Position::numbered(self.next_number);
            self.next_number = self.next_number.saturating_add(1);
        }
    }

    /// Returns the numbers of the messages that were not removed.
    pub(crate) fn message_range(&self) -> &MessageRange {
        &self.range
    }

    /// Returns the number of messages at the end of the conversation of which none was removed.
    pub(crate) fn newest_in_a_row(&self) -> u64 {
        self.next_number.saturating_sub(self.range.from)
    }

    fn remaining_range(&self) -> MessageRange {
        let mut from = self.next_number;
        let mut numbers = self.list.iter().rev().filter_map(|(_, position)| position.numbers()).peekable();
        while let Some((first, _)) = numbers.next_if(|(_, last)| last.checked_add(1) == Some(from)) {
            from = first;
        }
        let mut also: Vec<u64> = numbers.flat_map(|(first, last)| (first..=last).rev()).collect();
        also.reverse();
        MessageRange::new(from, also)
    }

    /// Returns the number of the newest message, pending or not.
    pub(crate) fn newest_number(&self) -> Option<u64> {
        self.next_number.checked_sub(1)
    }

    /// Returns the number of the message at an index; `None` for a synthetic message, such as a summary.
    pub(crate) fn number(&self, at: usize) -> Option<u64> {
        self.list.position(at)?.number()
    }

    /// Returns true for a note in place of removed messages.
    pub(crate) fn is_gap_note(&self, at: usize) -> bool {
        self.list.position(at) == Some(Position::Gap)
    }

    /// Returns the index of the message with a number.
    pub(crate) fn with_number(&self, number: u64) -> Option<usize> {
        let has = |(first, last): (u64, u64)| (first..=last).contains(&number);
        self.list.iter().position(|(_, position)| position.numbers().is_some_and(has))
    }

    /// Returns the next changes for the session to write, without a pending prompt.
    pub(crate) fn unsaved(&self) -> Option<Unsaved> {
        self.saved.next(&self.list, self.list.len() - self.prompt.messages)
    }

    /// Marks the changes that [`unsaved`](Self::unsaved) returned as written.
    pub(crate) fn saved(&mut self, written: &Unsaved) {
        let newest = self.list.last_position().and_then(Position::number);
        self.saved.written(written, newest);
    }

    /// Marks the newest message as changed after it was added.
    fn newest_changed(&mut self) {
        self.saved.newest_changed(self.list.last_position().and_then(Position::number));
    }

    pub(crate) fn messages(&self) -> &[Arc<Message>] {
        self.list.messages()
    }

    /// Removes the messages at the indexes for which `is_removed` returns true. The session keeps them. Returns the number of
    /// removed messages.
    pub(crate) fn remove_where(&mut self, is_removed: impl FnMut(usize) -> bool) -> usize {
        let removed = self.remove(is_removed);
        if removed > 0 {
            self.removals = Removals::Other;
        }
        removed
    }

    /// As [`remove_where`](Self::remove_where), for a trim to a window that is repeated when the session is restored.
    pub(crate) fn trim_to_window(&mut self, window: usize, is_removed: impl FnMut(usize) -> bool) -> usize {
        let removed = self.remove(is_removed);
        if removed > 0 {
            self.removals = self.removals.trimmed_to(window);
        }
        removed
    }

    pub(crate) fn removals(&self) -> Removals {
        self.removals
    }

    pub(crate) fn set_removals(&mut self, removals: Removals) {
        self.removals = removals;
    }

    /// Records that the session has the range of the messages.
    pub(crate) fn range_stored(&mut self) {
        self.removals = self.removals.stored();
    }

    fn remove(&mut self, mut is_removed: impl FnMut(usize) -> bool) -> usize {
        let before = self.list.len();
        self.list.retain(|at, _| !is_removed(at));
        let removed = before - self.list.len();
        if removed > 0 {
            self.changed = true;
            self.range = self.remaining_range();
        }
        removed
    }

    /// Removes gap notes between messages; [`repair`](Self::repair) adds the needed ones again.
    pub(crate) fn remove_gap_notes(&mut self) {
        self.list.retain(|_, position| position != Position::Gap);
        self.changed = true;
    }

    /// Replaces the message at an index.
    pub(crate) fn replace(&mut self, at: usize, message: Message) {
        let is_newest = at + 1 == self.list.len();
        let Some((shown, position)) = self.list.get_mut(at) else { return };
        let number = position.number();
        let original = std::mem::replace(shown, Arc::new(message));
        self.changed = true;
        self.saved.keep_original(number, is_newest, original);
    }

    /// Inserts a synthetic message before the one at an index.
    pub(crate) fn insert(&mut self, at: usize, mut message: Message) {
        message.track();
        self.list.insert(at, Arc::new(message), Position::Synthetic);
        self.changed = true;
    }

    /// Adds a message permanently. Returns it as added: an assistant message is merged into a preceding one.
    ///
    /// Calls with an id that is in use get a new one. A response that was read with [`call_ids`](Self::call_ids) has none.
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
        repair::append(&mut self.list, message, Position::New, &mut Vec::new());
        if self.list.len() == before {
            self.newest_changed();
        }
        self.number_newest();
        self.list.last().map_or_else(|| Arc::new(Message::new(Role::User, [""; 0])), Arc::clone)
    }

    /// Estimates the size in tokens: one for each message, and those of its content.
    pub(crate) fn size(&self) -> u64 {
        estimate_tokens(&ModelRequest::new(self.messages())).saturating_add(self.list.len() as u64)
    }

    /// Returns the number of messages of the whole conversation before an index; `None` if a message from the index on
    /// stands for older ones, such as a summary.
    pub(crate) fn rewound_to(&self, at: usize) -> Option<u64> {
        let first = self.number(at)?;
        let mut dropped = self.list.iter().skip(at).map(|(_, position)| position);
        dropped.all(|position| position == Position::Gap || position.number().is_some()).then_some(first)
    }

    /// Removes the messages from an index on, so that `keep` messages of the whole conversation stay. Returns the removed
    /// messages.
    pub(crate) fn rewind(&mut self, at: usize, keep: u64) -> Vec<Arc<Message>> {
        let dropped = self.list.iter().skip(at).filter(|(_, position)| *position != Position::Gap);
        let dropped = dropped.map(|(message, _)| Arc::clone(message)).collect();
        self.prompt = PendingPrompt::default();
        self.list.truncate(at);
        self.next_number = keep;
        self.saved.to = self.saved.to.min(keep);
        self.saved.last_changed = false;
        self.saved.forget_from(keep);
        self.range = self.remaining_range();
        self.changed = true;
        self.repair();
        dropped
    }

    /// Replaces the newest user message for a guardrail. Tool results are kept, with their content replaced, as is whether there is
    /// other content.
    pub(crate) fn redact_prompt(&mut self, replacement: &str) {
        let Some((last, position)) = self.list.last_mut().filter(|(last, _)| last.role == Role::User) else { return };
        let number = position.number();
        let message = Arc::make_mut(last);
        let blocks = message.content.len();
        let mut results: Vec<_> =
            message.content.drain(..).filter(|block| matches!(block, ContentBlock::ToolResult(_))).collect();
        for block in &mut results {
            if let ContentBlock::ToolResult(result) = block {
                result.content = vec![replacement.into()];
            }
        }
        if results.is_empty() || results.len() < blocks {
            results.push(ContentBlock::text(replacement));
        }
        message.content = results;
        self.saved.forget_original(number);
        self.newest_changed();
    }
}

#[cfg(test)]
mod tests;
