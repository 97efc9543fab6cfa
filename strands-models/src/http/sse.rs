//! Server-sent events of a response, with a limit of the size of one event.

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

/// Server-sent events of a response.
pub(super) struct EventStream {
    events: SseByteStream<Metered>,
    progress: Arc<Progress>,
}

/// Progress of the bytes, shared with the parser, which owns their stream.
#[derive(Default)]
struct Progress {
    /// Number of bytes since the last complete event.
    since_event: AtomicUsize,
    ended: AtomicBool,
}

/// Counted bytes of a response. The parser buffers those of an incomplete event.
struct Metered {
    body: Body,
    progress: Arc<Progress>,
    limit: usize,
}

impl EventStream {
    /// Creates events of up to `limit` bytes of content each.
    pub(super) fn new(body: Body, limit: usize) -> Self {
        let progress = Arc::<Progress>::default();
        let metered = Metered { body, progress: Arc::clone(&progress), limit };
        Self { events: SseByteStream::new(metered), progress }
    }

    /// Returns the next event, or `None` at the end. An incomplete event at the end is dropped, unless only the blank line after it
    /// is missing.
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

/// Returns true if the data of an event is complete JSON, or the end mark.
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
            // The blank line that the last event may lack, without which the parser drops it.
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
