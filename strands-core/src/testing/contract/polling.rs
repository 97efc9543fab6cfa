//! Futures that are dropped before they end, or that must end in time.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use crate::timers::has_timers;

/// The longest wait for an event that must happen, by the runtime's clock. It is finite so that a violation names the event.
pub(super) const MAX_WAIT: Duration = Duration::from_secs(30);

/// The longest time from a cancellation to the end.
pub(super) const MAX_STOP_TIME: Duration = Duration::from_millis(50);

/// Attempts at a time limit, since the machine may be busy.
pub(super) const ATTEMPTS: usize = 3;

/// The moment at which a future is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DropPoint {
    /// As soon as it is pending.
    AtOnce,
    /// On the next wake-up: the event that it waits for has happened.
    WhenWoken,
}

impl DropPoint {
    pub(super) const ALL: [Self; 2] = [Self::AtOnce, Self::WhenWoken];
}

/// Polls a future at most a number of times, then drops it. Returns its output if it has ended.
pub(super) async fn poll_times<F: Future>(future: F, polls: usize, drop_point: DropPoint) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut left = polls;
    poll_fn(|cx| {
        let Some(after) = left.checked_sub(1) else { return Poll::Ready(None) };
        left = after;
        match future.as_mut().poll(cx) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if left == 0 && drop_point == DropPoint::AtOnce => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

/// Lets other futures of the same task run.
pub(super) async fn yield_once() {
    let mut yielded = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Waits for a future, at most for a duration. Without timers, waits without a limit.
pub(super) async fn within<F: Future>(most: Duration, future: F) -> Option<F::Output> {
    if has_timers() { tokio::time::timeout(most, future).await.ok() } else { Some(future.await) }
}

/// Waits for a condition, at most for a duration. Returns true if it holds. Without timers, checks it a number of times.
pub(super) async fn becomes_true(most: Duration, holds: impl Fn() -> bool) -> bool {
    const STEP: Duration = Duration::from_millis(5);
    const CHECKS: usize = 100;
    if has_timers() {
        let waiting = async {
            while !holds() {
                tokio::time::sleep(STEP).await;
            }
        };
        return tokio::time::timeout(most, waiting).await.is_ok();
    }
    for _ in 0..CHECKS {
        if holds() {
            break;
        }
        yield_once().await;
    }
    holds()
}
