//! Delivery of events from the driver to the listener, one at a time, through a cell that both share within one task. The
//! driver waits until the listener has taken an event, so events never queue up.
//!
//! While a response streams, the driver hands its reader to the listener's end, which polls it directly: the layers of the
//! driver are not polled for each event.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use futures_core::future::BoxFuture;

use super::stop_signal::StopSignal;
use super::stream_reader::{StreamEnd, StreamReader};
use crate::event::AgentEvent;

/// Cell that the driver and the listener's end share.
#[derive(Clone, Default)]
struct EventCell(Arc<Mutex<Slot>>);

#[derive(Default)]
enum Slot {
    #[default]
    Empty,
    /// The event to deliver next.
    Event(AgentEvent),
    /// A reader for the listener's end to poll.
    Reading(Reading),
    /// The reader after its end.
    Ended(Reading, StreamEnd),
}

/// A reader, with the stop signal that ends it.
struct Reading {
    reader: Box<StreamReader>,
    stop: StopSignal,
}

impl EventCell {
    #[inline]
    fn take(&self) -> Slot {
        std::mem::take(&mut *self.lock())
    }

    fn put(&self, slot: Slot) {
        *self.lock() = slot;
    }

    #[inline]
    fn lock(&self) -> MutexGuard<'_, Slot> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Receiver of events: the listener's end.
#[derive(Default)]
pub(crate) struct Listener {
    cell: EventCell,
    /// The reader, while a response streams.
    reading: Option<Reading>,
}

impl Listener {
    /// Returns the driver's end.
    pub(crate) fn emitter(&self) -> Emitter {
        Emitter { cell: Some(self.cell.clone()), is_journaled: false }
    }

    /// Polls for the next event. Resolves to the driver's output once the driver has ended.
    pub(crate) fn poll_event<R>(
        &mut self,
        mut driver: Pin<&mut (dyn Future<Output = R> + Send)>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<AgentEvent, R>> {
        loop {
            if let Some(Reading { reader, stop }) = &mut self.reading {
                match ready!(reader.poll_event(stop, cx)) {
                    Ok(event) => return Poll::Ready(Ok(event)),
                    Err(end) => {
                        if let Some(reading) = self.reading.take() {
                            self.cell.put(Slot::Ended(reading, end));
                        }
                    }
                }
            }
            if let Poll::Ready(ended) = driver.as_mut().poll(cx) {
                return Poll::Ready(Err(ended));
            }
            match self.cell.take() {
                Slot::Event(event) => return Poll::Ready(Ok(event)),
                Slot::Reading(reading) => self.reading = Some(reading),
                Slot::Empty => return Poll::Pending,
                // The driver waits for something else first.
                ended @ Slot::Ended(..) => {
                    self.cell.put(ended);
                    return Poll::Pending;
                }
            }
        }
    }
}

/// Sender of events: the driver's end. Without a listener, events are not even created.
pub(crate) struct Emitter {
    cell: Option<EventCell>,
    /// True if a journal polls the driver's effects. It may poll them more often than the listener polls the driver, and
    /// only after a wake-up.
    is_journaled: bool,
}

impl Emitter {
    pub(crate) fn silent() -> Self {
        Self { cell: None, is_journaled: false }
    }

    pub(crate) fn is_silent(&self) -> bool {
        self.cell.is_none()
    }

    pub(crate) fn set_journaled(&mut self, is_journaled: bool) {
        self.is_journaled = is_journaled;
    }

    /// Returns true if the listener has not taken the last event yet.
    fn is_full(&self) -> bool {
        self.cell.as_ref().is_some_and(|cell| matches!(*cell.lock(), Slot::Event(_)))
    }

    fn put(&self, slot: Slot) {
        if let Some(cell) = &self.cell {
            cell.put(slot);
        }
    }

    /// Delivers one event. The future waits until the listener has taken it.
    ///
    /// Without a journal no wake-up is needed: the listener polls the driver, and takes the event before it polls again.
    pub(crate) fn emit(&self, event: impl FnOnce() -> AgentEvent) -> Emitting<'_> {
        if self.is_silent() {
            Emitting::Taken
        } else if self.is_journaled {
            Emitting::Journaled(Box::pin(self.emit_journaled(event())))
        } else {
            self.put(Slot::Event(event()));
            Emitting::Put
        }
    }

