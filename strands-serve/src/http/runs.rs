//! Runs: their events again, and their cancellation.

use axum::extract::{Extension, Path, State};
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use strands_identity::Identity;

use super::sse::{self, EventId};
use super::{HostState, Problem};

pub(super) async fn events(
    State(host): State<HostState>,
    Extension(identity): Extension<Identity>,
    Path(run_id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let last = EventId::last_of(&headers)?;
    if last.as_ref().is_some_and(|last| last.run_id != run_id) {
        return Err(Problem::bad_request("`Last-Event-ID` is of another run"));
    }
    let turn = host.service.attach(&identity, &run_id, last.map(|last| last.seq));
    Ok(sse::response(host.clone(), turn.map_err(|error| host.problem(&error))?))
}

pub(super) async fn cancel(
    State(host): State<HostState>,
    Extension(identity): Extension<Identity>,
    Path(run_id): Path<String>,
) -> Result<StatusCode, Problem> {
    host.service.cancel(&identity, &run_id).map_err(|error| host.problem(&error))?;
    Ok(StatusCode::NO_CONTENT)
}
