//! How the driver hands events to the listener: one at a time, through a slot that both sides of one task share. The
//! driver waits until the listener has taken an event, so nothing piles up.

use std::future::poll_fn;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;

use super::AgentEvent;

/// The listener's end.
#[derive(Clone, Debug, Default)]
pub(crate) struct Slot(Arc<Mutex<Option<AgentEvent>>>);

impl Slot {
    pub(crate) fn take(&self) -> Option<AgentEvent> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn put(&self, event: AgentEvent) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(event);
    }

    fn is_empty(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_none()
    }
}

/// The driver's end. Without a listener no event is even made.
#[derive(Debug)]
pub(crate) struct Emitter(Option<Slot>);

impl Emitter {
    pub(crate) fn new(slot: Slot) -> Self {
        Self(Some(slot))
    }

    pub(crate) fn silent() -> Self {
        Self(None)
    }

    pub(crate) fn is_silent(&self) -> bool {
        self.0.is_none()
    }

    pub(crate) async fn emit(&self, event: impl FnOnce() -> AgentEvent) {
        let Some(slot) = &self.0 else { return };
        slot.put(event());
        // No waker: the listener takes the event and polls the driver again in its next poll.
        poll_fn(|_| if slot.is_empty() { Poll::Ready(()) } else { Poll::Pending }).await;
    }
}
