//! Errors of requests, as `application/problem+json` of RFC 9457.

use std::time::Duration;

use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, Method, StatusCode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use strands_core::AgentError;
use strands_core::session::SessionError;
use strands_identity::ApprovalError;

use super::AuthenticationError;
use crate::TurnError;

/// Detail of errors that are in the log alone.
const HIDDEN: &str = "the request could not be processed";
/// Media type of errors.
pub(crate) const PROBLEM_JSON: &str = "application/problem+json";

/// An error of a request: the JSON of RFC 9457, with a `code` for programs.
///
/// The detail says what to do. It has no internals: those are in the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Problem {
    /// Kind of problem, as a URI: always `about:blank`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The status as text.
    pub title: String,
    /// HTTP status code.
    pub status: u16,
    /// Identifier of the problem for programs, such as `session_busy`.
    pub code: String,
    /// Description for people.
    pub detail: String,
    /// Time after which to try again, in seconds: the header `Retry-After`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u64>,
}

impl Problem {
    /// Creates a problem.
    pub(crate) fn new(status: StatusCode, code: &str, detail: impl Into<String>) -> Self {
        Self {
            kind: "about:blank".to_owned(),
            title: status.canonical_reason().unwrap_or("Error").to_owned(),
            status: status.as_u16(),
            code: code.to_owned(),
            detail: detail.into(),
            retry_after: None,
        }
    }

    pub(crate) fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_request", detail)
    }

    fn retry_after(mut self, time: Duration) -> Self {
        self.retry_after = Some(time.as_secs().max(1));
        self
    }

    /// Creates the problem of a turn, and writes errors that are not shown to the log.
    pub(crate) fn of_turn(error: &TurnError, retry_after: Duration) -> Self {
        let (status, code) = kind(error);
        let problem = match error {
            TurnError::Unavailable(source) => {
                tracing::error!(error = format!("{source:?}"), "a service that the turn needs failed");
                Self::new(status, code, detail(error))
            }
            TurnError::Agent(error) if let Some(detail) = approval_detail(error) => Self::new(status, code, detail),
            _ if status.is_client_error() || error.is_temporary() => Self::new(status, code, detail(error)),
            _ => {
                tracing::error!(error = format!("{error:?}"), "a turn failed");
                Self::new(status, code, HIDDEN)
            }
        };
        if error.is_temporary() { problem.retry_after(retry_after) } else { problem }
    }
}

