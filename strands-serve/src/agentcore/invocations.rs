//! `POST /invocations`.

use axum::Json;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use strands_core::AgentResponse;
use strands_identity::Identity;
use tracing::Instrument as _;

use super::error::{DataEvents, InvocationError};
use super::payload::{Payload, PromptOfPayload};
use super::{AgentCoreContext, ForwardedHeaders, PingStatus, Shared, WorkloadAccessToken};
use crate::http::{json_body, sse, trace_context};
use crate::{SessionChoice, TurnRequest};

/// The identity and the headers of a request.
#[derive(Clone)]
pub(super) struct Caller {
    pub(super) context: AgentCoreContext,
    identity: Identity,
    headers: HeaderMap,
}

impl Shared {
    /// Authenticates a request.
    pub(super) async fn caller(&self, parts: &http::request::Parts) -> Result<Caller, InvocationError> {
        let identity = self.http.identity(parts).await?;
        Ok(Caller { context: AgentCoreContext::new(&parts.headers), identity, headers: parts.headers.clone() })
    }

    /// Makes the request of a turn from a payload.
    pub(super) fn turn(&self, caller: Caller, payload: Payload) -> Result<TurnRequest, InvocationError> {
        let Caller { context, identity, headers } = caller;
        let PromptOfPayload { prompt, responses } = payload.prompt()?;
        let session = context.runtime_session_id().map(str::to_owned);
        let session = session.map_or(SessionChoice::Default, SessionChoice::Named);
        let mut turn = self.http.service.turn(identity, session, prompt).resume(responses).disconnect(self.disconnect);
        if let Some(trace) = trace_context(&headers) {
            turn = turn.trace(trace);
        }
        if let Some(token) = WorkloadAccessToken::of(&headers) {
            turn = turn.inject(token);
        }
        turn = turn.inject(ForwardedHeaders::of(&headers)).inject(self.health.tasks().clone());
        Ok(turn.inject(context.with_payload(payload.into_json())))
    }

    /// Executes a debug action.
    async fn debug_action(&self, action: &Value) -> Result<Value, InvocationError> {
        let force = |status| {
            self.health.forced().set(status);
            json!({"forced_status": status})
        };
        Ok(match action.as_str() {
            Some("ping_status") => self.ping_status().await?,
            Some("job_status") => {
                let running = self.health.tasks().running();
                json!({"active_count": running.len(), "running_jobs": running})
            }
            Some("force_healthy") => force(PingStatus::Healthy),
            Some("force_busy") => force(PingStatus::HealthyBusy),
            Some("clear_forced_status") => {
                self.health.forced().clear();
                json!({"forced_status": "Cleared"})
            }
            _ => {
                let action = action.as_str().map_or_else(|| action.to_string(), str::to_owned);
                let error = format!("Unknown action: {action}");
                return Err(InvocationError::new(StatusCode::BAD_REQUEST, "unknown_action", error));
            }
        })
    }
}

pub(super) async fn invoke(State(shared): State<Shared>, request: Request) -> Result<Response, InvocationError> {
    let (parts, body) = request.into_parts();
    let caller = shared.caller(&parts).await?;
    let span = tracing::info_span!(
        "invocation",
        request_id = caller.context.request_id(),
        session_id = caller.context.runtime_session_id(),
    );
    respond(shared, caller, Request::from_parts(parts, body)).instrument(span).await
}

async fn respond(shared: Shared, caller: Caller, request: Request) -> Result<Response, InvocationError> {
    let accepts_stream = accepts_stream(request.headers());
    let body = json_body::read(request, &shared.http).await?;
    let payload = Payload::parse(&body)?;
    if let Some(action) = payload.action().filter(|_| shared.debug_actions) {
        return Ok(Json(shared.debug_action(action).await?).into_response());
    }
    let is_stream = payload.stream().unwrap_or(accepts_stream);
    let request = shared.turn(caller, payload)?;
    let request = if is_stream { request } else { request.without_events() };
    let problem = |error| InvocationError::from(shared.http.problem(&error));
    let turn = request.inline().start().await.map_err(problem)?;
    if is_stream {
        return Ok(sse::streamed(turn, DataEvents { http: shared.http }));
    }
    let session_id = turn.session_id().to_owned();
    let response = turn.response().await.map_err(problem)?;
    Ok(Json(result(&response, &session_id)).into_response())
}

/// Returns the JSON of a response. The names of the metrics are those of Strands for Python.
fn result(response: &AgentResponse, session_id: &str) -> Value {
    let summary = response.metrics.summary();
    let mut result = json!({
        "result": response.text(),
        "stop_reason": response.stop_reason.to_string(),
        "session_id": session_id,
        "metrics": {
            "accumulated_usage": summary.accumulated_usage,
            "average_cycle_time": summary.average_cycle_time,
            "total_cycles": summary.total_cycles,
            "total_duration": summary.total_duration,
        },
    });
    if let (false, Value::Object(result)) = (response.interrupts.is_empty(), &mut result) {
        result.insert("interrupts".to_owned(), json!(response.interrupts));
    }
    result
}

/// Returns true if the client prefers server-sent events to JSON: of the two media types, the first one that it names.
fn accepts_stream(headers: &HeaderMap) -> bool {
    let lines = headers.get_all(http::header::ACCEPT).iter().filter_map(|line| line.to_str().ok());
    let mut types = lines.flat_map(|line| line.split(',')).map(|range| {
        let essence = range.split(';').next().unwrap_or_default();
        essence.trim().to_ascii_lowercase()
    });
    types
        .find(|name| name == "text/event-stream" || name == "application/json")
        .is_some_and(|name| name != "application/json")
}
