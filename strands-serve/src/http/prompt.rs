//! Prompts: `POST /prompt` and `POST /prompt/stream`.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Extension, State};
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, HeaderValue};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use strands_core::message::{ContentBlock, Message};
use strands_core::metrics::Usage;
use strands_core::{AgentResponse, Interrupt, Prompt, TraceContext};
use strands_identity::Identity;

use super::json_body::JsonBody;
use super::sse::{self, EventId};
use super::{HostState, Problem};
use crate::{SessionChoice, TurnMetrics, TurnRequest};

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
            None if self.new_session => Ok(SessionChoice::New),
            None => Ok(SessionChoice::Default),
        }
    }
}

/// Content of a prompt.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
#[expect(clippy::exhaustive_enums, reason = "a prompt is a text or blocks")]
pub enum PromptContent {
    /// A text.
    Text(String),
    /// Content blocks, in the JSON of Strands: `[{"text": ".."}, {"image": {"format": "png", "source": {"bytes": ".."}}}]`.
    Blocks(Vec<ContentBlock>),
}

impl PromptContent {
    /// Returns the prompt.
    ///
    /// # Errors
    ///
    /// Returns a problem if it has no content, or content that only an agent may write.
    pub(crate) fn into_prompt(self) -> Result<Prompt, Problem> {
        let empty = || Problem::new(http::StatusCode::UNPROCESSABLE_ENTITY, "empty_prompt", "the prompt is empty");
        match self {
            Self::Text(text) if text.trim().is_empty() => Err(empty()),
            Self::Text(text) => Ok(Prompt::from(text)),
            Self::Blocks(blocks) if blocks.is_empty() => Err(empty()),
            Self::Blocks(blocks) => match blocks.iter().find(|block| !is_of_user(block)) {
                None => Ok(Prompt::from(blocks)),
                Some(_) => {
                    let detail = "the prompt has a content block that is not of a user: use text, images, documents, \
                                  audio or video";
                    Err(Problem::new(http::StatusCode::UNPROCESSABLE_ENTITY, "invalid_prompt", detail))
                }
            },
        }
    }
}

/// Returns true for content that a user may send. Results of tools, for example, come from tools alone.
fn is_of_user(block: &ContentBlock) -> bool {
    matches!(
        block,
        ContentBlock::Text(_)
            | ContentBlock::Image(_)
            | ContentBlock::Document(_)
            | ContentBlock::Audio(_)
            | ContentBlock::Video(_)
    )
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
        let session = body.session()?;
        let request = self.service.turn(identity, session, body.prompt.into_prompt()?);
        Ok(match trace_context(headers) {
            Some(trace) => request.trace(trace),
            None => request,
        })
    }

    /// Creates the problem of a turn.
    pub(crate) fn problem(&self, error: &crate::TurnError) -> Problem {
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

pub(super) async fn prompt(
    State(host): State<HostState>,
    Extension(identity): Extension<Identity>,
    headers: HeaderMap,
    JsonBody(body): JsonBody<PromptBody>,
) -> Result<Response, Problem> {
    let turn = host.turn(identity, &headers, body)?.without_events().inline().start().await;
    let turn = turn.map_err(|error| host.problem(&error))?;
    let (session_id, run_id) = (turn.session_id().to_owned(), turn.run_id().to_owned());
    let response = turn.response().await.map_err(|error| host.problem(&error))?;
    Ok(Json(PromptResponse::new(&response, &session_id, &run_id)).into_response())
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
    let turn = host.turn(identity, &headers, body)?.inline().start().await.map_err(|error| host.problem(&error))?;
    let location = format!("/runs/{}/events?session_id={}", turn.run_id(), turn.session_id());
    let mut response = sse::response(host, turn);
    if let Ok(location) = HeaderValue::try_from(location) {
        response.headers_mut().insert(http::header::LOCATION, location);
    }
    Ok(response)
}
