//! Messages with their places: two vectors kept in step, so that a model request can borrow the messages as a slice.

use std::sync::Arc;

use super::place::Place;
use crate::message::Message;

/// Messages with their places.
#[derive(Clone, Debug, Default)]
pub(crate) struct MessageList {
    messages: Vec<Arc<Message>>,
    places: Vec<Place>,
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
        Self { messages: Vec::with_capacity(messages), places: Vec::with_capacity(messages) }
    }

    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = (&Arc<Message>, Place)> + ExactSizeIterator {
        self.messages.iter().zip(self.places.iter().copied())
    }

    pub(super) fn places_mut(&mut self) -> impl DoubleEndedIterator<Item = &mut Place> + ExactSizeIterator {
        self.places.iter_mut()
    }

    pub(super) fn place(&self, at: usize) -> Option<Place> {
        self.places.get(at).copied()
    }

    pub(super) fn last(&self) -> Option<&Arc<Message>> {
        self.messages.last()
    }

    pub(super) fn last_place(&self) -> Option<Place> {
        self.places.last().copied()
    }

    pub(super) fn get_mut(&mut self, at: usize) -> Option<(&mut Arc<Message>, &mut Place)> {
        Some((self.messages.get_mut(at)?, self.places.get_mut(at)?))
    }

    pub(super) fn last_mut(&mut self) -> Option<(&mut Arc<Message>, &mut Place)> {
        Some((self.messages.last_mut()?, self.places.last_mut()?))
    }

    pub(super) fn push(&mut self, message: Arc<Message>, place: Place) {
        self.messages.push(message);
        self.places.push(place);
    }

    pub(super) fn insert(&mut self, at: usize, message: Arc<Message>, place: Place) {
        let at = at.min(self.messages.len());
        self.messages.insert(at, message);
        self.places.insert(at, place);
    }

    pub(super) fn truncate(&mut self, len: usize) {
        self.messages.truncate(len);
        self.places.truncate(len);
    }

    /// Keeps what `stays` is true for, by its index and its place.
    pub(super) fn retain(&mut self, mut stays: impl FnMut(usize, Place) -> bool) {
        let keep: Vec<bool> = self.places.iter().enumerate().map(|(at, place)| stays(at, *place)).collect();
        let mut each = keep.iter().copied();
        self.messages.retain(|_| each.next().unwrap_or(true));
        let mut each = keep.iter().copied();
        self.places.retain(|_| each.next().unwrap_or(true));
    }
}

impl IntoIterator for MessageList {
    type Item = (Arc<Message>, Place);
    type IntoIter = std::iter::Zip<std::vec::IntoIter<Arc<Message>>, std::vec::IntoIter<Place>>;

    fn into_iter(self) -> Self::IntoIter {
        self.messages.into_iter().zip(self.places)
    }
}

impl FromIterator<(Arc<Message>, Place)> for MessageList {
    fn from_iter<I: IntoIterator<Item = (Arc<Message>, Place)>>(messages: I) -> Self {
        let (messages, places) = messages.into_iter().unzip();
        Self { messages, places }
    }
}
