//! Changes of a history that the session does not have yet.

use std::sync::Arc;

use super::list::MessageList;
use super::place::Place;
use crate::message::{ContentBlock, Message, Role};
use crate::session::MessageBatch;

/// Part of a history that a session has.
#[derive(Clone, Debug, Default)]
pub(super) struct Saved {
    /// The number of the first message that no session has.
    pub(super) to: u64,
    /// True if the newest saved message is no longer as it was saved.
    pub(super) last_changed: bool,
    /// True if a session stores the messages.
    pub(super) recording: bool,
    /// The original messages, where the model sees something else and the session may have yet to write them.
    originals: Vec<(u64, Arc<Message>)>,
    /// The number of the first message of the newest prompt, which is written together with its answer.
    unit_from: Option<u64>,
}

/// Changes that a session has to write next to match the history.
#[derive(Debug)]
pub(crate) struct Unsaved {
    pub(crate) batch: MessageBatch,
    to: u64,
}

impl Saved {
    pub(super) fn up_to(number: u64) -> Self {
        Self { to: number, ..Self::default() }
    }

    /// A prompt begins with this number.
    pub(super) fn prompt_begins(&mut self, number: u64) {
        self.unit_from.get_or_insert(number);
    }

    pub(super) fn prompt_withdrawn(&mut self) {
        self.unit_from = None;
    }

    /// The next batch of the first `answered` messages. A prompt and its answer are one batch, and older messages go in
    /// batches that end with an assistant message.
    pub(super) fn next(&self, list: &MessageList, answered: usize) -> Option<Unsaved> {
        let mut new = Vec::new();
        let mut changed = None;
        for (message, place) in list.iter().take(answered).rev() {
            let Some(number) = place.number() else { continue };
            if number >= self.to {
                new.push((number, message));
            } else {
                changed = self.last_changed.then_some((message, place));
                break;
            }
        }
        let replaced = changed.map(|(message, place)| without_earlier(self.original(message, place.number()), place));
        let mut unsaved = Unsaved { batch: MessageBatch { replaced, appended: Vec::new() }, to: self.to };
        for (number, message) in new.into_iter().rev() {
            unsaved.batch.appended.push(self.original(message, Some(number)));
            unsaved.to = number.saturating_add(1);
            if message.role == Role::Assistant && self.unit_from.is_none_or(|from| number < from) {
                break;
            }
        }
        (!unsaved.batch.is_empty()).then_some(unsaved)
    }

    /// The session has written what [`next`](Self::next) returned.
    pub(super) fn written(&mut self, unsaved: &Unsaved, newest: Option<u64>) {
        self.last_changed = false;
        self.to = self.to.max(unsaved.to);
        self.unit_from = self.unit_from.filter(|from| *from >= self.to);
        let to = self.to;
        // The newest may change again.
        self.originals.retain(|(number, _)| *number >= to || Some(*number) == newest);
    }

    /// The newest message, of this number, has changed after it was added.
    pub(super) fn newest_changed(&mut self, number: Option<u64>) {
        self.last_changed |= number.is_some_and(|number| number < self.to);
    }

    /// The model sees something else from now on than this message.
    pub(super) fn keep_original(&mut self, number: Option<u64>, is_newest: bool, message: Arc<Message>) {
        let Some(number) = number.filter(|number| self.recording && (is_newest || *number >= self.to)) else { return };
        if !self.originals.iter().any(|(known, _)| *known == number) {
            self.originals.push((number, message));
        }
    }

    pub(super) fn forget_original(&mut self, number: Option<u64>) {
        self.originals.retain(|(known, _)| Some(*known) != number);
    }

    /// Messages from this number on are gone.
    pub(super) fn forget_from(&mut self, number: u64) {
        self.originals.retain(|(known, _)| *known < number);
    }

    pub(super) fn originals(&self) -> &[(u64, Arc<Message>)] {
        &self.originals
    }

    pub(super) fn set_originals(&mut self, originals: Vec<(u64, Arc<Message>)>) {
        self.originals = originals;
    }

    /// The message as it was said, with the content that has joined it since.
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

/// The last of the messages that one was joined from, as far as it is that: the others stand for themselves.
fn without_earlier(joined: Arc<Message>, place: Place) -> Arc<Message> {
    match place {
        Place::Numbered { before_last, .. } if (1..joined.content.len()).contains(&before_last) => {
            let mut last = Message::clone(&joined);
            last.content.drain(..before_last);
            Arc::new(last)
        }
        _ => joined,
    }
}
