//! The end of an invocation from outside: its cancellation, or the end of its time.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::Sleep;
use tokio_util::sync::CancellationToken;

use crate::model::StopReason;
use crate::nesting::{self, Budget};

/// Time for which hooks and the session may still work after an invocation was stopped, all together. What they have not
/// finished by then is given up, so that a stopped invocation ends within 50 ms.
const GRACE: Duration = Duration::from_millis(25);

/// Resolves when the invocation is to end now: it was cancelled, or its time is up.
pub(super) struct Stop<'s> {
    cancellation: &'s CancellationToken,
    reason: Pin<&'s mut (dyn Future<Output = StopReason> + Send)>,
    fired: Option<(StopReason, Pin<Box<Sleep>>)>,
    /// True if a journal records the effects: what it does not record must not depend on the moment of a stop.
    is_journaled: bool,
    /// The budget of the invocation: agents that hooks call spend from it.
    budget: Arc<Budget>,
}

impl<'s> Stop<'s> {
    pub(super) fn new(
        cancellation: &'s CancellationToken,
        reason: Pin<&'s mut (dyn Future<Output = StopReason> + Send)>,
        is_journaled: bool,
        budget: Arc<Budget>,
    ) -> Self {
        Self { cancellation, reason, fired: None, is_journaled, budget }
    }

    /// As [`race`](Self::race), for work outside of the effects that a journal records. With a journal it is done to its
    /// end: the engine has a cancellation of its own.
    pub(super) async fn race_outside<T>(&mut self, work: impl Future<Output = T>) -> Result<T, StopReason> {
        if self.is_journaled { Ok(nesting::inside(&self.budget, work).await) } else { self.race(work).await }
    }

    /// True once the invocation was cancelled. Much cheaper than to poll; whoever looks here must also poll before it
    /// waits.
    pub(super) fn is_cancelled(&self) -> bool {
        self.cancellation.is_cancelled()
    }

    /// Ready once the invocation is stopped, however often it is asked.
    pub(super) fn poll_stop(&mut self, cx: &mut Context<'_>) -> Poll<StopReason> {
        if let Some((reason, _)) = &self.fired {
            return Poll::Ready(reason.clone());
        }
        let reason = std::task::ready!(self.reason.as_mut().poll(cx));
        self.fired = Some((reason.clone(), Box::pin(tokio::time::sleep(GRACE))));
        Poll::Ready(reason)
    }

    /// Waits for the stop.
    pub(super) async fn fires(&mut self) -> StopReason {
        poll_fn(|cx| self.poll_stop(cx)).await
    }

    /// Does work that has to end soon after a stop, such as a hook or a write to the session. What is ready at once is
    /// always done.
    ///
    /// # Errors
    ///
    /// Returns the reason of the stop if the work was given up.
    pub(super) async fn race<T>(&mut self, work: impl Future<Output = T>) -> Result<T, StopReason> {
        let mut work = pin!(work);
        poll_fn(|cx| {
            let outer = nesting::enter(&self.budget);
            if let Poll::Ready(done) = work.as_mut().poll(cx) {
                return Poll::Ready(Ok(done));
            }
            drop(outer);
            if self.poll_stop(cx).is_pending() {
                return Poll::Pending;
            }
            match &mut self.fired {
                Some((reason, grace)) => grace.as_mut().poll(cx).map(|()| Err(reason.clone())),
                None => Poll::Pending,
            }
        })
        .await
    }
}
