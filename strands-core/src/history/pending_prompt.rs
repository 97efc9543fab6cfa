//! Pending prompt: its messages join the history for good once the model has responded, and are withdrawn otherwise.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::position::Position;
use super::{History, MessageList, repair};
use crate::message::{Message, Role, unique_calls};

/// Changes made by a prompt without a response.
#[derive(Clone, Debug, Default)]
pub(super) struct PendingPrompt {
    /// Number of messages of the prompt at the end of the history.
    pub(super) messages: usize,
    /// The last message as it was before the prompt was merged into it.
    merged: Option<Arc<Message>>,
    /// The messages and the conversation manager's state before they were truncated for a model call without a response.
    snapshot: Option<Box<UntruncatedHistory>>,
}

#[derive(Clone, Debug)]
struct UntruncatedHistory {
    list: MessageList,
    originals: Vec<(u64, Arc<Message>)>,
    state: Map<String, Value>,
}

impl History {
    /// Adds a prompt, pending until there is a response. A message is merged into a preceding one of the same role, and
    /// results without a call are dropped.
    pub(crate) fn add_prompt(&mut self, prompt: Vec<Message>) {
        let mut prompt: MessageList =
            repair::grouped(prompt.into_iter().map(|message| (Arc::new(message), Position::New))).into_iter().collect();
        if prompt.messages().iter().any(|message| message.tool_uses().next().is_some()) {
            unique_calls::rename_repeated(prompt.messages_mut(), Arc::make_mut(&mut self.call_ids));
        }
        self.removals = self.removals.prompted_with(prompt.len());
        if prompt.messages().first().is_some_and(|first| first.role == Role::User) {
            self.part_from_older();
        }
        for (mut message, _) in prompt {
            let (before, last) = (self.list.len(), self.list.last().map(Arc::clone));
            if message.tracking_id.is_none() {
                Arc::make_mut(&mut message).track();
            }
            let tracking_id = message.tracking_id.clone();
            repair::append(&mut self.list, message, Position::New, &mut Vec::new());
            let pushed = self.list.len() - before;
            // Tool results alone are of no prompt: a message that was joined with them becomes that of this one.
            if pushed == 0
                && let (Some(before), Some((joined, _))) = (last.as_deref(), self.list.last_mut())
                && !before.is_prompt()
                && joined.is_prompt()
            {
                Arc::make_mut(joined).tracking_id = tracking_id;
            }
            let changed = |last: &Arc<Message>| self.list.last().is_some_and(|now| !Arc::ptr_eq(now, last));
            if pushed == 0 && self.prompt.messages == 0 && self.prompt.merged.is_none() {
                self.prompt.merged = last.filter(changed);
            }
            self.prompt.messages += pushed;
            self.saved.prompt_begins(self.next_number);
            self.number_newest();
        }
    }

    /// Adds a note if the last message is a user message whose successors were removed or rewound: the next message must not be
    /// merged into it, since the session has others between them.
    fn part_from_older(&mut self) {
        let is_followed = |position: Position| position.is_followed_by(Position::numbered(self.next_number));
        let parts = self.list.last().is_some_and(|last| last.role == Role::User)
            && self.list.last_position().is_some_and(|last| last.number().is_some() && !is_followed(last));
        if parts {
            self.list.push(repair::gap_note_before(Role::User), Position::Gap);
        }
    }

    /// Saves the messages before a truncation. They are restored if the prompt is withdrawn.
    pub(crate) fn snapshot_before_truncation(&mut self, state: &Map<String, Value>) {
        if self.prompt.snapshot.is_none() {
            let (list, originals) = (self.list.clone(), self.saved.originals().to_vec());
            self.prompt.snapshot = Some(Box::new(UntruncatedHistory { list, originals, state: state.clone() }));
        }
    }

    /// Makes the pending prompt permanent. Returns its messages, including one that it was merged into.
    pub(crate) fn commit_prompt(&mut self) -> Vec<Arc<Message>> {
        let PendingPrompt { messages, merged, .. } = std::mem::take(&mut self.prompt);
        let new = messages + usize::from(merged.is_some());
        let joined = self.list.len().checked_sub(new).filter(|_| merged.is_some());
        self.saved.newest_changed(joined.and_then(|at| self.number(at)));
        self.messages().iter().skip(self.list.len().saturating_sub(new)).cloned().collect()
    }

    /// Removes the pending prompt. Returns the conversation manager's state if a truncation was undone as well.
    pub(crate) fn withdraw_prompt(&mut self) -> Option<Map<String, Value>> {
        let PendingPrompt { messages, merged, snapshot } = std::mem::take(&mut self.prompt);
        let state = snapshot.map(|snapshot| {
            let UntruncatedHistory { list, originals, state } = *snapshot;
            (self.list, self.changed) = (list, false);
            self.call_ids = Arc::new(unique_calls::rename_repeated_earlier(self.list.messages_mut()));
            self.saved.set_originals(originals);
            state
        });
        let permanent = self.list.len().saturating_sub(messages);
        if let Some(number) = self.list.iter().skip(permanent).find_map(|(_, position)| position.number()) {
            self.next_number = number;
        }
        self.saved.forget_from(self.next_number);
        self.saved.prompt_withdrawn();
        for (message, _) in self.list.iter().skip(permanent) {
            for call in message.tool_uses() {
                Arc::make_mut(&mut self.call_ids).free(&call.tool_use_id);
            }
        }
        self.list.truncate(permanent);
        if state.is_some() {
            self.range = self.remaining_range();
        }
        if let Some(merged) = merged
            && let Some((last, _)) = self.list.last_mut()
        {
            *last = merged;
        }
        state
    }
}
