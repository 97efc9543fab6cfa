//! List of messages with their positions, in two parallel vectors, so that a model request can borrow the messages as a
//! slice.

use std::sync::Arc;

use super::position::Position;
use crate::message::Message;

/// Messages with their positions.
#[derive(Clone, Debug, Default)]
pub(crate) struct MessageList {
    messages: Vec<Arc<Message>>,
    positions: Vec<Position>,
}

impl MessageList {
    pub(crate) fn messages(&self) -> &[Arc<Message>] {
        &self.messages
    }

    pub(super) fn messages_mut(&mut self) -> &mut [Arc<Message>] {
        &mut self.messages
    }

    pub(crate) fn len(&self) -> usize {
        self.messages.len()
    }

    pub(super) fn with_capacity(messages: usize) -> Self {
        Self { messages: Vec::with_capacity(messages), positions: Vec::with_capacity(messages) }
    }

    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = (&Arc<Message>, Position)> + ExactSizeIterator {
        self.messages.iter().zip(self.positions.iter().copied())
    }

    pub(super) fn positions_mut(&mut self) -> impl DoubleEndedIterator<Item = &mut Position> + ExactSizeIterator {
        self.positions.iter_mut()
    }

    pub(super) fn position(&self, at: usize) -> Option<Position> {
        self.positions.get(at).copied()
    }

    pub(super) fn last(&self) -> Option<&Arc<Message>> {
        self.messages.last()
    }

    pub(super) fn last_position(&self) -> Option<Position> {
        self.positions.last().copied()
    }

    pub(super) fn get_mut(&mut self, at: usize) -> Option<(&mut Arc<Message>, &mut Position)> {
        Some((self.messages.get_mut(at)?, self.positions.get_mut(at)?))
    }

    pub(super) fn last_mut(&mut self) -> Option<(&mut Arc<Message>, &mut Position)> {
        Some((self.messages.last_mut()?, self.positions.last_mut()?))
    }

    pub(super) fn push(&mut self, message: Arc<Message>, position: Position) {
        self.messages.push(message);
        self.positions.push(position);
    }

    pub(super) fn insert(&mut self, at: usize, message: Arc<Message>, position: Position) {
        let at = at.min(self.messages.len());
        self.messages.insert(at, message);
        self.positions.insert(at, position);
    }

    pub(super) fn truncate(&mut self, len: usize) {
        self.messages.truncate(len);
        self.positions.truncate(len);
    }

    /// Keeps the messages for which `keeps` returns true, by index and position.
    pub(super) fn retain(&mut self, mut keeps: impl FnMut(usize, Position) -> bool) {
        let keep: Vec<bool> = self.positions.iter().enumerate().map(|(at, position)| keeps(at, *position)).collect();
        let mut each = keep.iter().copied();
        self.messages.retain(|_| each.next().unwrap_or(true));
        let mut each = keep.iter().copied();
        self.positions.retain(|_| each.next().unwrap_or(true));
    }
}

impl IntoIterator for MessageList {
    type Item = (Arc<Message>, Position);
    type IntoIter = std::iter::Zip<std::vec::IntoIter<Arc<Message>>, std::vec::IntoIter<Position>>;

    fn into_iter(self) -> Self::IntoIter {
        self.messages.into_iter().zip(self.positions)
    }
}

impl FromIterator<(Arc<Message>, Position)> for MessageList {
    fn from_iter<I: IntoIterator<Item = (Arc<Message>, Position)>>(messages: I) -> Self {
        let (messages, positions) = messages.into_iter().unzip();
        Self { messages, positions }
    }
}
