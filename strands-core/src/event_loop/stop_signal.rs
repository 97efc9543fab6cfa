//! Stop signal of an invocation: it is cancelled, or its time is up.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use pin_project_lite::pin_project;
use tokio::time::Sleep;
use tokio_util::sync::CancellationToken;

use crate::models::StopReason;
use crate::nesting::{self, Budget};

/// Grace period for hooks and session writes after a stop, in total. Work that takes longer is dropped, so that a stopped
/// invocation ends within 50 ms.
const GRACE: Duration = Duration::from_millis(25);

/// Stop signal of an invocation, and the grace period after it.
pub(super) struct StopSignal<'s> {
    cancellation: &'s CancellationToken,
    reason: Pin<&'s mut (dyn Future<Output = StopReason> + Send)>,
    fired: Option<(StopReason, Pin<Box<Sleep>>)>,
    /// True if a journal records the effects. Work that it does not record must not depend on the moment of a stop.
    is_journaled: bool,
    /// Budget of the invocation, which agents called by hooks share.
    budget: Option<Arc<Budget>>,
}

impl<'s> StopSignal<'s> {
    pub(super) fn new(
        cancellation: &'s CancellationToken,
        reason: Pin<&'s mut (dyn Future<Output = StopReason> + Send)>,
        is_journaled: bool,
        budget: Arc<Budget>,
    ) -> Self {
        Self { cancellation, reason, fired: None, is_journaled, budget: Some(budget) }
    }

    /// Returns true once the invocation is cancelled. Much cheaper than polling; the caller must still poll before it
    /// waits.
    pub(super) fn is_cancelled(&self) -> bool {
        self.cancellation.is_cancelled()
    }

    /// Returns `Ready` once the invocation is stopped, and on every later call.
    pub(super) fn poll_stop(&mut self, cx: &mut Context<'_>) -> Poll<StopReason> {
        if let Some((reason, _)) = &self.fired {
            return Poll::Ready(reason.clone());
        }
        let reason = std::task::ready!(self.reason.as_mut().poll(cx));
        self.fired = Some((reason.clone(), Box::pin(tokio::time::sleep(GRACE))));
        Poll::Ready(reason)
    }

    /// Waits until the invocation is stopped.
    pub(super) async fn stopped(&mut self) -> StopReason {
        poll_fn(|cx| self.poll_stop(cx)).await
    }

    /// Runs work that has to end soon after a stop, such as a hook or a session write. Work that is ready at once always
    /// completes. Resolves to the reason of the stop if the work was dropped.
    pub(super) fn race<F: Future>(&mut self, work: F) -> Race<'_, 's, F> {
        Race { stop: self, work, runs_to_completion: false }
    }

    /// Like [`race`](Self::race), for work that a journal does not record. With a journal the work runs to completion, since
    /// cancellation is up to the durable engine.
    pub(super) fn race_unrecorded<F: Future>(&mut self, work: F) -> Race<'_, 's, F> {
        let runs_to_completion = self.is_journaled;
        Race { stop: self, work, runs_to_completion }
    }
}

pin_project! {
    #[project = RaceProjection]
    /// Work that races with a stop. It is a type rather than an async function, which would store the future twice: as its
    /// argument and in its state.
    pub(super) struct Race<'r, 's, F> {
        stop: &'r mut StopSignal<'s>,
        #[pin]
        work: F,
        runs_to_completion: bool,
    }
}

impl<F: Future> Future for Race<'_, '_, F> {
    type Output = Result<F::Output, StopReason>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let RaceProjection { stop, work, runs_to_completion } = self.project();
        let entered = nesting::enter(&mut stop.budget);
        if let Poll::Ready(done) = work.poll(cx) {
            return Poll::Ready(Ok(done));
        }
        drop(entered);
        if *runs_to_completion || stop.poll_stop(cx).is_pending() {
            return Poll::Pending;
        }
        match &mut stop.fired {
            Some((reason, grace)) => grace.as_mut().poll(cx).map(|()| Err(reason.clone())),
            None => Poll::Pending,
        }
    }
}
