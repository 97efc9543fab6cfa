//! When to shorten a conversation before the model has to refuse it: at a share of its context window.

use super::Conversation;

/// Strands' share.
const DEFAULT: f64 = 0.7;

/// A share of the context window, above 0 and at most 1.
#[derive(Clone, Copy, Debug)]
pub(super) struct Share(f64);

impl Share {
    pub(super) fn new(share: f64) -> Self {
        Self(if share > 0.0 { share.min(1.0) } else { DEFAULT })
    }

    /// By how many tokens the next request is above the share.
    pub(super) fn excess(self, conversation: &Conversation<'_>) -> Option<u64> {
        let projected = conversation.projected_tokens();
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a share of a token count, from 0 to that count; the last bits do not matter"
        )]
        let most = (conversation.context_window() as f64 * self.0) as u64;
        projected.checked_sub(most).filter(|excess| *excess > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_a_share() {
        assert_eq!(
            [0.5, 3.0, -1.0, 0.0, f64::NAN].map(|share| Share::new(share).0),
            [0.5, 1.0, DEFAULT, DEFAULT, DEFAULT]
        );
    }
}
