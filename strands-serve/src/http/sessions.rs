//! Sessions of a user: `/sessions`.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Extension, State};
use http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use strands_core::message::Message;
use strands_identity::Identity;

use super::json_body::JsonBody;
use super::parameters::{Id, Parameters};
use super::{HostState, Problem};
use crate::{SessionSummary, SessionTranscript};

/// Default number of listed sessions.
const LIMIT: usize = 50;
/// Maximum number of listed sessions.
const MAX_LIMIT: usize = 200;

/// Parameters of `GET /sessions`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SessionQuery {
    /// Text in the titles of the sessions, in upper or lower case.
    #[serde(default)]
    pub(crate) q: Option<String>,
    /// Maximum number of sessions, up to 200. Default: 50.
    #[serde(default)]
    pub(crate) limit: Option<usize>,
}

/// Sessions, newest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct SessionList {
    /// The sessions.
    pub sessions: Vec<SessionSummary>,
}

/// Changes of a session.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct SessionChanges {
    /// New title, 1 to 200 characters; `null` removes it.
    #[serde(deserialize_with = "Option::deserialize")]
    #[schemars(required)]
    pub title: Option<String>,
}

/// Position to rewind to.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct RewindBody {
    /// Id of a prompt: its `tracking_id` in the session.
    pub message_id: String,
}

/// Messages that a rewind removed.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct RemovedMessages {
    /// The messages; the first is the prompt to edit.
    pub removed: Vec<Arc<Message>>,
}

pub(super) async fn list(
    State(host): State<HostState>,
    Extension(identity): Extension<Identity>,
    Parameters(query): Parameters<SessionQuery>,
) -> Result<Json<SessionList>, Problem> {
    let limit = query.limit.unwrap_or(LIMIT).clamp(1, MAX_LIMIT);
    let title = query.q.as_deref().filter(|text| !text.is_empty());
    let sessions = host.service.sessions(&identity, title, limit).await.map_err(|error| host.problem(&error))?;
    Ok(Json(SessionList { sessions }))
}

pub(super) async fn read(
    State(host): State<HostState>,
    Extension(identity): Extension<Identity>,
    Id(session_id): Id,
) -> Result<Json<SessionTranscript>, Problem> {
    let transcript = host.service.transcript(&identity, &session_id).await;
    transcript.map(Json).map_err(|error| host.problem(&error))
}

pub(super) async fn change(
    State(host): State<HostState>,
    Extension(identity): Extension<Identity>,
    Id(session_id): Id,
    JsonBody(changes): JsonBody<SessionChanges>,
) -> Result<Json<SessionSummary>, Problem> {
    let renamed = host.service.rename_session(&identity, &session_id, changes.title.as_deref()).await;
    renamed.map(Json).map_err(|error| host.problem(&error))
}

pub(super) async fn delete(
    State(host): State<HostState>,
    Extension(identity): Extension<Identity>,
    Id(session_id): Id,
) -> Result<StatusCode, Problem> {
    let deleted = host.service.delete_session(&identity, &session_id).await;
    deleted.map(|()| StatusCode::NO_CONTENT).map_err(|error| host.problem(&error))
}

pub(super) async fn rewind(
    State(host): State<HostState>,
    Extension(identity): Extension<Identity>,
    Id(session_id): Id,
    JsonBody(body): JsonBody<RewindBody>,
) -> Result<Json<RemovedMessages>, Problem> {
    let removed = host.service.rewind_session(&identity, &session_id, &body.message_id).await;
    removed.map(|removed| Json(RemovedMessages { removed })).map_err(|error| host.problem(&error))
}
