//! Nesting of invocations: an agent that is called by a tool, a hook or a conversation manager of an agent shares the
//! budget of the outer invocation, and is polled on the same stack.

mod budget;
mod counter;

use std::cell::Cell;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;

pub(crate) use budget::{Budget, Spent};

/// Maximum nesting depth of agents that call agents on one stack. In a debug build each level takes about 150 KiB of the
/// 2 MiB that a thread of Tokio has.
pub(crate) const MAX_DEPTH: usize = 10;

thread_local! {
    /// The budget of the invocation whose tools and hooks are being polled on this thread.
    static CURRENT: Cell<Option<Arc<Budget>>> = const { Cell::new(None) };
}

/// Restores the budget that was current before, also after a panic.
pub(crate) struct Outer(Option<Arc<Budget>>);

impl Drop for Outer {
    fn drop(&mut self) {
        let outer = self.0.take();
        // On a thread that is ending there is nothing to restore.
        let _ = CURRENT.try_with(|current| current.set(outer));
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
pub(crate) fn enter(budget: &Arc<Budget>) -> Outer {
    Outer(CURRENT.try_with(|current| current.replace(Some(Arc::clone(budget)))).ok().flatten())
}

/// Runs a tool or a hook that spends from this budget.
pub(crate) async fn inside<T>(budget: &Arc<Budget>, work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    poll_fn(|cx| {
        let _outer = enter(budget);
        work.as_mut().poll(cx)
    })
    .await
}
