//! Repetition of requests to the ingress while the server can't be reached.

use std::future::Future;
use std::time::Duration;

use tokio::time::Instant;

use super::error::ObjectErrorKind;

/// Maximum time of a request that does not wait for a turn.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// Delay before a failed request is repeated, which doubles with each failure in a row.
pub(super) const FIRST_DELAY: Duration = Duration::from_millis(50);
const MAX_DELAY: Duration = Duration::from_secs(2);

/// Failure of one request.
pub(super) struct Failure {
    pub(super) kind: ObjectErrorKind,
    /// True if the same request may succeed later.
    pub(super) is_transient: bool,
    /// True if the server may have the request nevertheless.
    pub(super) may_have_arrived: bool,
}

impl From<ObjectErrorKind> for Failure {
    fn from(kind: ObjectErrorKind) -> Self {
        Self { kind, is_transient: false, may_have_arrived: false }
    }
}

/// Performs a request to which the server responds at once. It is repeated after failures that may pass, until there was no response for
/// the timeout.
pub(super) async fn brief<T, F>(timeout: Duration, request: impl Fn() -> F) -> Result<T, ObjectErrorKind>
where
    F: Future<Output = Result<T, Failure>>,
{
    let in_time = || async {
        tokio::time::timeout(REQUEST_TIMEOUT, request()).await.unwrap_or_else(|_| {
            let reason = format!("no response within {REQUEST_TIMEOUT:?}");
            Err(Failure { kind: ObjectErrorKind::Unreachable { reason }, is_transient: true, may_have_arrived: true })
        })
    };
    repeated(timeout, false, in_time).await
}

/// Performs a request that waits for a turn, and repeats it as [`brief`] does. One that fails late had reached the server: the timeout
/// starts anew.
pub(super) async fn waiting<T, F>(timeout: Duration, request: impl Fn() -> F) -> Result<T, ObjectErrorKind>
where
    F: Future<Output = Result<T, Failure>>,
{
    repeated(timeout, true, request).await
}

async fn repeated<T, F>(timeout: Duration, waits: bool, request: impl Fn() -> F) -> Result<T, ObjectErrorKind>
where
    F: Future<Output = Result<T, Failure>>,
{
    let mut delay = FIRST_DELAY;
    let mut failing: Option<Instant> = None;
    loop {
        let began = Instant::now();
        let Failure { kind, is_transient, .. } = match request().await {
            Ok(response) => return Ok(response),
            Err(failure) => failure,
        };
        if waits && began.elapsed() > REQUEST_TIMEOUT {
            (failing, delay) = (Some(Instant::now()), FIRST_DELAY);
        }
        let since = *failing.get_or_insert(began);
        if !is_transient || since.elapsed() >= timeout {
            return Err(kind);
        }
        tokio::time::sleep(delay.mul_f64(0.5 + fastrand::f64() / 2.0)).await;
        delay = delay.saturating_mul(2).min(MAX_DELAY);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[tokio::test(start_paused = true)]
    async fn a_request_without_a_response_fails_after_the_timeout() {
        // As a clock that runs, a timer then expires a little late.
        tokio::time::advance(Duration::from_micros(300)).await;
        let began = Instant::now();
        let request = brief(MINUTE, std::future::pending::<Result<(), Failure>>);
        let ended = tokio::time::timeout(10 * MINUTE, request).await;
        assert!(matches!(ended, Ok(Err(ObjectErrorKind::Unreachable { .. }))), "{ended:?}");
        assert!(began.elapsed() < MINUTE + REQUEST_TIMEOUT, "{:?}", began.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn connections_of_waiting_requests_may_break_again_and_again() {
        let count = std::cell::Cell::new(0);
        let request = || async {
            tokio::time::sleep(MINUTE).await;
            count.set(count.get() + 1);
            let kind = ObjectErrorKind::Unreachable { reason: "the connection was closed".to_owned() };
            if count.get() < 10 { Err(Failure { kind, is_transient: true, may_have_arrived: true }) } else { Ok(()) }
        };
        assert!(waiting(MINUTE, request).await.is_ok());
    }
}
