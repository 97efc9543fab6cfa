//! Cancellation token of an invocation, created on first use, since most invocations never need it.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering, fence};

use tokio_util::sync::CancellationToken;

/// A token that is cancelled with its parent token, and when the invocation ends.
#[derive(Debug)]
pub(super) struct InvocationToken {
    caller: Option<CancellationToken>,
    token: OnceLock<CancellationToken>,
    is_over: AtomicBool,
}

impl InvocationToken {
    /// Creates a token that is cancelled with the caller's, if there is one.
    pub(super) fn derived_from(caller: Option<CancellationToken>) -> Self {
        Self { caller, token: OnceLock::new(), is_over: AtomicBool::new(false) }
    }

    pub(super) fn get(&self) -> &CancellationToken {
        let token = self
            .token
            .get_or_init(|| self.caller.as_ref().map_or_else(CancellationToken::new, CancellationToken::child_token));
        // Either this thread sees the end, or `end` sees the token.
        fence(Ordering::SeqCst);
        if self.is_over.load(Ordering::Relaxed) {
            token.cancel();
        }
        token
    }

    /// Cancels the token, including one that is created later.
    pub(super) fn end(&self) {
        self.is_over.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        if let Some(token) = self.token.get() {
            token.cancel();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_cancelled_with_the_caller_and_at_the_end() {
        let caller = CancellationToken::new();
        let token = InvocationToken::derived_from(Some(caller.clone()));
        assert!(!token.get().is_cancelled());
        caller.cancel();
        assert!(token.get().is_cancelled());

        let caller = CancellationToken::new();
        let (created_before, created_after) =
            (InvocationToken::derived_from(Some(caller.clone())), InvocationToken::derived_from(Some(caller.clone())));
        let before = created_before.get().clone();
        created_before.end();
        created_after.end();
        assert!(before.is_cancelled() && created_after.get().is_cancelled());
        assert!(!caller.is_cancelled(), "the caller's token is not cancelled");
    }
}
