//! What of a conversation the model still sees: the managers that keep it inside the context window.

mod null;
mod offload;
mod pins;
mod results;
mod share;
mod sliding_window;
mod summarizing;
mod transcript;
mod view;

use std::error::Error as StdError;
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Map, Value};

pub use null::NullConversationManager;
pub use offload::ToolResultOffloader;
pub use sliding_window::SlidingWindowConversationManager;
pub use summarizing::{SummarizingConversationManager, SummaryError};
pub use view::Conversation;
pub(crate) use view::Cost;

use crate::history::without_gap_notes;
use crate::message::Message;

/// Messages as a model saw them, without what the manager puts there itself when it restores them.
pub(crate) fn without_notes(messages: Vec<Arc<Message>>, state: &Map<String, Value>) -> Vec<Arc<Message>> {
    if state.is_empty() { messages } else { summarizing::without_summary(without_gap_notes(messages), state) }
}

/// The conversation was rewound to this many messages: forgets what was remembered of messages that went.
pub(crate) fn rewound(conversation: &mut Conversation<'_>, keep: u64) {
    if keep == 0 {
        // Nothing is left that a manager's state could be about.
        conversation.state().clear();
        return;
    }
    results::forget_removed(conversation);
    conversation.clamp_shortened_at();
}

/// What came of an attempt to shorten a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reduction {
    /// It is shorter now; the words say what was done.
    Reduced(String),
    /// It can't be shortened; the words say what was tried.
    Impossible(String),
    /// It need not be shortened yet.
    NotNeeded,
}

/// Keeps a conversation inside the model's context window.
///
/// An implementation stands under `#[async_trait]`, which is re-exported.
///
/// # Contract
///
/// - What is left is valid input: it starts with a user message, roles alternate, and each tool call stands beside its
///   result. (The agent mends what is not.)
/// - The newest user message stays.
/// - `Reduction::Reduced` means that the conversation is smaller than before, so that asking again ends.
/// - What a manager remembers is in [`Conversation::state`], and with it `restored` does to the messages that a session
///   brings back what had been done to them.
///
/// `testing::contract` has a test suite for it (feature `contract`).
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

    /// Shortens the conversation before a model call, where it is time to. The default leaves it as it is.
    ///
    /// # Errors
    ///
    /// Whatever the manager's own work can fail with, such as a model call. The invocation goes on with the conversation
    /// as it stands, after [`AgentEvent::ContextReductionFailed`](crate::AgentEvent::ContextReductionFailed).
    async fn prepare(&self, conversation: &mut Conversation<'_>) -> Result<Reduction, Box<dyn StdError + Send + Sync>> {
        let _ = conversation;
        Ok(Reduction::NotNeeded)
    }

    /// Shortens the conversation because the model said that it does not fit.
    ///
    /// # Errors
    ///
    /// Whatever the manager's own work can fail with, such as a model call.
    async fn reduce(&self, conversation: &mut Conversation<'_>) -> Result<Reduction, Box<dyn StdError + Send + Sync>>;

    /// Brings what was shortened back as it was, after a session has brought back those messages that had stayed.
    ///
    /// # Errors
    ///
    /// When what the session remembers for the manager can't be read.
    fn restored(&self, conversation: &mut Conversation<'_>) -> Result<(), Box<dyn StdError + Send + Sync>> {
        let _ = conversation;
        Ok(())
    }
}
