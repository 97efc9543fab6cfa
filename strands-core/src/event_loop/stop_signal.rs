//! Stop signal of an invocation: it is cancelled, or its time is up.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_core::future::BoxFuture;
use pin_project_lite::pin_project;
use tokio::time::{Instant, Sleep};
use tokio_util::sync::CancellationToken;

use crate::models::StopReason;
use crate::nesting::{self, Budget};
use crate::wake_filter::WakeFilter;

/// Grace period for hooks and session writes after a stop, in total. Work that takes longer is dropped, so that a stopped
/// invocation ends within 50 ms.
const GRACE: Duration = Duration::from_millis(25);

/// Inputs of another signal for the same stop.
struct Inputs {
    cancellation: Option<CancellationToken>,
    time_left: Option<Duration>,
    parent: Option<Arc<Budget>>,
}

/// Stop signal of an invocation, and the grace period after it.
#[derive(Default)]
pub(crate) struct StopSignal {
    cancellation: Option<CancellationToken>,
    /// Resolves to the reason of the stop. `None` if nothing can stop the invocation, or something has.
    reason: Option<Box<Filtered>>,
    fired: Option<(StopReason, Pin<Box<Sleep>>)>,
    /// Set if a journal records the effects. Work that it does not record must not depend on the moment of a stop.
    journaled: Option<Box<Inputs>>,
    /// Budget of the invocation, which agents called by hooks share.
    budget: Option<Arc<Budget>>,
}

/// The reason of a stop, which is polled only after it was woken.
struct Filtered {
    wakes: WakeFilter,
    reason: BoxFuture<'static, StopReason>,
}

impl StopSignal {
    /// Creates the stop signal of an invocation with this time left, nested in the invocation of `parent`. With a journal,
    /// `recorded_micros` is the time of earlier attempts, which is known once the signal is first polled.
    pub(super) fn new(
        cancellation: Option<CancellationToken>,
        time_left: Option<Duration>,
        parent: Option<Arc<Budget>>,
        recorded_micros: Option<Arc<AtomicU64>>,
        budget: Arc<Budget>,
    ) -> Self {
        let journaled = recorded_micros
            .is_some()
            .then(|| Box::new(Inputs { cancellation: cancellation.clone(), time_left, parent: parent.clone() }));
        let can_stop = cancellation.is_some() || time_left.is_some() || parent.is_some();
        let reason = can_stop.then(|| {
            let cancellation = cancellation.clone();
            let reason: BoxFuture<'static, StopReason> = match recorded_micros {
                Some(recorded) => {
                    let budget = Arc::clone(&budget);
                    Box::pin(stop_requested_after(recorded, cancellation, time_left, parent, budget))
                }
                None => Box::pin(stop_requested(cancellation, time_left, parent)),
            };
            Box::new(Filtered { wakes: WakeFilter::default(), reason })
        });
        Self { cancellation, reason, fired: None, journaled, budget: Some(budget) }
    }

    /// Returns another signal for the same stop, for an effect of a conversation manager, after this time of the invocation.
    /// `None` without a journal, or if nothing can stop the invocation.
    pub(super) fn for_effect(&self, elapsed: Duration) -> Option<BoxFuture<'static, StopReason>> {
        let Inputs { cancellation, time_left, parent } = self.journaled.as_deref()?;
        if self.reason.is_none() && self.fired.is_none() {
            return None;
        }
        let time_left = time_left.map(|time| time.saturating_sub(elapsed));
        Some(Box::pin(stop_requested(cancellation.clone(), time_left, parent.clone())))
    }

    /// Returns true once the invocation is cancelled. Much cheaper than polling; the caller must still poll before it
    /// waits.
    pub(super) fn is_cancelled(&self) -> bool {
        // A cancellation wakes the future of the reason.
        let may_be_cancelled = self.reason.as_ref().is_none_or(|filtered| filtered.wakes.is_woken());
        may_be_cancelled && self.cancellation.as_ref().is_some_and(CancellationToken::is_cancelled)
    }

    /// Returns `Ready` once the invocation is stopped, and on every later call.
    pub(super) fn poll_stop(&mut self, cx: &mut Context<'_>) -> Poll<StopReason> {
        if let Some((reason, _)) = &self.fired {
            return Poll::Ready(reason.clone());
        }
        let Some(Filtered { wakes, reason }) = self.reason.as_deref_mut() else { return Poll::Pending };
        if !wakes.take(cx) {
            return Poll::Pending;
        }
        let reason = std::task::ready!(reason.as_mut().poll(&mut Context::from_waker(wakes.waker())));
        self.reason = None;
        self.fired = Some((reason.clone(), Box::pin(tokio::time::sleep(GRACE))));
        Poll::Ready(reason)
    }

    /// Waits until the invocation is stopped.
    pub(super) async fn stopped(&mut self) -> StopReason {
        poll_fn(|cx| self.poll_stop(cx)).await
    }

    /// Runs work that has to end soon after a stop, such as a hook or a session write. Work that is ready at once always
    /// completes. Resolves to the reason of the stop if the work was dropped.
    pub(super) fn race<F: Future>(&mut self, work: F) -> Race<'_, F> {
        Race { stop: self, work, runs_to_completion: false }
    }

    /// Like [`race`](Self::race), for work that a journal does not record. With a journal the work runs to completion, since
    /// cancellation is up to the durable engine.
    pub(super) fn race_unrecorded<F: Future>(&mut self, work: F) -> Race<'_, F> {
        let runs_to_completion = self.journaled.is_some();
        Race { stop: self, work, runs_to_completion }
    }
}

