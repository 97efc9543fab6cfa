//! Nesting of invocations: an agent called by a tool, a hook or a conversation manager of another agent shares the budget of
//! the outer invocation, and is polled on the same stack.

mod budget;
mod cancellation;
mod counter;
mod share;
mod surroundings;

use std::cell::Cell;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_core::Stream;
use pin_project_lite::pin_project;

pub(crate) use budget::{Budget, Spent};
pub(crate) use surroundings::Surroundings;

/// Maximum nesting depth of agents on one stack. In a debug build each level takes about 150 KiB of the 2 MiB stack of a
/// Tokio thread.
pub(crate) const MAX_DEPTH: usize = 10;

thread_local! {
    /// Budget of the invocation whose tools and hooks are being polled on this thread.
    static CURRENT: Cell<Option<Arc<Budget>>> = const { Cell::new(None) };
}

/// Guard that makes a budget the current one. On drop, also after a panic, it moves the budget back. The budget is moved
/// rather than cloned, since reference counting would dominate the cost of a poll.
pub(crate) struct Entered<'s> {
    budget: &'s mut Option<Arc<Budget>>,
    outer: Option<Arc<Budget>>,
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        let outer = self.outer.take();
        // A thread that is exiting has nothing to restore.
        if let Ok(entered) = CURRENT.try_with(|current| current.replace(outer)) {
            *self.budget = entered;
        }
    }
}

/// Returns the budget of the invocation whose tool or hook is being polled.
pub(crate) fn current() -> Option<Arc<Budget>> {
    CURRENT
        .try_with(|current| {
            let budget = current.take();
            current.set(budget.clone());
            budget
        })
        .ok()
        .flatten()
}

/// Checks that an invocation may be nested in a budget's.
///
/// # Errors
///
/// Returns the depth that it would have, if that is too deep.
pub(crate) fn check_depth(parent: Option<&Arc<Budget>>) -> Result<(), usize> {
    let depth = parent.map_or(1, |parent| parent.depth() + 1);
    if depth > MAX_DEPTH { Err(depth) } else { Ok(()) }
}

/// Makes a budget the current one until the guard is dropped.
pub(crate) fn enter(budget: &mut Option<Arc<Budget>>) -> Entered<'_> {
    let outer = CURRENT.try_with(|current| current.replace(budget.take())).ok().flatten();
    Entered { budget, outer }
}

/// Runs a tool or a hook with this budget as the current one.
pub(crate) fn inside<F: Future>(budget: &Arc<Budget>, work: F) -> Inside<F> {
    Inside { budget: Some(Arc::clone(budget)), work }
}

pin_project! {
    /// A future that is polled with a current budget.
    pub(crate) struct Inside<F> {
        budget: Option<Arc<Budget>>,
        #[pin]
        work: F,
    }
}

/// Polls a stream with this budget as the current one.
pub(crate) fn stream_inside<S: Stream + Unpin>(budget: &Arc<Budget>, stream: S) -> StreamInside<S> {
    StreamInside { budget: Some(Arc::clone(budget)), stream }
}

/// A stream that is polled with a current budget.
pub(crate) struct StreamInside<S> {
    budget: Option<Arc<Budget>>,
    stream: S,
}

impl<S: Stream + Unpin> Stream for StreamInside<S> {
    type Item = S::Item;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        let _entered = enter(&mut this.budget);
        Pin::new(&mut this.stream).poll_next(cx)
    }
}

impl<F: Future> Future for Inside<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let _entered = enter(this.budget);
        this.work.poll(cx)
    }
}
