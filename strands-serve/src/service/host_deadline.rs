//! Deadline of the host for the current request, such as the end of a Lambda invocation.
//!
//! It is a value of the task, so that it holds for the turns of all routes, without a parameter of each handler.

use std::time::Duration;

use tokio::time::Instant;

tokio::task_local! {
    static DEADLINE: Instant;
}

/// Runs the handler of a request with a deadline for its turns.
#[cfg(feature = "lambda")]
pub(crate) async fn with_deadline<F: Future>(deadline: Option<Instant>, handler: F) -> F::Output {
    match deadline {
        Some(deadline) => DEADLINE.scope(deadline, handler).await,
        None => handler.await,
    }
}

/// Returns the time until the deadline of the current request.
pub(super) fn time_left() -> Option<Duration> {
    DEADLINE.try_with(|deadline| deadline.saturating_duration_since(Instant::now())).ok()
}
