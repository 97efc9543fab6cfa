//! Server-sent events of a run.

use std::convert::Infallible;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::response::{IntoResponse as _, Response};
use bytes::{BufMut as _, BytesMut};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue};

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

/// Returns a response with the events of a run.
pub(super) fn response(host: HostState, turn: Turn) -> Response {
    let run_id: Arc<str> = turn.run_id().into();
    let chunks = futures_util::stream::unfold(Some(turn), move |turn| {
        let (host, run_id) = (host.clone(), Arc::clone(&run_id));
        async move {
            let mut turn = turn?;
            let mut chunk = BytesMut::new();
            let next = tokio::time::timeout(KEEP_ALIVE, turn.next()).await;
            let rest = match next {
                Err(_) => {
                    chunk.put_slice(b": keep-alive\n\n");
                    Some(turn)
                }
                Ok(None) => return None,
                Ok(Some(Err(error))) => {
                    write_error(&mut chunk, &host, &error);
                    None
                }
                Ok(Some(Ok(event))) => {
                    write_event(&mut chunk, &run_id, &event);
                    while chunk.len() < CHUNK {
                        let Some(event) = turn.more() else { break };
                        write_event(&mut chunk, &run_id, &event);
                    }
                    Some(turn)
                }
            };
            Some((Ok::<Bytes, Infallible>(chunk.freeze()), rest))
        }
    });
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("text/event-stream")),
        (CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        // Proxies that buffer responses, such as nginx.
        (HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no")),
    ];
    (headers, Body::from_stream(chunks)).into_response()
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
