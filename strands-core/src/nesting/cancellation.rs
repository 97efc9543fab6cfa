//! The cancellation token of an invocation, which is made when something asks for it: most invocations never do.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering, fence};

use tokio_util::sync::CancellationToken;

/// A token that is cancelled with the one it is derived from, and when the invocation is over.
#[derive(Debug)]
pub(super) struct InvocationToken {
    caller: CancellationToken,
    token: OnceLock<CancellationToken>,
    is_over: AtomicBool,
}

impl InvocationToken {
    /// A token that is cancelled with the caller's.
    pub(super) fn derived_from(caller: CancellationToken) -> Self {
        Self { caller, token: OnceLock::new(), is_over: AtomicBool::new(false) }
    }

    pub(super) fn get(&self) -> &CancellationToken {
        let token = self.token.get_or_init(|| self.caller.child_token());
        // Either this sees the end, or `end` sees the token.
        fence(Ordering::SeqCst);
        if self.is_over.load(Ordering::Relaxed) {
            token.cancel();
        }
        token
    }

    /// Cancels the token, also if it is asked for later.
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
        let token = InvocationToken::derived_from(caller.clone());
        assert!(!token.get().is_cancelled());
        caller.cancel();
        assert!(token.get().is_cancelled());

        let caller = CancellationToken::new();
        let (asked_before, asked_after) =
            (InvocationToken::derived_from(caller.clone()), InvocationToken::derived_from(caller.clone()));
        let before = asked_before.get().clone();
        asked_before.end();
        asked_after.end();
        assert!(before.is_cancelled() && asked_after.get().is_cancelled());
        assert!(!caller.is_cancelled(), "the caller's own token is left alone");
    }
}
