//! Server-sent events out of a response, with a bound on what one of them may hold.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::Stream;
use sse_stream::{Error, Sse, SseByteStream};
use strands_core::model::{ErrorDetails, ModelError};

use super::body::Body;
use super::framing::EVENT_OVERHEAD;

/// The events of a response.
pub(super) struct EventStream {
    events: SseByteStream<Metered>,
    since_event: Arc<AtomicUsize>,
}

/// The bytes of a response, counted: the parser keeps those that are no whole event yet.
struct Metered {
    body: Body,
    /// Bytes that were read since an event was whole. The parser owns the stream, so this is how both know it.
    since_event: Arc<AtomicUsize>,
    limit: usize,
}

impl EventStream {
    /// No event may have more than `limit` bytes of content.
    pub(super) fn new(body: Body, limit: usize) -> Self {
        let since_event = Arc::new(AtomicUsize::new(0));
        let metered = Metered { body, since_event: Arc::clone(&since_event), limit };
        Self { events: SseByteStream::new(metered), since_event }
    }

    /// The next event, or `None` at the end. An event that the end has cut is none.
    pub(super) fn poll_event(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Sse, ModelError>>> {
        let event = ready!(Pin::new(&mut self.events).poll_next(context));
        self.since_event.store(0, Ordering::Relaxed);
        Poll::Ready(event.map(|event| event.map_err(broken)))
    }
}

fn broken(error: Error) -> ModelError {
    match error {
        Error::Body(source) => match source.downcast::<ModelError>() {
            Ok(error) => *error,
            Err(source) => ModelError::transport(source),
        },
        error => ModelError::Protocol {
            what: "the stream of events can't be read".to_owned(),
            details: ErrorDetails::new().with_source(error).boxed(),
        },
    }
}

impl Stream for Metered {
    type Item = Result<Bytes, ModelError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let bytes = ready!(self.body.poll_text(context));
        if let Some(Ok(bytes)) = &bytes {
            let kept = self.since_event.load(Ordering::Relaxed);
            if kept > self.limit.saturating_add(EVENT_OVERHEAD) {
                let (limit, details) = (self.limit, Box::default());
                return Poll::Ready(Some(Err(ModelError::ResponseTooLarge { limit, details })));
            }
            self.since_event.store(kept.saturating_add(bytes.len()), Ordering::Relaxed);
        }
        Poll::Ready(bytes)
    }
}
