//! What of a conversation the model still sees: the managers that keep it inside the context window.

mod null;
mod sliding_window;

use std::error::Error as StdError;
use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Map, Value};

pub use null::NullConversationManager;
pub use sliding_window::SlidingWindowConversationManager;

use crate::agent::History;
use crate::message::Message;
use crate::model::Model;

/// A conversation that a [`ConversationManager`] may shorten.
///
/// What is changed here changes what the model sees; a session keeps what was said.
pub struct Conversation<'a> {
    history: &'a mut History,
    state: &'a mut Map<String, Value>,
    model: &'a dyn Model,
}

impl<'a> Conversation<'a> {
    pub(crate) fn new(history: &'a mut History, state: &'a mut Map<String, Value>, model: &'a dyn Model) -> Self {
        Self { history, state, model }
    }

    /// The messages, oldest first.
    pub fn messages(&self) -> &[Arc<Message>] {
        self.history.messages()
    }

    /// Removes the messages at these places. Returns how many went.
    pub fn remove(&mut self, places: Range<usize>) -> usize {
        self.history.remove(places)
    }

    /// Puts another message in the place of one.
    pub fn replace(&mut self, place: usize, message: Message) {
        self.history.replace(place, message);
    }

    /// Puts a message that nobody said, such as a summary, before the one at this place.
    pub fn insert(&mut self, place: usize, message: Message) {
        self.history.insert(place, message);
    }

    /// What the manager remembers of this conversation. It is kept with the agent, not in the manager, so that one
    /// manager serves many agents.
    pub fn state(&mut self) -> &mut Map<String, Value> {
        self.state
    }

    /// The agent's model.
    pub fn model(&self) -> &'a dyn Model {
        self.model
    }
}

impl std::fmt::Debug for Conversation<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Conversation").field("messages", &self.messages().len()).finish_non_exhaustive()
    }
}

/// What came of an attempt to shorten a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reduction {
    /// It is shorter now; the words say what was done.
    Reduced(String),
    /// It can't be shortened; the words say what was tried.
    Impossible(String),
}

/// Keeps a conversation inside the model's context window.
///
/// # Contract
///
/// - What is left is valid input: it starts with a user message, roles alternate, and each tool call stands beside its
///   result.
/// - The newest user message stays.
/// - `Reduction::Reduced` means that the conversation is smaller than before, so that asking again ends.
#[async_trait]
pub trait ConversationManager: Send + Sync {
    /// The manager's name, under which its state is stored.
    fn name(&self) -> &'static str;

    /// Tidies up after an invocation.
    ///
    /// # Errors
    ///
    /// Whatever the manager's own work can fail with, such as a model call.
    async fn apply(&self, conversation: &mut Conversation<'_>) -> Result<(), Box<dyn StdError + Send + Sync>>;

    /// Shortens the conversation because the model said that it does not fit.
    ///
    /// # Errors
    ///
    /// Whatever the manager's own work can fail with, such as a model call.
    async fn reduce(&self, conversation: &mut Conversation<'_>) -> Result<Reduction, Box<dyn StdError + Send + Sync>>;

    /// Brings what was shortened back as it was, after a session has brought back those messages that had stayed.
    fn restored(&self, conversation: &mut Conversation<'_>) {
        let _ = conversation;
    }
}
