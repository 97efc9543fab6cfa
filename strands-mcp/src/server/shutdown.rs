//! Graceful shutdown: running calls may end, for a while.

use std::sync::Arc;

use tokio_util::sync::{CancellationToken, DropGuard};

use super::handler::Shared;

/// Waits for the server's token, and then for the end of running calls, at most for the shutdown timeout.
pub(super) async fn drained(shared: &Shared) {
    shared.settings.shutdown.cancelled().await;
    let no_calls = shared.calls.acquire_many(shared.settings.max_calls);
    let _ = tokio::time::timeout(shared.settings.shutdown_timeout, no_calls).await;
}

/// Starts a task that cancels `end` after the drain. The task ends with the guard.
pub(super) fn end_after_drain(shared: Arc<Shared>, end: CancellationToken) -> DropGuard {
    let watching = CancellationToken::new();
    let dropped = watching.clone();
    tokio::spawn(async move {
        tokio::select! {
            () = dropped.cancelled() => {}
            () = drained(&shared) => end.cancel(),
        }
    });
    watching.drop_guard()
}
