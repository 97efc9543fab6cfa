//! Delivery of events from the driver to the listener, one at a time, through a cell that both share within one task. The
//! driver waits until the listener has taken an event, so events never queue up.

use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use crate::event::AgentEvent;

/// Cell with the event to deliver next: the listener's end.
#[derive(Clone, Debug, Default)]
pub(crate) struct EventCell(Arc<Mutex<Option<AgentEvent>>>);

impl EventCell {
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

/// Sender of events: the driver's end. Without a listener, events are not even created.
#[derive(Debug)]
pub(crate) struct Emitter {
    cell: Option<EventCell>,
    /// True if a journal polls the driver's effects. It may poll them more often than the listener polls the driver, and
    /// only after a wake-up.
    is_journaled: bool,
}

impl Emitter {
    pub(crate) fn new(cell: EventCell) -> Self {
        Self { cell: Some(cell), is_journaled: false }
    }

    pub(crate) fn silent() -> Self {
        Self { cell: None, is_journaled: false }
    }

    pub(crate) fn is_silent(&self) -> bool {
        self.cell.is_none()
    }

    pub(crate) fn set_journaled(&mut self, is_journaled: bool) {
        self.is_journaled = is_journaled;
    }

    /// Returns true if the driver's effects may be polled more often than the listener polls the driver.
    pub(crate) fn is_journaled(&self) -> bool {
        self.is_journaled
    }

    /// Returns true if the listener has not taken the last event yet. The caller wakes itself and returns `Pending`.
    pub(crate) fn is_full(&self) -> bool {
        self.cell.as_ref().is_some_and(|cell| cell.lock().is_some())
    }

    /// Delivers one event. The caller returns `Pending` next. Without a journal no wake-up is needed: the listener polls the
    /// driver, and takes the event before it polls again.
    pub(crate) fn put(&self, event: AgentEvent) {
        if let Some(cell) = &self.cell {
            cell.put(event);
        }
    }

    /// Delivers one event and waits until the listener has taken it.
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
