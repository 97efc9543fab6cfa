//! Conversation managers: truncation, trimming and summarizing of a conversation to fit the context window.

mod context_threshold;
mod conversation_view;
mod null;
mod offload;
mod options;
mod pins;
mod recorded_calls;
mod result_truncation;
mod sliding_window;
mod summarizing;
mod transcript;
mod window_trimming;

use std::error::Error as StdError;
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Map, Value};

pub use conversation_view::Conversation;
pub(crate) use conversation_view::{Cost, REDUCED_AT};
pub use null::NullConversationManager;
pub use offload::ToolResultOffloader;
pub(crate) use recorded_calls::Interruption;
pub use sliding_window::SlidingWindowConversationManager;
pub use summarizing::{SummarizingConversationManager, SummaryError};
pub(crate) use window_trimming::{SLIDING_WINDOW, WINDOW, window_to_store};

use crate::history::without_gap_notes;
use crate::message::Message;

/// Returns messages as sent to a model, without those that the manager inserts again when it restores them.
pub(crate) fn without_notes(messages: Vec<Arc<Message>>, state: &Map<String, Value>) -> Vec<Arc<Message>> {
    if state.is_empty() { messages } else { summarizing::without_summary(without_gap_notes(messages), state) }
}

/// Updates the manager's state after the conversation was rewound to its first `keep` messages.
pub(crate) fn rewound(conversation: &mut Conversation<'_>, keep: u64) {
    if keep == 0 {
        // The state of a manager refers to messages.
        conversation.state().clear();
        return;
    }
    result_truncation::forget_removed(conversation);
    conversation.clamp_reduced_at();
}

/// Result of an attempt to reduce a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reduction {
    /// The conversation is smaller now; with a description of the reduction.
    Reduced(String),
    /// The conversation can't be reduced; with a description of the attempt.
    Impossible(String),
    /// The conversation does not need to be reduced yet.
    NotNeeded,
}

/// Reduces a conversation so that it fits the model's context window.
///
/// Implement it under `#[async_trait]`, which is re-exported.
///
/// # Contract
///
/// - The reduced conversation is valid input: it starts with a user message, roles alternate, and each tool call is followed
///   by its result. (The agent repairs a conversation that is not.)
/// - The newest user message is retained.
/// - `Reduction::Reduced` means that the conversation is smaller than before, so that repeated reductions come to an end.
/// - State that a manager needs is in [`Conversation::state`]. With it, `restored` repeats the reduction on messages that a
///   session has restored.
/// - A manager that wraps another one has a name of its own, and delegates `restored` as well.
///
/// `testing::contract` has a test suite for this contract (feature `contract`).
#[async_trait]
pub trait ConversationManager: Send + Sync {
    /// Returns the manager's name, under which its state is stored.
    fn name(&self) -> &'static str;

    /// Reduces the conversation after an invocation, if necessary.
    ///
    /// # Errors
    ///
    /// Returns an error of the manager, such as a failed model call.
    async fn apply(&self, conversation: &mut Conversation<'_>) -> Result<(), Box<dyn StdError + Send + Sync>>;

    /// Reduces the conversation before a model call, if necessary. The default does nothing.
    ///
    /// # Errors
    ///
    /// Returns an error of the manager, such as a failed model call. The agent emits
    /// [`AgentEvent::ContextReductionFailed`](crate::AgentEvent::ContextReductionFailed) and continues with the conversation
    /// as it is.
    async fn prepare(&self, conversation: &mut Conversation<'_>) -> Result<Reduction, Box<dyn StdError + Send + Sync>> {
        let _ = conversation;
        Ok(Reduction::NotNeeded)
    }

    /// Reduces the conversation after a context overflow.
    ///
    /// # Errors
    ///
    /// Returns an error of the manager, such as a failed model call.
    async fn reduce(&self, conversation: &mut Conversation<'_>) -> Result<Reduction, Box<dyn StdError + Send + Sync>>;

    /// Repeats earlier reductions after a session has restored the messages. The default does nothing.
    ///
    /// # Errors
    ///
    /// Returns an error if the manager's stored state can't be read.
    fn restored(&self, conversation: &mut Conversation<'_>) -> Result<(), Box<dyn StdError + Send + Sync>> {
        let _ = conversation;
        Ok(())
    }
}
