//! Failures of requests, with their codes in both bindings.
//!
//! The HTTP statuses are those of the specification (section 5.4); those of the crate `a2a-lf` differ.

use a2a::{error_code, errordetails};
use axum::http::StatusCode;
use serde_json::{Value, json};

/// Maximum length of a quoted value of the client, in characters.
const MAX_QUOTE: usize = 200;

/// Code of failures that the specification has no code for, from the range that JSON-RPC leaves to servers.
const SERVER_ERROR: i32 = -32_000;

/// A request that can't be served.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Failure {
    #[error("task not found: {0}")]
    TaskNotFound(String),
    #[error("push notification configuration not found: {0}")]
    PushConfigNotFound(String),
    #[error("the task has ended, and can't be canceled: {0}")]
    NotCancelable(String),
    #[error("push notifications are not supported")]
    PushNotSupported,
    #[error("{0}")]
    Unsupported(String),
    #[error("parts of the media type `{0}` are not supported; see `defaultInputModes` of the agent card")]
    ContentType(String),
    #[error("the `Content-Type` of the request must be `application/json`")]
    BodyType,
    #[error("protocol version `{0}` is not supported; send `A2A-Version: 1.0`, or `0.3` over JSON-RPC")]
    Version(String),
    #[error("the body is not valid JSON")]
    Parse,
    #[error("{0}")]
    InvalidRequest(String),
    #[error("method not found: {0}")]
    MethodNotFound(String),
    #[error("{0}")]
    InvalidParams(String),
    #[error("the context is busy with another task; send the message again after it has ended")]
    Busy,
    #[error("{0}")]
    Overloaded(&'static str),
    #[error("the server is shutting down")]
    ShuttingDown,
    #[error("the body is larger than {0} bytes")]
    BodyTooLarge(usize),
    #[error("internal error")]
    Internal,
}

impl Failure {
    pub(super) fn task_not_found(id: &str) -> Self {
        Self::TaskNotFound(quote(id))
    }

    /// Logs an internal failure, whose cause clients must not see.
    pub(super) fn internal(error: impl std::error::Error) -> Self {
        tracing::error!(error = %strands_core::ErrorChain::new(&error), "an A2A request failed");
        Self::Internal
    }

    fn code(&self) -> i32 {
        match self {
            Self::TaskNotFound(_) | Self::PushConfigNotFound(_) => error_code::TASK_NOT_FOUND,
            Self::NotCancelable(_) => error_code::TASK_NOT_CANCELABLE,
            Self::PushNotSupported => error_code::PUSH_NOTIFICATION_NOT_SUPPORTED,
            Self::Unsupported(_) => error_code::UNSUPPORTED_OPERATION,
            Self::ContentType(_) | Self::BodyType => error_code::CONTENT_TYPE_NOT_SUPPORTED,
            Self::Version(_) => error_code::VERSION_NOT_SUPPORTED,
            Self::Parse => error_code::PARSE_ERROR,
            Self::InvalidRequest(_) | Self::BodyTooLarge(_) => error_code::INVALID_REQUEST,
            Self::MethodNotFound(_) => error_code::METHOD_NOT_FOUND,
            Self::InvalidParams(_) => error_code::INVALID_PARAMS,
            Self::Busy | Self::Overloaded(_) | Self::ShuttingDown => SERVER_ERROR,
            Self::Internal => error_code::INTERNAL_ERROR,
        }
    }

    /// Returns the reason in the details of the error, the HTTP status, and the status of gRPC.
    fn names(&self) -> (&'static str, StatusCode, &'static str) {
        match self {
            Self::TaskNotFound(_) | Self::PushConfigNotFound(_) => {
                ("TASK_NOT_FOUND", StatusCode::NOT_FOUND, "NOT_FOUND")
            }
            Self::NotCancelable(_) => ("TASK_NOT_CANCELABLE", StatusCode::CONFLICT, "FAILED_PRECONDITION"),
            Self::PushNotSupported => ("PUSH_NOTIFICATION_NOT_SUPPORTED", StatusCode::BAD_REQUEST, "UNIMPLEMENTED"),
            Self::Unsupported(_) => ("UNSUPPORTED_OPERATION", StatusCode::BAD_REQUEST, "UNIMPLEMENTED"),
            Self::ContentType(_) | Self::BodyType => {
                ("CONTENT_TYPE_NOT_SUPPORTED", StatusCode::UNSUPPORTED_MEDIA_TYPE, "INVALID_ARGUMENT")
            }
            Self::Version(_) => ("VERSION_NOT_SUPPORTED", StatusCode::BAD_REQUEST, "UNIMPLEMENTED"),
            Self::Parse => ("PARSE_ERROR", StatusCode::BAD_REQUEST, "INVALID_ARGUMENT"),
            Self::InvalidRequest(_) => ("INVALID_REQUEST", StatusCode::BAD_REQUEST, "INVALID_ARGUMENT"),
            Self::BodyTooLarge(_) => ("REQUEST_TOO_LARGE", StatusCode::PAYLOAD_TOO_LARGE, "INVALID_ARGUMENT"),
            Self::MethodNotFound(_) => ("METHOD_NOT_FOUND", StatusCode::NOT_FOUND, "UNIMPLEMENTED"),
            Self::InvalidParams(_) => ("INVALID_PARAMS", StatusCode::BAD_REQUEST, "INVALID_ARGUMENT"),
            Self::Busy => ("CONTEXT_BUSY", StatusCode::CONFLICT, "ABORTED"),
            Self::Overloaded(_) => ("OVERLOADED", StatusCode::TOO_MANY_REQUESTS, "RESOURCE_EXHAUSTED"),
            Self::ShuttingDown => ("SHUTTING_DOWN", StatusCode::SERVICE_UNAVAILABLE, "UNAVAILABLE"),
            Self::Internal => ("INTERNAL_ERROR", StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL"),
        }
    }

    /// Returns the HTTP status in the binding HTTP+JSON.
    pub(super) fn status(&self) -> StatusCode {
        self.names().1
    }

    /// Returns true if the client may send the request again later.
    pub(super) fn is_temporary(&self) -> bool {
        matches!(self, Self::Busy | Self::Overloaded(_) | Self::ShuttingDown)
    }

    /// Returns the `error` of a response in JSON-RPC.
    pub(super) fn json_rpc(&self) -> Value {
        json!({"code": self.code(), "message": self.to_string(), "data": [self.info()]})
    }

    /// Returns the body of a response in HTTP+JSON.
    pub(super) fn http_json(&self) -> Value {
        let (_, status, name) = self.names();
        json!({"error": {
            "code": status.as_u16(), "status": name, "message": self.to_string(), "details": [self.info()],
        }})
    }

    fn info(&self) -> Value {
        json!({
            "@type": errordetails::ERROR_INFO_TYPE, "reason": self.names().0, "domain": errordetails::PROTOCOL_DOMAIN,
        })
    }
}

/// Returns a value of the client in a length for messages.
pub(super) fn quote(text: &str) -> String {
    text.chars().filter(|char| !char.is_control()).take(MAX_QUOTE).collect()
}
