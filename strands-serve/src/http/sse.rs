//! Server-sent events of a run.

use std::convert::Infallible;
use std::io::Write as _;
use std::mem;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::response::{IntoResponse as _, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue};
use strands_core::__WakeFilter as WakeFilter;
use tokio::time::{Instant, Interval, MissedTickBehavior};

use super::{HostState, Problem};
use crate::{RunEvent, Turn, TurnError};

/// Time between comments, so that proxies keep a connection without events.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// Size of the events that are sent at once.
const CHUNK: usize = 16 * 1024;

/// Id of an event: `run:seq`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct EventId {
    pub(super) run_id: String,
    pub(super) seq: u64,
}

impl EventId {
    /// Returns the id of the last event that a client has read.
    ///
    /// # Errors
    ///
    /// Returns a problem if it is not an id of an event.
    pub(super) fn last_of(headers: &HeaderMap) -> Result<Option<Self>, Problem> {
        let Some(value) = headers.get("last-event-id") else { return Ok(None) };
        let id = value.to_str().ok().and_then(|text| {
            let (run_id, seq) = text.rsplit_once(':')?;
            Some(Self { run_id: run_id.to_owned(), seq: seq.parse().ok()? })
        });
        id.map(Some).ok_or_else(|| Problem::bad_request("invalid `Last-Event-ID`: use the id of an event"))
    }
}

/// Text of the events of a run on the connection.
pub(crate) trait EventFormat: Send + 'static {
    /// Writes what comes before the first event.
    fn write_start(&mut self, _: &mut Vec<u8>) {}

    /// Writes an event, or nothing. The last event is the result.
    fn write_event(&mut self, chunk: &mut Vec<u8>, event: &RunEvent);

    /// Writes the error that ended the run.
    fn write_error(&mut self, chunk: &mut Vec<u8>, error: &TurnError);
}

/// Returns a response with the events of a run.
pub(super) fn response(host: HostState, turn: Turn) -> Response {
    let run_id = turn.run_id().into();
    streamed(turn, ResumableEvents { host, run_id })
}

/// Returns a response with the events of a run in a format.
pub(crate) fn streamed(turn: Turn, mut format: impl EventFormat) -> Response {
    let mut chunk = Vec::new();
    format.write_start(&mut chunk);
    let mut keep_alive = KeepAlive::new();
    let mut turn = Some(turn);
    // Not a future for each event, whose state would move.
    let chunks = futures_util::stream::poll_fn(move |cx| {
        let Some(reader) = &mut turn else { return Poll::Ready(None) };
        // Not every event has a text.
        while chunk.is_empty() {
            match reader.poll_next(cx) {
                Poll::Ready(Some(Ok(event))) => {
                    format.write_event(&mut chunk, &event);
                    while chunk.len() < CHUNK {
                        let Some(event) = reader.more() else { break };
                        format.write_event(&mut chunk, &event);
                    }
                }
                Poll::Ready(Some(Err(error))) => {
                    format.write_error(&mut chunk, &error);
                    turn = None;
                    break;
                }
                Poll::Ready(None) => {
                    turn = None;
                    return Poll::Ready(None);
                }
                Poll::Pending => {
                    ready!(keep_alive.poll(cx));
                    chunk.extend_from_slice(b": keep-alive\n\n");
                }
            }
        }
        Poll::Ready(Some(Ok::<Bytes, Infallible>(Bytes::from(mem::take(&mut chunk)))))
    });
    with_headers(Body::from_stream(chunks))
}

/// Timer of the comments. There is one for the response, and not one for each event.
struct KeepAlive {
    ticks: Interval,
    wakes: WakeFilter,
}

impl KeepAlive {
    fn new() -> Self {
        let mut ticks = tokio::time::interval_at(Instant::now() + KEEP_ALIVE, KEEP_ALIVE);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { ticks, wakes: WakeFilter::default() }
    }

    fn poll(&mut self, cx: &Context<'_>) -> Poll<()> {
        if !self.wakes.take(cx) {
            return Poll::Pending;
        }
        let tick = self.ticks.poll_tick(&mut Context::from_waker(self.wakes.waker()));
        if tick.is_ready() {
            // The next tick has no waker yet.
            self.wakes.waker().wake_by_ref();
        }
        tick.map(drop)
    }
}

/// Returns a response with one event.
pub(super) fn single(run_id: &str, event: &RunEvent) -> Response {
    let mut chunk = Vec::new();
    write_event(&mut chunk, run_id, event);
    with_headers(Body::from(chunk))
}

fn with_headers(body: Body) -> Response {
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("text/event-stream")),
        (CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        // Proxies that buffer responses, such as nginx.
        (HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no")),
    ];
    (headers, body).into_response()
}

fn write_event(chunk: &mut Vec<u8>, run_id: &str, event: &RunEvent) {
    // About the size, so that the chunk seldom grows.
    chunk.reserve("id: :\ndata: \n\n".len() + run_id.len() + event.size());
    chunk.extend_from_slice(b"id: ");
    chunk.extend_from_slice(run_id.as_bytes());
    // Writing to memory does not fail.
    let _ = write!(chunk, ":{}\ndata: ", event.seq());
    event.write_json(chunk);
    chunk.extend_from_slice(b"\n\n");
}

/// Events with ids, after which a client can come back, and errors as an event `failure` whose data is a [`Problem`]. Browsers
/// use the name `error` for failures of the connection.
struct ResumableEvents {
    host: HostState,
    run_id: Box<str>,
}

impl EventFormat for ResumableEvents {
    fn write_event(&mut self, chunk: &mut Vec<u8>, event: &RunEvent) {
        write_event(chunk, &self.run_id, event);
    }

    fn write_error(&mut self, chunk: &mut Vec<u8>, error: &TurnError) {
        let problem = self.host.problem(error);
        chunk.extend_from_slice(b"event: failure\ndata: ");
        chunk.extend_from_slice(&serde_json::to_vec(&problem).unwrap_or_default());
        chunk.extend_from_slice(b"\n\n");
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_comment_is_due_at_each_interval() {
        let (mut keep_alive, start) = (KeepAlive::new(), Instant::now());
        for number in 1..4 {
            poll_fn(|cx| keep_alive.poll(cx)).await;
            assert_eq!(start.elapsed().as_secs(), (KEEP_ALIVE * number).as_secs());
        }
    }
}
