//! Options that the sliding-window and the summarizing manager share.

use super::context_threshold::ContextThreshold;
use super::result_truncation::{self, Truncation};
use super::{Conversation, pins};

/// Options of a conversation manager: truncation of tool results, pinned messages, and the proactive threshold.
#[derive(Clone, Debug)]
pub(super) struct ManagerOptions {
    pub(super) truncate_results: bool,
    pub(super) pin_first: u64,
    pub(super) proactive: Option<ContextThreshold>,
}

impl Default for ManagerOptions {
    fn default() -> Self {
        Self { truncate_results: true, pin_first: 0, proactive: None }
    }
}

impl ManagerOptions {
    /// Returns a flag for each message: true if it is pinned.
    pub(super) fn pins(&self, conversation: &Conversation<'_>) -> Vec<bool> {
        pins::pinned(conversation.messages(), |at| conversation.number(at), self.pin_first)
    }

    /// Returns the tokens by which the next request exceeds the proactive threshold, if it does.
    pub(super) fn excess(&self, conversation: &Conversation<'_>) -> Option<u64> {
        self.proactive.and_then(|threshold| threshold.excess(conversation))
    }

    /// Truncates the largest tool results until about `tokens` are removed, unless that is disabled.
    pub(super) fn truncate_largest(&self, conversation: &mut Conversation<'_>, tokens: u64) -> Option<Truncation> {
        if !self.truncate_results {
            return None;
        }
        let pins = self.pins(conversation);
        result_truncation::truncate_largest(conversation, &pins, tokens)
    }
}

/// Defines the setters of [`ManagerOptions`] for a manager with a field `options`.
macro_rules! manager_option_setters {
    ($manager:ident) => {
        impl $manager {
            /// Truncates large tool results before messages are removed or summarized. Default: true.
            #[must_use]
            pub fn truncate_results(mut self, truncate: bool) -> Self {
                self.options.truncate_results = truncate;
                self
            }

            /// Pins the first `messages` of the whole conversation, in addition to those that are
            /// [`pinned`](crate::message::Message::pinned) themselves. Default: 0.
            #[must_use]
            pub fn pin_first(mut self, messages: u64) -> Self {
                self.options.pin_first = messages;
                self
            }

            /// Reduces the conversation before a model call whose projected input exceeds this share of the model's
            /// context window, from 0.0 to 1.0. Python Strands uses 0.7.
            ///
            /// The context window counts as 200,000 tokens if the model does not know it. Default: disabled; the
            /// conversation is reduced only after a context overflow.
            #[must_use]
            pub fn proactive(mut self, share: f64) -> Self {
                self.options.proactive = Some(crate::conversation::context_threshold::ContextThreshold::new(share));
                self
            }
        }
    };
}
pub(super) use manager_option_setters;
