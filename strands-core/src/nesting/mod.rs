//! Nesting of invocations: an agent that is called by a tool, a hook or a conversation manager of an agent shares the
//! budget of the outer invocation, and is polled on the same stack.

mod budget;
mod cancellation;
mod counter;

use std::cell::Cell;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

pub(crate) use budget::{Budget, Spent};

/// Maximum nesting depth of agents that call agents on one stack. In a debug build each level takes about 150 KiB of the
/// 2 MiB that a thread of Tokio has.
pub(crate) const MAX_DEPTH: usize = 10;

thread_local! {
    /// The budget of the invocation whose tools and hooks are being polled on this thread.
    static CURRENT: Cell<Option<Arc<Budget>>> = const { Cell::new(None) };
}

/// While it lives, a budget is the current one; then it is back in its slot, also after a panic. The budget is moved, since
/// counting references would cost each poll more than the rest.
pub(crate) struct Entered<'s> {
    slot: &'s mut Option<Arc<Budget>>,
    outer: Option<Arc<Budget>>,
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        let outer = self.outer.take();
        // On a thread that is ending there is nothing to restore.
        if let Ok(entered) = CURRENT.try_with(|current| current.replace(outer)) {
            *self.slot = entered;
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

/// Checks that an invocation may begin below a budget.
///
/// # Errors
///
/// Returns the depth that it would have.
pub(crate) fn check_depth(parent: Option<&Arc<Budget>>) -> Result<(), usize> {
    let depth = parent.map_or(1, |parent| parent.depth() + 1);
    if depth > MAX_DEPTH { Err(depth) } else { Ok(()) }
}

/// Everything polled until the guard is dropped spends from this budget.
pub(crate) fn enter(slot: &mut Option<Arc<Budget>>) -> Entered<'_> {
    let outer = CURRENT.try_with(|current| current.replace(slot.take())).ok().flatten();
    Entered { slot, outer }
}

/// Runs a tool or a hook that spends from this budget.
pub(crate) fn inside<F: Future>(budget: &Arc<Budget>, work: F) -> Inside<F> {
    Inside { budget: Some(Arc::clone(budget)), work }
}

pin_project! {
    /// A future that spends from a budget.
    pub(crate) struct Inside<F> {
        budget: Option<Arc<Budget>>,
        #[pin]
        work: F,
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