    async fn emit_journaled(&self, event: AgentEvent) {
        let mut event = Some(event);
        poll_fn(|cx| {
            if !self.is_full() {
                match event.take() {
                    Some(event) => self.put(Slot::Event(event)),
                    None => return Poll::Ready(()),
                }
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    }

    /// Reads a response to its end, and delivers its events.
    pub(super) async fn read(
        &self,
        mut reader: Box<StreamReader>,
        stop: &mut StopSignal,
    ) -> (Box<StreamReader>, StreamEnd) {
        let Some(cell) = self.cell.as_ref().filter(|_| !self.is_journaled) else {
            let end = poll_fn(|cx| self.poll_read(&mut reader, stop, cx)).await;
            return (reader, end);
        };
        // Dropping the invocation drops both ends, so the stop signal is not needed elsewhere until it returns.
        cell.put(Slot::Reading(Reading { reader, stop: std::mem::take(stop) }));
        let (reading, end) = poll_fn(|_| match cell.take() {
            Slot::Ended(reading, end) => Poll::Ready((reading, end)),
            other => {
                cell.put(other);
                Poll::Pending
            }
        })
        .await;
        *stop = reading.stop;
        (reading.reader, end)
    }

    /// Polls a reader that stays with the driver: there is no listener, or a journal polls the driver.
    fn poll_read(&self, reader: &mut StreamReader, stop: &mut StopSignal, cx: &mut Context<'_>) -> Poll<StreamEnd> {
        if self.is_full() {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        match ready!(reader.poll_event(stop, cx)) {
            Ok(event) => {
                self.put(Slot::Event(event));
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            Err(end) => Poll::Ready(end),
        }
    }
}

/// Delivery of one event. It is a type rather than an async function, whose state would hold the event.
#[must_use = "the listener gets the event while this is awaited"]
pub(crate) enum Emitting<'e> {
    /// The event is in the cell. The listener takes it before it polls again.
    Put,
    Taken,
    Journaled(BoxFuture<'e, ()>),
}

impl Future for Emitting<'_> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        match this {
            Self::Put => {
                *this = Self::Taken;
                Poll::Pending
            }
            Self::Taken => Poll::Ready(()),
            Self::Journaled(emitting) => emitting.as_mut().poll(cx),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::stream;
    use tokio::time::Instant;

    use super::*;
    use crate::event_loop::open_turn::OpenTurn;
    use crate::limits::Limits;
    use crate::models::{StreamEvent, TurnBuilder};
    use crate::nesting::{Budget, Spent};

    #[tokio::test]
    async fn the_driver_is_not_polled_for_each_event_of_a_response() {
        let mut listener = Listener::default();
        let emitter = listener.emitter();
        let events = stream::iter((0..10).map(|_| Ok(StreamEvent::text(0, "word "))));
        let budget = Arc::new(Budget::new(None, Limits::new(), None, None, Spent::default()));
        let turn = OpenTurn::new(TurnBuilder::new(1_000), &budget);
        let reader = StreamReader::new(Box::pin(events), turn, Instant::now(), true, None);
        let mut stop = StopSignal::default();
        let mut reading = Box::pin(emitter.read(Box::new(reader), &mut stop));
        let polls = AtomicUsize::new(0);
        let mut driver: BoxFuture<'_, StreamEnd> = Box::pin(poll_fn(|cx| {
            polls.fetch_add(1, Ordering::Relaxed);
            reading.as_mut().poll(cx).map(|(_, end)| end)
        }));
        let mut received = 0;
        let end = loop {
            match poll_fn(|cx| listener.poll_event(driver.as_mut(), cx)).await {
                Ok(_) => received += 1,
                Err(end) => break end,
            }
        };
        assert!(matches!(end, StreamEnd::Complete));
        assert_eq!(
            (received, polls.load(Ordering::Relaxed)),
            (10, 2),
            "once to hand over the reader, and once to take it back"
        );
    }
}
