//! Server-sent events of a task.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use a2a::StreamResponse;
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, stream};
use sse_stream::{Error as SseError, Sse, SseStream};

use super::error::A2aError;
use super::event_lines::EventLines;
use super::http::{Http, check_values};

/// Reads one event.
pub(super) type ReadEvent = fn(&str) -> Result<StreamResponse, A2aError>;

/// Server-sent events of a response.
pub(super) struct EventStream {
    events: Pin<Box<dyn Stream<Item = Result<Sse, SseError>> + Send>>,
    /// Bytes since the last event, which the decoder keeps.
    pending: Arc<AtomicUsize>,
    /// Size limit of an event, in bytes.
    limit: usize,
    read: ReadEvent,
}

impl EventStream {
    pub(super) fn new(http: Arc<Http>, response: reqwest::Response, read: ReadEvent) -> Self {
        let pending = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&pending);
        let limit = http.max_bytes;
        let chunks = response.bytes_stream().map(move |chunk| chunk.map_err(|error| StreamError(http.failed(error))));
        // One line each: the decoder drops the events of a chunk with an error, and counts no bytes.
        let mut picked = EventLines::default();
        let lines = chunks.flat_map(move |chunk| match chunk {
            Ok(chunk) => stream::iter(picked.of(chunk).into_iter().map(Ok)).left_stream(),
            Err(error) => stream::iter([Err(error)]).right_stream(),
        });
        let lines = lines.map(move |line: Result<Bytes, StreamError>| {
            let line = line?;
            let pending = counted.fetch_add(line.len(), Ordering::Relaxed).saturating_add(line.len());
            if pending > limit { Err(StreamError(A2aError::TooLarge { limit })) } else { Ok(line) }
        });
        Self { events: SseStream::from_bytes_stream(lines).boxed(), pending, limit, read }
    }

    /// Returns the next event, or `None` at the end of the stream.
    pub(super) async fn next(&mut self) -> Option<Result<StreamResponse, A2aError>> {
        loop {
            let event = match self.events.next().await? {
                Ok(event) => event,
                Err(SseError::Body(error)) => {
                    return Some(Err(match error.downcast::<StreamError>() {
                        Ok(error) => error.0,
                        Err(source) => A2aError::Connection { source },
                    }));
                }
                Err(error) => return Some(Err(A2aError::protocol(error))),
            };
            self.pending.store(0, Ordering::Relaxed);
            if let Some(data) = event.data.filter(|data| !data.trim().is_empty()) {
                return Some(check_values(data.as_bytes(), self.limit).and_then(|()| (self.read)(&data)));
            }
        }
    }
}

/// An error that passes through the decoder.
#[derive(Debug, thiserror::Error)]
#[error("the stream failed")]
struct StreamError(#[source] A2aError);
