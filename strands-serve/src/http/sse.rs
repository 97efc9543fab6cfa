//! Server-sent events of a run.

use std::convert::Infallible;
use std::fmt::Write as _;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::response::{IntoResponse as _, Response};
use bytes::{BufMut as _, BytesMut};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue};
use tokio::time::{Instant, MissedTickBehavior};

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
    fn write_start(&mut self, _: &mut BytesMut) {}

    /// Writes an event, or nothing. The last event is the result.
    fn write_event(&mut self, chunk: &mut BytesMut, event: &RunEvent);

    /// Writes the error that ended the run.
    fn write_error(&mut self, chunk: &mut BytesMut, error: &TurnError);
}

/// Returns a response with the events of a run.
pub(super) fn response(host: HostState, turn: Turn) -> Response {
    let run_id = turn.run_id().into();
    streamed(turn, ResumableEvents { host, run_id })
}

/// Returns a response with the events of a run in a format.
pub(crate) fn streamed(turn: Turn, mut format: impl EventFormat) -> Response {
    let mut start = BytesMut::new();
    format.write_start(&mut start);
    // One timer for the response, and not one for each event.
    let mut comments = tokio::time::interval_at(Instant::now() + KEEP_ALIVE, KEEP_ALIVE);
    comments.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let state = (Some(turn), format, start, comments);
    let chunks = futures_util::stream::unfold(state, async |(turn, mut format, mut chunk, mut comments)| {
        let mut turn = turn?;
        // Not every event has a text.
        while chunk.is_empty() {
            let next = tokio::select! {
                biased;
                next = turn.next() => next?,
                _ = comments.tick() => {
                    chunk.put_slice(b": keep-alive\n\n");
                    break;
                }
            };
            match next {
                Err(error) => {
                    format.write_error(&mut chunk, &error);
                    return Some((Ok::<Bytes, Infallible>(chunk.freeze()), (None, format, BytesMut::new(), comments)));
                }
                Ok(event) => {
                    format.write_event(&mut chunk, &event);
                    while chunk.len() < CHUNK {
                        let Some(event) = turn.more() else { break };
                        format.write_event(&mut chunk, &event);
                    }
                }
            }
        }
        Some((Ok(chunk.freeze()), (Some(turn), format, BytesMut::new(), comments)))
    });
    with_headers(Body::from_stream(chunks))
}

/// Returns a response with one event.
pub(super) fn single(run_id: &str, event: &RunEvent) -> Response {
    let mut chunk = BytesMut::new();
    write_event(&mut chunk, run_id, event);
    with_headers(Body::from(chunk.freeze()))
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

fn write_event(chunk: &mut BytesMut, run_id: &str, event: &RunEvent) {
    chunk.reserve(event.json().len() + run_id.len() + 32);
    // Writing to memory does not fail.
    let _ = write!(chunk, "id: {run_id}:{}\ndata: ", event.seq());
    chunk.put_slice(event.json());
    chunk.put_slice(b"\n\n");
}

/// Events with ids, after which a client can come back, and errors as an event `failure` whose data is a [`Problem`]. Browsers
/// use the name `error` for failures of the connection.
struct ResumableEvents {
    host: HostState,
    run_id: Box<str>,
}

impl EventFormat for ResumableEvents {
    fn write_event(&mut self, chunk: &mut BytesMut, event: &RunEvent) {
        write_event(chunk, &self.run_id, event);
    }

    fn write_error(&mut self, chunk: &mut BytesMut, error: &TurnError) {
        let problem = self.host.problem(error);
        chunk.put_slice(b"event: failure\ndata: ");
        chunk.put_slice(&serde_json::to_vec(&problem).unwrap_or_default());
        chunk.put_slice(b"\n\n");
    }
}
