//! Proactive threshold: the share of the context window above which a conversation is reduced before a model call.

use super::Conversation;

/// Default of Python Strands.
const DEFAULT: f64 = 0.7;

/// A share of the context window, above 0 and at most 1.
#[derive(Clone, Copy, Debug)]
pub(super) struct ContextThreshold(f64);

impl ContextThreshold {
    pub(super) fn new(share: f64) -> Self {
        Self(if share > 0.0 { share.min(1.0) } else { DEFAULT })
    }

    /// Returns the tokens by which the next request exceeds the threshold, if it does.
    pub(super) fn excess(self, conversation: &Conversation<'_>) -> Option<u64> {
        let threshold = share_of(conversation.context_window(), self.0);
        conversation.projected_tokens().checked_sub(threshold).filter(|excess| *excess > 0)
    }
}

/// Returns the estimated tokens of all messages.
pub(super) fn all_tokens(conversation: &Conversation<'_>) -> u64 {
    (0..conversation.messages().len()).map(|at| conversation.estimated_tokens(at)).sum()
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share of a count, from 0 to that count; the last bits do not matter"
)]
pub(super) fn share_of(count: u64, share: f64) -> u64 {
    (count as f64 * share) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_the_share_and_replaces_invalid_ones() {
        let shares = [0.5, 3.0, -1.0, 0.0, f64::NAN].map(|share| share_of(1_000, ContextThreshold::new(share).0));
        assert_eq!(shares, [500, 1_000, 700, 700, 700]);
    }
}
