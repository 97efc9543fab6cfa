//! Save state of a history: the messages that the session has, and the changes to write next.

use std::sync::Arc;

use super::list::MessageList;
use super::position::Position;
use crate::message::{ContentBlock, Message, Role};
use crate::session::MessageBatch;

/// Save state of a history.
#[derive(Clone, Debug, Default)]
pub(super) struct SaveState {
    /// Number of the first unsaved message.
    pub(super) to: u64,
    /// True if the newest saved message has changed since it was saved.
    pub(super) last_changed: bool,
    /// True if there is a session.
    pub(super) recording: bool,
    /// Original messages that were replaced in the history before the session may have saved them.
    originals: Vec<(u64, Arc<Message>)>,
    /// Number of the first message of the newest prompt, which is saved in one batch with its response.
    batch_from: Option<u64>,
}

/// The next changes for a session to write.
#[derive(Debug)]
pub(crate) struct Unsaved {
    pub(crate) batch: MessageBatch,
    to: u64,
}

impl SaveState {
    pub(super) fn up_to(number: u64) -> Self {
        Self { to: number, ..Self::default() }
    }

    /// Marks the number of the first message of a prompt.
    pub(super) fn prompt_begins(&mut self, number: u64) {
        self.batch_from.get_or_insert(number);
    }

    pub(super) fn prompt_withdrawn(&mut self) {
        self.batch_from = None;
    }

    /// Returns the next batch of the first `permanent` messages. A prompt and its response are one batch; older messages are
    /// written in batches that end with an assistant message.
    pub(super) fn next(&self, list: &MessageList, permanent: usize) -> Option<Unsaved> {
        let from = self.first_unsaved(list, permanent);
        let mut saved = list.iter().take(from).rev().filter(|(_, position)| position.number().is_some());
        let changed = if self.last_changed { saved.next() } else { None };
        let replaced =
            changed.map(|(message, position)| without_earlier(self.original(message, position.number()), position));
        let mut unsaved = Unsaved { batch: MessageBatch { replaced, appended: Vec::new() }, to: self.to };
        for (message, position) in list.iter().take(permanent).skip(from) {
            let Some(number) = position.number() else { continue };
            unsaved.batch.appended.push(self.original(message, Some(number)));
            unsaved.to = number.saturating_add(1);
            if message.role == Role::Assistant && self.batch_from.is_none_or(|from| number < from) {
                break;
            }
        }
        (!unsaved.batch.is_empty()).then_some(unsaved)
    }

    /// Returns the index behind the newest saved one of the first `permanent` messages.
    fn first_unsaved(&self, list: &MessageList, permanent: usize) -> usize {
        let number = |at: usize| list.position(at).and_then(Position::number);
        let is_saved = |at: usize| number(at).is_some_and(|number| number < self.to);
        // Numbers are mostly consecutive. Without this, saving many messages batch by batch would take quadratic time.
        let unsaved = permanent.checked_sub(1).and_then(number).and_then(|newest| newest.checked_sub(self.to));
        let expected = unsaved.and_then(|unsaved| permanent.checked_sub(usize::try_from(unsaved).ok()? + 1));
        match expected {
            Some(at) if number(at) == Some(self.to) && at.checked_sub(1).is_none_or(is_saved) => at,
            _ => (0..permanent).rev().find(|at| is_saved(*at)).map_or(0, |newest| newest + 1),
        }
    }

    /// Marks the changes that [`next`](Self::next) returned as written.
    pub(super) fn written(&mut self, unsaved: &Unsaved, newest: Option<u64>) {
        self.last_changed = false;
        self.to = self.to.max(unsaved.to);
        self.batch_from = self.batch_from.filter(|from| *from >= self.to);
        let to = self.to;
        // The newest message may change again.
        self.originals.retain(|(number, _)| *number >= to || Some(*number) == newest);
    }

    /// Marks the newest message, with this number, as changed.
    pub(super) fn newest_changed(&mut self, number: Option<u64>) {
        self.last_changed |= number.is_some_and(|number| number < self.to);
    }

    /// Stores the original of a message that is replaced in the history, if the session may still have to save it.
    pub(super) fn keep_original(&mut self, number: Option<u64>, is_newest: bool, message: Arc<Message>) {
        let Some(number) = number.filter(|number| self.recording && (is_newest || *number >= self.to)) else { return };
        if !self.originals.iter().any(|(known, _)| *known == number) {
            self.originals.push((number, message));
        }
    }

    pub(super) fn forget_original(&mut self, number: Option<u64>) {
        self.originals.retain(|(known, _)| Some(*known) != number);
    }

    /// Drops the originals from a number on.
    pub(super) fn forget_from(&mut self, number: u64) {
        self.originals.retain(|(known, _)| *known < number);
    }

    pub(super) fn originals(&self) -> &[(u64, Arc<Message>)] {
        &self.originals
    }

    pub(super) fn set_originals(&mut self, originals: Vec<(u64, Arc<Message>)>) {
        self.originals = originals;
    }

    /// Returns the original of a message, with the content that was merged into it since.
    fn original(&self, message: &Arc<Message>, number: Option<u64>) -> Arc<Message> {
        let Some((_, original)) = self.originals.iter().find(|(known, _)| Some(*known) == number) else {
            return Arc::clone(message);
        };
        let mut whole = Message::clone(message);
        let joined = message.content.iter().skip(original.content.len());
        whole.content = original.content.iter().chain(joined).cloned().collect::<Vec<ContentBlock>>();
        Arc::new(whole)
    }
}

/// Returns the part of a merged message that comes from its last message.
fn without_earlier(joined: Arc<Message>, position: Position) -> Arc<Message> {
    match position {
        Position::Numbered { before_last, .. } if (1..joined.content.len()).contains(&before_last) => {
            let mut last = Message::clone(&joined);
            last.content.drain(..before_last);
            Arc::new(last)
        }
        _ => joined,
    }
}
