//! Futures that are dropped before they end.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

/// The moment at which a future is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    /// As soon as it is pending.
    AtOnce,
    /// On the next wake-up: the event it waits for has happened.
    WhenWoken,
}

impl Moment {
    pub(super) const ALL: [Self; 2] = [Self::AtOnce, Self::WhenWoken];
}

/// Polls a future at most so many times, then drops it. Returns its output if it has ended.
pub(super) async fn poll_times<F: Future>(future: F, polls: usize, moment: Moment) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut left = polls;
    poll_fn(|cx| {
        let Some(after) = left.checked_sub(1) else { return Poll::Ready(None) };
        left = after;
        match future.as_mut().poll(cx) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if left == 0 && moment == Moment::AtOnce => Poll::Ready(None),
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
