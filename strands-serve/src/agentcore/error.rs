//! Errors as the SDK writes them: `{"error"}`, and error events in streams.

use axum::Json;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde_json::{Value, json};

use crate::TurnError;
use crate::http::sse::EventFormat;
use crate::http::{AuthenticationError, HostState, Problem};
use crate::run::RunEvent;

/// An error of an invocation.
pub(super) struct InvocationError {
    problem: Box<Problem>,
    details: Option<String>,
}

impl InvocationError {
    pub(super) fn new(status: StatusCode, code: &str, error: impl Into<String>) -> Self {
        Problem::new(status, code, error).into()
    }

    pub(super) fn with_details(mut self, details: impl Into<String>) -> Self {
        self.details = Some(details.into());
        self
    }

    /// Returns the JSON of the error in a stream.
    pub(super) fn event(&self) -> Value {
        json!({
            "error": self.problem.detail,
            "error_type": self.problem.code,
            "message": "An error occurred during streaming",
        })
    }
}

impl From<Problem> for InvocationError {
    fn from(problem: Problem) -> Self {
        Self { problem: Box::new(problem), details: None }
    }
}

impl From<AuthenticationError> for InvocationError {
    fn from(error: AuthenticationError) -> Self {
        Problem::from(error).into()
    }
}

impl IntoResponse for InvocationError {
    fn into_response(self) -> Response {
        let mut body = json!({"error": self.problem.detail});
        if let (Some(details), Value::Object(body)) = (self.details, &mut body) {
            body.insert("details".to_owned(), details.into());
        }
        // The headers of the problem, such as `Retry-After`, with another body.
        let (mut parts, _) = self.problem.into_response().into_parts();
        parts.headers.remove(http::header::CONTENT_TYPE);
        parts.headers.remove(http::header::CONTENT_LENGTH);
        (parts.status, parts.headers, Json(body)).into_response()
    }
}

/// Events of a stream: `data` alone, and errors as objects with `error`.
pub(super) struct DataEvents {
    pub(super) http: HostState,
}

impl EventFormat for DataEvents {
    fn write_event(&mut self, chunk: &mut Vec<u8>, event: &RunEvent) {
        write_data(chunk, |chunk| event.write_json(chunk));
    }

    fn write_error(&mut self, chunk: &mut Vec<u8>, error: &TurnError) {
        let event = InvocationError::from(self.http.problem(error)).event();
        write_data(chunk, |chunk| chunk.extend_from_slice(event.to_string().as_bytes()));
    }
}

fn write_data(chunk: &mut Vec<u8>, write_json: impl FnOnce(&mut Vec<u8>)) {
    chunk.extend_from_slice(b"data: ");
    write_json(chunk);
    chunk.extend_from_slice(b"\n\n");
}

/// The error of a request whose handler panicked.
pub(super) fn panicked() -> Response {
    let detail = "the request could not be processed";
    InvocationError::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail).into_response()
}

pub(super) async fn not_found() -> InvocationError {
    InvocationError::new(StatusCode::NOT_FOUND, "not_found", "there is nothing at this path")
}

pub(super) async fn method_not_allowed(request: Request) -> InvocationError {
    let detail = format!("{} is not a method of this path", request.method());
    InvocationError::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail)
}
