//! Nesting depth of invocations: an agent that is called by a tool, a hook or a conversation manager of an agent is
//! polled on the same stack.

use std::cell::Cell;
use std::future::poll_fn;
use std::pin::pin;

use crate::outcome::AgentError;

/// The most levels of agents that call agents on one stack. In a debug build each level takes about 150 KiB of the 2 MiB
/// that a thread of Tokio has.
const MAX_DEPTH: usize = 10;

thread_local! {
    /// The depth of the invocation whose tools and hooks are being polled on this thread.
    static DEPTH: Cell<usize> = const { Cell::new(0) };
}

/// Puts the depth back that was there before, also after a panic.
pub(super) struct Outer(usize);

impl Drop for Outer {
    fn drop(&mut self) {
        DEPTH.set(self.0);
    }
}

/// Returns the depth of an invocation that begins here, counted from 1.
pub(super) fn depth() -> Result<usize, AgentError> {
    let depth = DEPTH.get() + 1;
    if depth > MAX_DEPTH {
        return Err(AgentError::NestedTooDeep { depth, limit: MAX_DEPTH });
    }
    Ok(depth)
}

/// Everything polled until the guard is dropped belongs to an invocation of this depth.
pub(super) fn enter(depth: usize) -> Outer {
    Outer(DEPTH.replace(depth))
}

/// Runs a tool or a hook of an invocation of this depth.
pub(super) async fn inside<T>(depth: usize, work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    poll_fn(|cx| {
        let _outer = enter(depth);
        work.as_mut().poll(cx)
    })
    .await
}
