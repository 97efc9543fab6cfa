//! Hooks when a durable engine replays an invocation.

use std::pin::Pin;
use std::task::{Context, Poll};

use super::HookResult;

/// Part of a hook in an invocation with a [`Journal`](crate::Journal), set by [`Hook::replay`](super::Hook::replay).
///
/// It is about events around model calls and tool calls: `before_invocation`, `select_tools`, `message_added`, `before_tools`,
/// `after_tools` and `after_invocation`. Hooks of events within a model call or a tool call are part of the recorded call, and are
/// never called in a replay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum HookReplay {
    /// The journal records what the hook decides, and its changes to the agent's state, as one step for all hooks of the event.
    /// A replay applies that, and does not call the hook again. A recorded error keeps its text, without its sources.
    #[default]
    Recorded,
    /// As [`Recorded`](Self::Recorded), and a replay calls the hook as well, with
    /// [`is_replay`](super::HookContext::is_replay); what it decides then has no effect. For a hook that rebuilds data in
    /// [`HookContext::local`](super::HookContext::local).
    RecordedAndCalled,
    /// The hook is called in each attempt, and nothing is recorded. For a hook that only observes, or that decides by the event
    /// alone: the same in each attempt.
    Called,
}

/// Future of a method that a hook does not implement. It has no size, unlike a future that holds the event.
pub(crate) struct NotImplemented;

impl Future for NotImplemented {
    type Output = HookResult;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<HookResult> {
        Poll::Ready(Ok(()))
    }
}

/// Returns true unless the future is that of a default method. The future need not be polled.
pub(crate) fn is_implemented(future: &(dyn Future<Output = HookResult> + Send)) -> bool {
    size_of_val(future) > 0
}
