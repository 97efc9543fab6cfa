//! Errors in the shape of OpenAI: `{"error": {"message", "type", "param", "code"}}`.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderValue, StatusCode};
use serde_json::{Value, json};

use crate::http::Problem;

/// An error of a request.
#[derive(Debug)]
pub(super) struct ApiError {
    problem: Box<Problem>,
    /// Parameter that is wrong.
    param: Option<&'static str>,
}

impl ApiError {
    /// Creates the error of a parameter.
    pub(super) fn invalid(param: &'static str, code: &str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, param, code, message)
    }

    pub(super) fn new(status: StatusCode, param: &'static str, code: &str, message: impl Into<String>) -> Self {
        Self { problem: Box::new(Problem::new(status, code, message)), param: Some(param) }
    }

    /// Creates the error of a parameter that an agent does not support.
    pub(super) fn unsupported(param: &'static str, reason: &str) -> Self {
        Self::invalid(param, "unsupported_parameter", format!("`{param}` is not supported: {reason}"))
    }
}

impl From<Problem> for ApiError {
    fn from(problem: Problem) -> Self {
        Self { problem: Box::new(problem), param: None }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        in_shape(Problem::clone(&self.problem).into_response(), &self.problem, self.param)
    }
}

/// Returns the JSON of an error.
pub(super) fn error_json(problem: &Problem, param: Option<&str>) -> Value {
    let kind = match problem.status {
        401 => "authentication_error",
        403 => "permission_error",
        429 => "rate_limit_error",
        500.. => "server_error",
        _ => "invalid_request_error",
    };
    json!({"message": problem.detail, "type": kind, "param": param, "code": problem.code})
}

/// Turns problems of other parts of the host, such as its authentication, into errors.
pub(super) async fn in_shape_of_openai(mut response: Response) -> Response {
    match response.extensions_mut().remove::<Problem>() {
        Some(problem) => in_shape(response, &problem, None),
        None => response,
    }
}

fn in_shape(mut response: Response, problem: &Problem, param: Option<&str>) -> Response {
    let json = json!({"error": error_json(problem, param)}).to_string();
    *response.body_mut() = Body::from(json);
    response.headers_mut().remove(CONTENT_LENGTH);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.extensions_mut().remove::<Problem>();
    // OpenAI has one status for invalid bodies.
    if response.status() == StatusCode::UNPROCESSABLE_ENTITY {
        *response.status_mut() = StatusCode::BAD_REQUEST;
    }
    response
}
