//! Prompts: `POST /prompt` and `POST /prompt/stream`.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Extension, State};
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, HeaderValue};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use strands_core::message::Message;
use strands_core::metrics::Usage;
use strands_core::uuid::Uuid;
use strands_core::{AgentResponse, Interrupt, PromptContent, PromptError, TraceContext};
use strands_identity::Identity;

use super::json_body::JsonBody;
use super::sse::{self, EventId};
use super::{HostState, Problem};
use crate::service::StoredRun;
use crate::{RunEvent, SessionChoice, Turn, TurnError, TurnMetrics, TurnRequest};

/// Body of a prompt.
///
/// ```
/// use strands::serve::http::PromptBody;
///
/// let body: PromptBody = strands::serde_json::from_str(r#"{"prompt": "Book me a flight to NYC next Monday."}"#)?;
/// # drop(body);
/// # Ok::<(), strands::serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct PromptBody {
    /// The prompt: a text, or content blocks such as images and documents.
    #[serde(alias = "text")]
    pub prompt: PromptContent,
    /// Id of the session. Default: the user's default session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_id: Option<String>,
    /// True for a new session.
    // Without `skip_serializing_if`, generated clients take the field for a required one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub new_session: bool,
    /// Id of the run: a UUID that the client makes, so that it can repeat the request if it has not seen the response. A repeated
    /// prompt returns the run that the first one has started. With it, a new session is the same one each time. Default: a
    /// random one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_id: Option<String>,
}

impl PromptBody {
    /// Returns the session.
    ///
    /// # Errors
    ///
    /// Returns a problem if it has both an id and a new session.
    fn session(&self) -> Result<SessionChoice, Problem> {
        match &self.session_id {
            Some(_) if self.new_session => {
                Err(Problem::bad_request("either `session_id` or `new_session` can be set, not both"))
            }
            Some(id) => Ok(SessionChoice::Id(id.clone())),
            None if self.new_session => Ok(self.run_id()?.map_or(SessionChoice::New, SessionChoice::Named)),
            None => Ok(SessionChoice::Default),
        }
    }

    /// Returns the id of the run that the client made.
    ///
    /// # Errors
    ///
    /// Returns a problem if it is not a UUID.
    fn run_id(&self) -> Result<Option<String>, Problem> {
        let id = self.run_id.as_deref().map(Uuid::try_parse).transpose();
        let id = id.map_err(|_| Problem::bad_request("`run_id` is not a UUID"))?;
        Ok(id.map(|id| id.hyphenated().to_string()))
    }
}

impl From<PromptError> for Problem {
    fn from(error: PromptError) -> Self {
        let code = if error == PromptError::Empty { "empty_prompt" } else { "invalid_prompt" };
        Self::new(http::StatusCode::UNPROCESSABLE_ENTITY, code, error.to_string())
    }
}

/// Response to a prompt.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct PromptResponse {
    /// Text of the response.
    pub text: String,
    /// Last message of the model.
    pub message: std::sync::Arc<Message>,
    /// Reason for the end of the turn.
    pub stop_reason: String,
    /// Token usage of the turn.
    pub usage: Usage,
    /// Metrics of the turn.
    pub metrics: TurnMetrics,
    /// Pending interrupts, if the stop reason is `interrupt`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub interrupts: Vec<Interrupt>,
    /// Id of the session.
    pub session_id: String,
    /// Id of the run.
    pub run_id: String,
    /// Fields that later versions add.
    #[serde(flatten)]
    #[schemars(skip)]
    pub more: BTreeMap<String, Value>,
}

impl PromptResponse {
    pub(crate) fn new(response: &AgentResponse, session_id: &str, run_id: &str) -> Self {
        Self {
            text: response.text(),
            message: std::sync::Arc::clone(&response.message),
            stop_reason: response.stop_reason.to_string(),
            usage: response.usage,
            metrics: TurnMetrics::of(response),
            interrupts: response.interrupts.clone(),
            session_id: session_id.to_owned(),
            run_id: run_id.to_owned(),
            more: BTreeMap::new(),
        }
    }
}

impl HostState {
    /// Makes the request of a turn from a body and the headers of its request.
    fn turn(&self, identity: Identity, headers: &HeaderMap, body: PromptBody) -> Result<TurnRequest, Problem> {
        let (session, run_id) = (body.session()?, body.run_id()?);
        let request = self.service.turn(identity, session, body.prompt.into_prompt()?);
        let request = match run_id {
            Some(run_id) => request.new_run(run_id),
            None => request,
        };
        Ok(match trace_context(headers) {
            Some(trace) => request.trace(trace),
            None => request,
        })
    }

