//! Work that emits events, as a stream or to a function: events are handed over one at a time, so that the work waits for a slow reader.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::Stream;
use futures_util::future::BoxFuture;
use strands_core::{AgentError, AgentEvent, AgentResponse};
use tokio::sync::mpsc;

/// Handle with which work emits events. Clones emit to the same stream.
#[derive(Clone)]
pub(crate) struct Emitter(Option<mpsc::Sender<AgentEvent>>);

impl Emitter {
    /// Creates an emitter whose events are dropped.
    pub(crate) fn unread() -> Self {
        Self(None)
    }

    /// Emits the first of some events, and removes it; none of them if the future is dropped.
    pub(crate) async fn emit_front(&self, events: &mut VecDeque<AgentEvent>) {
        let Some(sender) = &self.0 else { return events.clear() };
        if let Ok(permit) = sender.reserve().await
            && let Some(event) = events.pop_front()
        {
            permit.send(event);
        }
    }

    /// Emits an event, and waits while the previous one was not read.
    pub(crate) async fn emit(&self, event: AgentEvent) {
        if let Some(sender) = &self.0 {
            // Without a receiver the stream was dropped, and this work with it.
            let _ = sender.send(event).await;
        }
    }
}

/// A stream of the events of some work, and of the result of its response.
pub(crate) struct Emitting {
    events: mpsc::Receiver<AgentEvent>,
    /// `None` once the work has ended.
    work: Option<BoxFuture<'static, Result<AgentResponse, AgentError>>>,
    /// The last item, until all events before it were read.
    last: Option<Result<AgentEvent, AgentError>>,
}

impl Emitting {
    /// Creates a stream of work, which starts when the stream is polled.
    pub(crate) fn new<F>(start: impl FnOnce(Emitter) -> F) -> Self
    where
        F: Future<Output = Result<AgentResponse, AgentError>> + Send + 'static,
    {
        let (sender, events) = mpsc::channel(1);
        Self { events, work: Some(Box::pin(start(Emitter(Some(sender))))), last: None }
    }
}

impl Stream for Emitting {
    type Item = Result<AgentEvent, AgentError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        if let Poll::Ready(Some(event)) = this.events.poll_recv(cx) {
            return Poll::Ready(Some(Ok(event)));
        }
        if let Some(work) = &mut this.work
            && let Poll::Ready(ended) = work.as_mut().poll(cx)
        {
            this.work = None;
            this.last = Some(ended.map(|response| AgentEvent::Result { response: Box::new(response) }));
        }
        match this.events.poll_recv(cx) {
            Poll::Ready(Some(event)) => Poll::Ready(Some(Ok(event))),
            _ if this.work.is_none() => Poll::Ready(this.last.take()),
            _ => Poll::Pending,
        }
    }
}

/// Performs work, and passes its events to a function.
pub(crate) async fn observe<F: Future>(
    start: impl FnOnce(Emitter) -> F,
    mut on_event: impl FnMut(AgentEvent),
) -> F::Output {
    let (sender, mut events) = mpsc::channel(1);
    let mut work = std::pin::pin!(start(Emitter(Some(sender))));
    let ended = loop {
        tokio::select! {
            biased;
            Some(event) = events.recv() => on_event(event),
            ended = &mut work => break ended,
        }
    };
    while let Ok(event) = events.try_recv() {
        on_event(event);
    }
    ended
}
