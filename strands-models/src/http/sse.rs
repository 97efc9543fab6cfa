//! Server-sent events out of a response, with a bound on what one of them may hold.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::Stream;
use serde::de::IgnoredAny;
use sse_stream::{Error, Sse, SseByteStream};
use strands_core::models::{ErrorDetails, ModelError};

use super::body::Body;
use super::framing::EVENT_OVERHEAD;

/// The events of a response.
pub(super) struct EventStream {
    events: SseByteStream<Metered>,
    progress: Arc<Progress>,
}

/// Progress of the bytes. The parser owns their stream, so this is how both know it.
#[derive(Default)]
struct Progress {
    /// Bytes that were read since an event was whole.
    since_event: AtomicUsize,
    ended: AtomicBool,
}

/// The bytes of a response, counted: the parser keeps those that are no whole event yet.
struct Metered {
    body: Body,
    progress: Arc<Progress>,
    limit: usize,
}

impl EventStream {
    /// No event may have more than `limit` bytes of content.
    pub(super) fn new(body: Body, limit: usize) -> Self {
        let progress = Arc::<Progress>::default();
        let metered = Metered { body, progress: Arc::clone(&progress), limit };
        Self { events: SseByteStream::new(metered), progress }
    }

    /// The next event, or `None` at the end. An event that the end has cut is none, unless only the blank line behind it is
    /// missing.
    pub(super) fn poll_event(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Sse, ModelError>>> {
        loop {
            let event = ready!(Pin::new(&mut self.events).poll_next(context));
            self.progress.since_event.store(0, Ordering::Relaxed);
            match event {
                Some(Ok(event)) if self.progress.ended.load(Ordering::Relaxed) && !is_whole(&event) => {}
                event => return Poll::Ready(event.map(|event| event.map_err(broken))),
            }
        }
    }
}

/// True if the data of an event is JSON that nothing is missing from, or the mark of the end.
fn is_whole(event: &Sse) -> bool {
    let data = event.data.as_deref().map(str::trim).unwrap_or_default();
    data == "[DONE]" || data.starts_with(['{', '[']) && serde_json::from_str::<IgnoredAny>(data).is_ok()
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
        if self.progress.ended.load(Ordering::Relaxed) {
            return Poll::Ready(None);
        }
        let bytes = ready!(self.body.poll_text(context));
        if bytes.is_none() {
            // The blank line that the last event may lack. The parser drops an event without one.
            self.progress.ended.store(true, Ordering::Relaxed);
            return Poll::Ready(Some(Ok(Bytes::from_static(b"\n\n"))));
        }
        if let Some(Ok(bytes)) = &bytes {
            let kept = self.progress.since_event.load(Ordering::Relaxed);
            if kept > self.limit.saturating_add(EVENT_OVERHEAD) {
                let (limit, details) = (self.limit, Box::default());
                return Poll::Ready(Some(Err(ModelError::ResponseTooLarge { limit: Some(limit), details })));
            }
            self.progress.since_event.store(kept.saturating_add(bytes.len()), Ordering::Relaxed);
        }
        Poll::Ready(bytes)
    }
}