pin_project! {
    #[project = RaceProjection]
    /// Work that races with a stop. It is a type rather than an async function, which would store the future twice: as its
    /// argument and in its state.
    pub(super) struct Race<'r, F> {
        stop: &'r mut StopSignal,
        #[pin]
        work: F,
        runs_to_completion: bool,
    }
}

impl<F: Future> Future for Race<'_, F> {
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

/// As [`stop_requested`], without the time of earlier attempts, in microseconds. Nested invocations have no more time than that.
async fn stop_requested_after(
    recorded_micros: Arc<AtomicU64>,
    cancellation: Option<CancellationToken>,
    time: Option<Duration>,
    parent: Option<Arc<Budget>>,
    budget: Arc<Budget>,
) -> StopReason {
    let recorded = Duration::from_micros(recorded_micros.load(Ordering::Relaxed));
    let time = time.map(|time| time.saturating_sub(recorded));
    if let Some(deadline) = time.and_then(|time| Instant::now().checked_add(time)) {
        budget.tighten_deadline(deadline);
    }
    drop(budget);
    stop_requested(cancellation, time, parent).await
}

/// Waits until an invocation, or an outer one, is cancelled or has no time left.
pub(crate) async fn stop_requested(
    cancellation: Option<CancellationToken>,
    time: Option<Duration>,
    parent: Option<Arc<Budget>>,
) -> StopReason {
    let cancelled = async {
        match cancellation {
            Some(cancellation) => cancellation.cancelled_owned().await,
            None => std::future::pending().await,
        }
    };
    let outer = parent.as_ref().and_then(|parent| parent.deadline());
    let outer = outer.map(|deadline| deadline.saturating_duration_since(Instant::now()));
    let time = time.into_iter().chain(outer).min();
    let out_of_time = async {
        match time {
            Some(time) => tokio::time::sleep(time).await,
            None => std::future::pending().await,
        }
    };
    let parent_ended = async {
        match &parent {
            Some(parent) => parent.ended().await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        biased;
        () = cancelled => StopReason::Cancelled,
        // Before the end of an outer invocation, which may have run out of time as well.
        () = out_of_time => StopReason::LimitDuration,
        () = parent_ended => StopReason::Cancelled,
    }
}
