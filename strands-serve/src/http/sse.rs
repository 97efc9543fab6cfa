//! Server-sent events of a run.

use std::convert::Infallible;
use std::fmt::Write as _;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::response::{IntoResponse as _, Response};
use bytes::{BufMut as _, BytesMut};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue};
use tokio::time::Instant;

use super::{HostState, Problem};
use crate::{RunEvent, Turn, TurnError};

/// Time without an event after which a comment is sent, so that proxies keep the connection.
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

/// Writes the events of a run to a response.
pub(crate) trait EventWriter: Send + 'static {
    /// Writes what comes before the first event.
    fn start(&mut self, _: &mut BytesMut) {}

    /// Writes an event. The last one is the result.
    fn event(&mut self, chunk: &mut BytesMut, event: &RunEvent);

    /// Writes the error that ended the run.
    fn error(&mut self, chunk: &mut BytesMut, error: &TurnError);
}

/// A run that is being sent.
struct Sending<W> {
    turn: Turn,
    writer: W,
    /// Bytes before the first event.
    start: BytesMut,
}

impl<W: EventWriter> Sending<W> {
    /// Returns the next bytes, and the rest unless these are the last ones.
    async fn next(mut self) -> Option<(Bytes, Option<Self>)> {
        let mut chunk = std::mem::take(&mut self.start);
        let keep_alive = Instant::now() + KEEP_ALIVE;
        // Not every event is written.
        while chunk.is_empty() {
            match tokio::time::timeout_at(keep_alive, self.turn.next()).await {
                Err(_) => chunk.put_slice(b": keep-alive\n\n"),
                Ok(None) => return None,
                Ok(Some(Err(error))) => {
                    self.writer.error(&mut chunk, &error);
                    return Some((chunk.freeze(), None));
                }
                Ok(Some(Ok(event))) => {
                    self.writer.event(&mut chunk, &event);
                    while chunk.len() < CHUNK {
                        let Some(event) = self.turn.more() else { break };
                        self.writer.event(&mut chunk, &event);
                    }
                }
            }
        }
        Some((chunk.freeze(), Some(self)))
    }
}

/// Returns a response of server-sent events.
pub(crate) fn stream(turn: Turn, mut writer: impl EventWriter) -> Response {
    let mut start = BytesMut::new();
    writer.start(&mut start);
    let chunks = futures_util::stream::unfold(Some(Sending { turn, writer, start }), async |sending| {
        let (chunk, rest) = sending?.next().await?;
        Some((Ok::<Bytes, Infallible>(chunk), rest))
    });
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("text/event-stream")),
        (CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        // Proxies that buffer responses, such as nginx.
        (HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no")),
    ];
    (headers, Body::from_stream(chunks)).into_response()
}

/// Returns a response with the events of a run.
pub(super) fn response(host: HostState, turn: Turn) -> Response {
    let run_id = turn.run_id().to_owned();
    stream(turn, PublicEvents { host, run_id })
}

/// Writes all events, in their public format, with ids.
struct PublicEvents {
    host: HostState,
    run_id: String,
}

impl EventWriter for PublicEvents {
    fn event(&mut self, chunk: &mut BytesMut, event: &RunEvent) {
        write_event(chunk, &self.run_id, event);
    }

    fn error(&mut self, chunk: &mut BytesMut, error: &TurnError) {
        write_error(chunk, &self.host, error);
    }
}

fn write_event(chunk: &mut BytesMut, run_id: &str, event: &RunEvent) {
    chunk.reserve(event.json().len() + run_id.len() + 32);
    // Writing to memory does not fail.
    let _ = write!(chunk, "id: {run_id}:{}\ndata: ", event.seq());
    chunk.put_slice(event.json());
    chunk.put_slice(b"\n\n");
}

/// Writes the error that ended a run as an event `error`, whose data is a [`Problem`].
fn write_error(chunk: &mut BytesMut, host: &HostState, error: &TurnError) {
    let problem = host.problem(error);
    chunk.put_slice(b"event: error\ndata: ");
    chunk.put_slice(&serde_json::to_vec(&problem).unwrap_or_default());
    chunk.put_slice(b"\n\n");
}
