//! Approvals: `GET /approvals`, and `POST /runs/{id}/answers`.

use axum::Json;
use axum::extract::{Extension, State};
use axum::response::{IntoResponse as _, Response};
use http::header::ACCEPT;
use http::{HeaderMap, StatusCode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use strands_identity::{Identity, Trust};

use super::json_body::JsonBody;
use super::parameters::Id;
use super::prompt::trace_context;
use super::sse;
use super::{HostState, Problem, PromptResponse};
use crate::{PendingApproval, Replied, Reply};

/// Maximum number of listed approvals.
const LIMIT: usize = 200;

/// Requests for approvals.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct ApprovalList {
    /// The requests that the user may respond to.
    pub approvals: Vec<Approval>,
}

/// A request for an approval: the call, and nothing else of the session.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Approval {
    /// Id of the request.
    pub approval_id: String,
    /// Id of the run that waits: the reply goes to `/runs/{id}/answers`.
    #[serde(default)]
    pub run_id: Option<String>,
    /// Id of the session, if it is one of the user's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_id: Option<String>,
    /// Name of the tool.
    pub tool: String,
    /// Arguments with which the tool runs.
    pub input: Value,
    /// Reason of the request.
    pub reason: String,
    /// The user for whom the agent works.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requested_by: Option<Requester>,
    /// Time of the request, RFC 3339 in UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requested_at: Option<String>,
    /// Time after which the call can't be approved any more, RFC 3339 in UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
    /// True if the user may approve the call. Otherwise, the user may only deny it.
    pub may_approve: bool,
}

/// User who requested a call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Requester {
    /// Id at the issuer.
    pub subject: String,
    /// Display name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

impl Approval {
    fn new(pending: PendingApproval, reader: &Identity) -> Self {
        let PendingApproval { session_id, run_id, is_own, request } = pending;
        Self {
            approval_id: request.id(),
            run_id,
            may_approve: request.may_be_approved_by(reader),
            session_id: is_own.then_some(session_id),
            tool: request.tool,
            input: request.input,
            reason: request.requirement.reason,
            requested_by: request.requested_by.map(|user| Requester { subject: user.subject, name: user.name }),
            requested_at: request.requested_at,
            expires_at: request.expires_at,
        }
    }
}

/// Replies to the interrupts of a run.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct AnswersBody {
    /// The replies, at most 64. If the run has other interrupts, it goes on to wait for replies to those.
    pub answers: Vec<AnswerBody>,
}

/// A reply: a decision about an approval, or a response to another interrupt.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
#[non_exhaustive]
pub enum AnswerBody {
    /// A decision about an approval.
    Decision(DecisionBody),
    /// A response to an interrupt. Only the owner of the session may send it.
    Response(ResponseBody),
}

/// A decision about an approval.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct DecisionBody {
    /// Id of the request, or of its interrupt.
    #[serde(alias = "interrupt_id")]
    pub approval_id: String,
    /// True to approve the call, false to deny it.
    pub approve: bool,
    /// Reason of a denial, which the model reads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Calls for which the approval is valid: `call`, `invocation` or `session`. Default: `call`.
    #[serde(default)]
    #[schemars(with = "Option<TrustName>")]
    pub trust: Option<Trust>,
}

/// Calls for which an approval is valid.
#[derive(JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "Trust")]
#[expect(dead_code, reason = "it is a schema only")]
enum TrustName {
    /// The approved call.
    Call,
    /// All calls of the tool until the run ends.
    Invocation,
    /// All calls of the tool in the session.
    Session,
}

/// A response to an interrupt.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct ResponseBody {
    /// Id of the interrupt.
    pub interrupt_id: String,
    /// The response: any JSON.
    pub response: Value,
}

/// Acknowledgement of a reply to a request of another user. The run goes on for its requester.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct AnswersAccepted {
    /// Id of the run.
    pub run_id: String,
    /// Always true.
    pub accepted: bool,
}

impl From<AnswerBody> for Reply {
    fn from(body: AnswerBody) -> Self {
        match body {
            AnswerBody::Decision(DecisionBody { approval_id, approve, reason, trust }) => {
                Self::decision_with(approval_id, approve, reason, trust.unwrap_or_default())
            }
            AnswerBody::Response(ResponseBody { interrupt_id, response }) => Self::response(interrupt_id, response),
        }
    }
}

pub(super) async fn list(
    State(host): State<HostState>,
    Extension(identity): Extension<Identity>,
) -> Result<Json<ApprovalList>, Problem> {
    let found = host.service.approvals(&identity, LIMIT).await.map_err(|error| host.problem(&error))?;
    let approvals = found.into_iter().map(|pending| Approval::new(pending, &identity)).collect();
    Ok(Json(ApprovalList { approvals }))
}

pub(super) async fn answer(
    State(host): State<HostState>,
    Extension(identity): Extension<Identity>,
    Id(run_id): Id,
    headers: HeaderMap,
    JsonBody(body): JsonBody<AnswersBody>,
) -> Result<Response, Problem> {
    if body.answers.is_empty() {
        return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "no_answers", "`answers` is empty"));
    }
    let streams = wants_events(&headers);
    let answers = body.answers.into_iter().map(Reply::from).collect();
    let answered = host.service.reply_with(&identity, &run_id, answers, |turn| {
        let turn = if let Some(trace) = trace_context(&headers) { turn.trace(trace) } else { turn };
        if streams { turn.inline() } else { turn.inline().without_events() }
    });
    match answered.await.map_err(|error| host.problem(&error))? {
        Replied::Own(turn) if streams => Ok(sse::response(host, turn)),
        Replied::Own(turn) => {
            let session_id = turn.session_id().to_owned();
            let response = turn.response().await.map_err(|error| host.problem(&error))?;
            Ok(Json(PromptResponse::new(&response, &session_id, &run_id)).into_response())
        }
        Replied::Accepted { run_id } => {
            Ok((StatusCode::ACCEPTED, Json(AnswersAccepted { run_id, accepted: true })).into_response())
        }
    }
}

/// Returns true if a client prefers server-sent events.
fn wants_events(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    accepted.flat_map(|value| value.split(',')).any(|media| {
        let essence = media.split(';').next().unwrap_or_default().trim();
        essence.eq_ignore_ascii_case("text/event-stream")
    })
}
