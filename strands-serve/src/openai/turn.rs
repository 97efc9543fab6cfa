//! Turns of requests, for both protocols.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::response::Response;
use http::{HeaderMap, HeaderValue};
use strands_core::message::ContentBlock;
use strands_core::{AgentEvent, AgentResponse};
use strands_identity::Identity;

use super::error::ApiError;
use super::session::{self, Asked};
use super::texts::{TextReader, Texts};
use crate::http::{HostState, trace_context};
use crate::{Disconnect, SessionChoice, Turn, TurnError};

/// Starts the turn of a request.
pub(super) async fn start(
    host: &HostState,
    identity: Identity,
    headers: &HeaderMap,
    asked: Asked,
    is_stored: bool,
    prompt: Vec<ContentBlock>,
) -> Result<Turn, ApiError> {
    let mut request = match asked {
        Asked::Named(session) => host.service.turn(identity, session, prompt),
        Asked::After { session, run_id } => host.service.turn(identity, session, prompt).after(run_id),
        Asked::Nothing if is_stored => host.service.turn(identity, SessionChoice::New, prompt),
        Asked::Nothing => host.service.turn(identity, SessionChoice::New, prompt).temporary(),
    };
    if let Some(trace) = trace_context(headers) {
        request = request.trace(trace);
    }
    // Clients of these protocols can't come back to a stream.
    if host.service.limits().disconnect != Disconnect::Finish {
        request = request.disconnect(Disconnect::CancelAfter(Duration::ZERO));
    }
    request.inline().start().await.map_err(|error| match error {
        TurnError::NotTheLastRun => session::unknown_response(),
        error => host.problem(&error).into(),
    })
}

/// Reads a turn to its end.
pub(super) async fn read(host: &HostState, mut turn: Turn) -> Result<(Vec<String>, AgentResponse), ApiError> {
    let (mut reader, mut texts) = (TextReader::default(), Texts::default());
    while let Some(event) = turn.next().await {
        let event = event.map_err(|error| host.problem(&error))?;
        reader.read(event.event(), &mut texts);
        if let AgentEvent::Result { response } = event.event() {
            return Ok((texts.0, (**response).clone()));
        }
    }
    Err(host.problem(&TurnError::Aborted).into())
}

/// Adds the id of the session to a response.
pub(super) fn with_session(mut response: Response, session_id: &str) -> Response {
    if let Ok(id) = HeaderValue::try_from(session_id) {
        response.headers_mut().insert(session::HEADER, id);
    }
    response
}

/// Returns the seconds since 1970.
pub(super) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}