/// Returns the status and the code of an error.
fn kind(error: &TurnError) -> (StatusCode, &'static str) {
    match error {
        TurnError::UnknownSession => (StatusCode::NOT_FOUND, "unknown_session"),
        TurnError::UnknownMessage => (StatusCode::NOT_FOUND, "unknown_message"),
        TurnError::UnknownApproval => (StatusCode::NOT_FOUND, "unknown_approval"),
        TurnError::InvalidTitle => (StatusCode::UNPROCESSABLE_ENTITY, "invalid_title"),
        TurnError::Unfinished => (StatusCode::CONFLICT, "unfinished"),
        TurnError::UnknownRun => (StatusCode::NOT_FOUND, "unknown_run"),
        TurnError::NotTheLastRun => (StatusCode::CONFLICT, "not_the_last_run"),
        TurnError::RepeatedRun => (StatusCode::CONFLICT, "repeated_run"),
        TurnError::SessionBusy => (StatusCode::CONFLICT, "session_busy"),
        TurnError::UserBusy => (StatusCode::TOO_MANY_REQUESTS, "user_busy"),
        TurnError::Overloaded => (StatusCode::SERVICE_UNAVAILABLE, "overloaded"),
        TurnError::ShuttingDown => (StatusCode::SERVICE_UNAVAILABLE, "shutting_down"),
        TurnError::SlowReader => (StatusCode::SERVICE_UNAVAILABLE, "slow_reader"),
        TurnError::Unavailable(_) => (StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
        TurnError::EventsGone => (StatusCode::GONE, "events_gone"),
        TurnError::Agent(error) if let Some(error) = ApprovalError::of(error) => approval_kind(error),
        TurnError::Agent(error) => match &**error {
            AgentError::Rewind { .. } => (StatusCode::UNPROCESSABLE_ENTITY, "invalid_rewind"),
            AgentError::Interrupted { .. } => (StatusCode::CONFLICT, "interrupted"),
            AgentError::UnknownInterrupt { .. } => (StatusCode::CONFLICT, "unknown_interrupt"),
            AgentError::EmptyConversation | AgentError::NothingToRespondTo => {
                (StatusCode::UNPROCESSABLE_ENTITY, "empty_prompt")
            }
            AgentError::JsonTooDeep { .. } => (StatusCode::UNPROCESSABLE_ENTITY, "nested_too_deep"),
            AgentError::ContextOverflow { .. } => (StatusCode::UNPROCESSABLE_ENTITY, "context_overflow"),
            AgentError::Model { .. } => (StatusCode::BAD_GATEWAY, "model_failed"),
            _ => (StatusCode::INTERNAL_SERVER_ERROR, "internal"),
        },
        TurnError::Session(error) => match &**error {
            SessionError::NotFound { .. } => (StatusCode::NOT_FOUND, "unknown_session"),
            SessionError::InvalidId { .. } => (StatusCode::NOT_FOUND, "unknown_session"),
            _ => (StatusCode::INTERNAL_SERVER_ERROR, "session_failed"),
        },
        _ => (StatusCode::INTERNAL_SERVER_ERROR, "internal"),
    }
}

/// Returns the detail of an error that a client can do something about. Texts of the model's provider, keys of the store, and
/// advice for programmers are left out.
fn detail(error: &TurnError) -> String {
    match error {
        TurnError::Agent(error) => match &**error {
            AgentError::ContextOverflow { .. } => {
                "the conversation does not fit the model's context window; use another session".to_owned()
            }
            AgentError::Interrupted { .. } => {
                "the session waits for replies to its interrupts; send those first".to_owned()
            }
            error => error.to_string(),
        },
        TurnError::Session(_) => TurnError::UnknownSession.to_string(),
        error => error.to_string(),
    }
}

/// Returns the status and the code of a refused reply.
fn approval_kind(error: &ApprovalError) -> (StatusCode, &'static str) {
    match error {
        ApprovalError::NoApprover { .. } | ApprovalError::NotAllowed { .. } => (StatusCode::FORBIDDEN, "not_allowed"),
        ApprovalError::OwnRequest { .. } | ApprovalError::UnknownRequester { .. } => {
            (StatusCode::FORBIDDEN, "own_request")
        }
        ApprovalError::Expired { .. } => (StatusCode::GONE, "expired"),
        ApprovalError::OtherCall { .. } => (StatusCode::CONFLICT, "other_call"),
        ApprovalError::Repeated { .. } => (StatusCode::UNPROCESSABLE_ENTITY, "repeated_reply"),
        ApprovalError::InvalidResponse { .. } => (StatusCode::UNPROCESSABLE_ENTITY, "invalid_response"),
        ApprovalError::TrustNotAllowed { .. } => (StatusCode::UNPROCESSABLE_ENTITY, "trust_not_allowed"),
        _ => (StatusCode::INTERNAL_SERVER_ERROR, "internal"),
    }
}

/// Returns the detail of a refused reply. Roles and users are left out.
fn approval_detail(error: &AgentError) -> Option<&'static str> {
    Some(match ApprovalError::of(error)? {
        ApprovalError::NoApprover { .. } | ApprovalError::NotAllowed { .. } => "you may not respond to this request",
        ApprovalError::OwnRequest { .. } | ApprovalError::UnknownRequester { .. } => {
            "another than the requester must approve the call"
        }
        ApprovalError::Expired { .. } => "the request has expired; deny it, and let the agent request it again",
        ApprovalError::OtherCall { .. } => "the reply is for another call; read the request again",
        ApprovalError::Repeated { .. } => "two replies to one request; send one",
        ApprovalError::InvalidResponse { .. } => "the response neither approves nor denies",
        ApprovalError::TrustNotAllowed { .. } => "the reply grants trust in the tool for longer than allowed",
        _ => return None,
    })
}

impl From<AuthenticationError> for Problem {
    fn from(error: AuthenticationError) -> Self {
        let detail = error.to_string();
        match error {
            AuthenticationError::Unauthenticated => Self::new(StatusCode::UNAUTHORIZED, "unauthenticated", detail),
            AuthenticationError::Forbidden => Self::new(StatusCode::FORBIDDEN, "forbidden", detail),
            AuthenticationError::Unavailable => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail).retry_after(Duration::from_secs(5))
            }
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let json = serde_json::to_vec(&self).unwrap_or_default();
        let mut response = (status, [(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON))], json).into_response();
        let headers = response.headers_mut();
        if let Some(seconds) = self.retry_after {
            headers.insert(RETRY_AFTER, seconds.into());
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        // For interfaces with another shape of errors.
        response.extensions_mut().insert(self);
        response
    }
}

pub(crate) async fn not_found() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "not_found", "there is nothing at this path")
}

/// The header `Allow` is added by the router.
pub(crate) async fn method_not_allowed(method: Method) -> Problem {
    let detail = format!("{method} is not a method of this path");
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail)
}

/// The problem of a request whose handler panicked.
pub(super) fn panicked() -> Response {
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", HIDDEN).into_response()
}
