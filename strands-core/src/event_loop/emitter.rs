//! Delivery of events from the driver to the listener: one at a time, through a slot that both sides of one task share. The
//! driver waits until the listener has taken an event, so nothing piles up.

use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use crate::event::AgentEvent;

/// The listener's end.
#[derive(Clone, Debug, Default)]
pub(crate) struct Slot(Arc<Mutex<Option<AgentEvent>>>);

impl Slot {
    #[inline]
    pub(crate) fn take(&self) -> Option<AgentEvent> {
        self.lock().take()
    }

    fn put(&self, event: AgentEvent) {
        *self.lock() = Some(event);
    }

    #[inline]
    fn lock(&self) -> MutexGuard<'_, Option<AgentEvent>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The driver's end. Without a listener no event is even made.
#[derive(Debug)]
pub(crate) struct Emitter {
    slot: Option<Slot>,
    /// True if a journal polls the driver's effects: it may poll them more often than the listener polls the driver, and
    /// only if something has woken it.
    is_journaled: bool,
}

impl Emitter {
    pub(crate) fn new(slot: Slot) -> Self {
        Self { slot: Some(slot), is_journaled: false }
    }

    pub(crate) fn silent() -> Self {
        Self { slot: None, is_journaled: false }
    }

    pub(crate) fn is_silent(&self) -> bool {
        self.slot.is_none()
    }

    pub(crate) fn set_journaled(&mut self, is_journaled: bool) {
        self.is_journaled = is_journaled;
    }

    /// True if the driver's effects may be polled more often than the listener polls the driver.
    pub(crate) fn is_journaled(&self) -> bool {
        self.is_journaled
    }

    /// True if the listener has yet to take an event. The caller returns `Pending`, after it has woken itself.
    pub(crate) fn is_full(&self) -> bool {
        self.slot.as_ref().is_some_and(|slot| slot.lock().is_some())
    }

    /// Hands over one event. The caller returns `Pending` next: without a journal no waker is needed, since the listener,
    /// which polls the driver, takes the event before it polls again.
    pub(crate) fn put(&self, event: AgentEvent) {
        if let Some(slot) = &self.slot {
            slot.put(event);
        }
    }

    /// Hands over one event and waits until the listener has taken it.
    pub(crate) async fn emit(&self, event: impl FnOnce() -> AgentEvent) {
        if self.is_silent() {
            return;
        }
        if self.is_journaled {
            return self.emit_journaled(event()).await;
        }
        self.put(event());
        let mut taken = false;
        poll_fn(|_| if std::mem::replace(&mut taken, true) { Poll::Ready(()) } else { Poll::Pending }).await;
    }

    async fn emit_journaled(&self, event: AgentEvent) {
        let mut event = Some(event);
        poll_fn(|cx| {
            if !self.is_full() {
                match event.take() {
                    Some(event) => self.put(event),
                    None => return Poll::Ready(()),
                }
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    }
}
