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

    /// Hands over one event. The caller returns `Pending` next: no waker, since the listener, which polls the driver,
    /// takes the event before it polls again.
    pub(crate) fn put(&self, event: AgentEvent) {
        if let Some(slot) = &self.0 {
            slot.put(event);
        }
    }

    /// Hands over one event and waits until the listener has taken it.
    pub(crate) async fn emit(&self, event: impl FnOnce() -> AgentEvent) {
        if self.is_silent() {
            return;
        }
        self.put(event());
        let mut taken = false;
        poll_fn(|_| if std::mem::replace(&mut taken, true) { Poll::Ready(()) } else { Poll::Pending }).await;
    }
}