    /// Creates the problem of a turn.
    pub(crate) fn problem(&self, error: &TurnError) -> Problem {
        Problem::of_turn(error, self.service.limits().retry_after)
    }
}

/// Returns the trace context of a request. An invalid one is ignored, as the W3C recommendation says.
pub(crate) fn trace_context(headers: &HeaderMap) -> Option<TraceContext> {
    let text = |name: &str| headers.get(name)?.to_str().ok();
    let context: TraceContext = text("traceparent")?.parse().ok()?;
    match text("tracestate") {
        Some(state) => context.clone().with_state(state).ok().or(Some(context)),
        None => Some(context),
    }
}

/// Run of a prompt.
enum Started {
    /// The run, in this process.
    Here(Turn),
    /// The end of a run that the same request has started in another process, or longer ago.
    Before { session_id: String, run_id: String, run: Box<StoredRun> },
}

impl HostState {
    /// Starts the turn of a prompt, unless the same request has started it before.
    async fn start(
        &self,
        identity: Identity,
        headers: &HeaderMap,
        body: PromptBody,
        options: impl FnOnce(TurnRequest) -> TurnRequest,
    ) -> Result<Started, Problem> {
        let problem = |error| self.problem(&error);
        let (session, run_id) = (body.session()?, body.run_id()?);
        if let Some(turn) = run_id.as_deref().and_then(|id| self.service.attach(&identity, id, None).ok()) {
            let session_id = self.service.session_id(&identity, session).map_err(problem)?;
            // Another prompt with the id of a run elsewhere: the client would take that run's response for its own.
            let is_same = turn.session_id() == session_id;
            return if is_same { Ok(Started::Here(turn)) } else { Err(problem(TurnError::RepeatedRun)) };
        }
        let turn = options(self.turn(identity.clone(), headers, body)?).inline().start().await;
        match (turn, run_id) {
            (Err(TurnError::RepeatedRun), Some(run_id)) => {
                let session_id = self.service.session_id(&identity, session.clone()).map_err(problem)?;
                let run = self.service.stored_run(&identity, session, &run_id).await.map_err(problem)?;
                Ok(Started::Before { session_id, run_id, run: Box::new(run) })
            }
            (turn, _) => turn.map(Started::Here).map_err(problem),
        }
    }
}

pub(super) async fn prompt(
    State(host): State<HostState>,
    Extension(identity): Extension<Identity>,
    headers: HeaderMap,
    JsonBody(body): JsonBody<PromptBody>,
) -> Result<Response, Problem> {
    let response = match host.start(identity, &headers, body, TurnRequest::without_events).await? {
        Started::Here(turn) => {
            let (session_id, run_id) = (turn.session_id().to_owned(), turn.run_id().to_owned());
            let response = turn.response().await.map_err(|error| host.problem(&error))?;
            PromptResponse::new(&response, &session_id, &run_id)
        }
        Started::Before { session_id, run_id, run } => PromptResponse::new(&run.response, &session_id, &run_id),
    };
    Ok(Json(response).into_response())
}

pub(super) async fn prompt_stream(
    State(host): State<HostState>,
    Extension(identity): Extension<Identity>,
    headers: HeaderMap,
    JsonBody(body): JsonBody<PromptBody>,
) -> Result<Response, Problem> {
    // A client that repeats a lost request comes back to its run, and starts no second one.
    if let Some(last) = EventId::last_of(&headers)? {
        return host.events_after(&identity, &last.run_id, Some(last.seq), body.session()?).await;
    }
    let location = |run_id: &str, session_id: &str| format!("/runs/{run_id}/events?session_id={session_id}");
    let (location, mut response) = match host.start(identity, &headers, body, |turn| turn).await? {
        Started::Here(turn) => (location(turn.run_id(), turn.session_id()), sse::response(host, turn)),
        Started::Before { session_id, run_id, run } => {
            let event = RunEvent::stored(run.response, run.messages);
            (location(&run_id, &session_id), sse::single(&run_id, &event))
        }
    };
    if let Ok(location) = HeaderValue::try_from(location) {
        response.headers_mut().insert(http::header::LOCATION, location);
    }
    Ok(response)
}
