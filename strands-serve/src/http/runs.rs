//! Runs: their events again, and their cancellation.

use axum::extract::{Extension, State};
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, StatusCode};
use schemars::JsonSchema;
use serde::Deserialize;
use strands_core::Interrupt;
use strands_identity::Identity;

use super::parameters::{Id, Parameters};
use super::sse::{self, EventId};
use super::{HostState, Problem};
use crate::{RunEvent, SessionChoice, Turn, TurnError};

/// Parameters of `GET /runs/{id}/events`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct EventsQuery {
    /// Id of the run's session, where the response of the run is found later. Default: the user's default session.
    #[serde(default)]
    pub(crate) session_id: Option<String>,
}

pub(super) async fn events(
    State(host): State<HostState>,
    Extension(identity): Extension<Identity>,
    Id(run_id): Id,
    Parameters(query): Parameters<EventsQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let last = EventId::last_of(&headers)?;
    if last.as_ref().is_some_and(|last| last.run_id != run_id) {
        return Err(Problem::bad_request("`Last-Event-ID` is of another run"));
    }
    host.events_after(&identity, &run_id, last.map(|last| last.seq), query.session_id.into()).await
}

impl HostState {
    /// Returns the events of a run after a number: from this process or, if it does not have them, the response from the session.
    ///
    /// A client that has everything gets the status 204, after which an `EventSource` does not reconnect.
    pub(super) async fn events_after(
        &self,
        identity: &Identity,
        run_id: &str,
        after: Option<u64>,
        session: SessionChoice,
    ) -> Result<Response, Problem> {
        match self.service.attach(identity, run_id, after) {
            Ok(turn) => {
                if let Some(event) = self.resumed_elsewhere(identity, &turn).await? {
                    return Ok(sse::single(run_id, &event));
                }
                if turn.is_at_end() {
                    return Ok(StatusCode::NO_CONTENT.into_response());
                }
                Ok(sse::response(self.clone(), turn))
            }
            Err(TurnError::UnknownRun) => {
                let stored = self.service.stored_run(identity, session, run_id).await;
                let stored = stored.map_err(|error| self.problem(&error))?;
                let event = RunEvent::stored(stored.response, stored.messages);
                match after {
                    Some(after) if after >= event.seq() => Ok(StatusCode::NO_CONTENT.into_response()),
                    _ => Ok(sse::single(run_id, &event)),
                }
            }
            Err(error) => Err(self.problem(&error)),
        }
    }
}

impl HostState {
    /// Returns the stored end of a run that was suspended in this process, if another process has resumed it.
    async fn resumed_elsewhere(&self, identity: &Identity, turn: &Turn) -> Result<Option<RunEvent>, Problem> {
        let interrupts = turn.interrupts();
        if interrupts.is_empty() {
            return Ok(None);
        }
        let stored = self.service.stored_run(identity, turn.session_id().into(), turn.run_id()).await;
        let stored = stored.map_err(|error| self.problem(&error))?;
        let is_same = ids(&stored.response.interrupts) == ids(&interrupts);
        Ok((!is_same).then(|| RunEvent::stored(stored.response, stored.messages)))
    }
}

pub(super) async fn cancel(
    State(host): State<HostState>,
    Extension(identity): Extension<Identity>,
    Id(run_id): Id,
) -> Result<StatusCode, Problem> {
    host.service.cancel(&identity, &run_id).map_err(|error| host.problem(&error))?;
    Ok(StatusCode::NO_CONTENT)
}

fn ids(interrupts: &[Interrupt]) -> Vec<&str> {
    interrupts.iter().map(|interrupt| interrupt.id.as_str()).collect()
}
