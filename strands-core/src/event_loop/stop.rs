//! The end of an invocation from outside: its cancellation, or the end of its time.

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
    budget: Option<Arc<Budget>>,
}

impl<'s> Stop<'s> {
    pub(super) fn new(
        cancellation: &'s CancellationToken,
        reason: Pin<&'s mut (dyn Future<Output = StopReason> + Send)>,
        is_journaled: bool,
        budget: Arc<Budget>,
    ) -> Self {
        Self { cancellation, reason, fired: None, is_journaled, budget: Some(budget) }
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
    /// always done. The future resolves to the reason of the stop if the work was given up.
    pub(super) fn race<F: Future>(&mut self, work: F) -> Race<'_, 's, F> {
        Race { stop: self, work, is_done_to_its_end: false }
    }

    /// As [`race`](Self::race), for work outside of the effects that a journal records. With a journal it is done to its
    /// end: the engine has a cancellation of its own.
    pub(super) fn race_outside<F: Future>(&mut self, work: F) -> Race<'_, 's, F> {
        let is_done_to_its_end = self.is_journaled;
        Race { stop: self, work, is_done_to_its_end }
    }
}

pin_project! {
    #[project = RaceProjection]
    /// Work that is raced with a stop. A type of its own, since an async function has the future that it is given twice: as
    /// its argument, and where it polls it.
    pub(super) struct Race<'r, 's, F> {
        stop: &'r mut Stop<'s>,
        #[pin]
        work: F,
        is_done_to_its_end: bool,
    }
}

impl<F: Future> Future for Race<'_, '_, F> {
    type Output = Result<F::Output, StopReason>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let RaceProjection { stop, work, is_done_to_its_end } = self.project();
        let entered = nesting::enter(&mut stop.budget);
        if let Poll::Ready(done) = work.poll(cx) {
            return Poll::Ready(Ok(done));
        }
        drop(entered);
        if *is_done_to_its_end || stop.poll_stop(cx).is_pending() {
            return Poll::Pending;
        }
        match &mut stop.fired {
            Some((reason, grace)) => grace.as_mut().poll(cx).map(|()| Err(reason.clone())),
            None => Poll::Pending,
        }
    }
}
