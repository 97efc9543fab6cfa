//! Errors of calls of durable objects.

use std::error::Error as StdError;

use strands_core::AgentError;

/// Maximum length of a text of the server in an error, in bytes.
const MAX_TEXT: usize = 1024;

/// An error of an [`ObjectAgent`](super::ObjectAgent): the source of its [`AgentError::Promptable`].
#[derive(thiserror::Error)]
#[error("a call of the object `{object}` failed")]
#[non_exhaustive]
pub struct ObjectError {
    /// The object: the name of the service, `/`, and the key.
    pub object: String,
    /// Kind of the failure.
    #[source]
    pub kind: ObjectErrorKind,
}

strands_core::__debug_with_sources!(ObjectError);

/// Kind of an [`ObjectError`].
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum ObjectErrorKind {
    /// The ingress could not be reached within the reconnect timeout.
    #[error("the ingress can't be reached: {reason}")]
    Unreachable {
        /// The last failure.
        reason: String,
    },
    /// The ingress rejected a request, such as one of a service that is not registered.
    #[error("the ingress responded with status {status}: {message}")]
    Rejected {
        /// HTTP status.
        status: u16,
        /// Text of the server, of at most 1 KiB.
        message: String,
    },
    /// The turn failed.
    #[error("the turn failed with status {status}: {message}")]
    Failed {
        /// HTTP status of the failure.
        status: u16,
        /// Text of the failure, of at most 1 KiB.
        message: String,
    },
    /// The responses to interrupts were refused. The turn waits for others.
    #[error("the responses were refused: {reason}")]
    Refused {
        /// Reason, of at most 1 KiB.
        reason: String,
    },
    /// The continuation of the request is of another service, or of something else.
    #[error("the continuation is not one of this service")]
    Continuation,
    /// The prompt has messages of an assistant, or no content.
    #[error("the prompt must be content of a user: text, images, documents, audio or video")]
    Prompt,
    /// The response of the server is not valid.
    #[error("invalid response: {reason}")]
    Response {
        /// Reason, without content.
        reason: String,
    },
    /// The token source failed.
    #[error("the token source failed")]
    Token(#[source] Box<dyn StdError + Send + Sync>),
}

strands_core::__debug_with_sources!(ObjectErrorKind);

impl ObjectErrorKind {
    /// Returns the error of a call of an object by the agent `name`.
    pub(super) fn of(self, name: &str, object: String) -> AgentError {
        AgentError::Promptable { name: name.to_owned(), source: Box::new(ObjectError { object, kind: self }) }
    }
}

/// Returns a text of the server with at most 1 KiB.
pub(super) fn bounded(mut text: String) -> String {
    text.truncate(text.floor_char_boundary(MAX_TEXT));
    text
}

/// An error of an [`ObjectAgent`](super::ObjectAgent) that can't be created.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum ObjectAgentError {
    /// The URL of the ingress is not valid.
    #[error("invalid URL of the ingress: expected `http://` or `https://`, a host, and no query or credentials")]
    Url,
    /// A token would be sent over plain HTTP to a host that is not loopback.
    #[error("no token is sent over plain HTTP to `{host}`; use https://")]
    PlaintextToken {
        /// The host.
        host: String,
    },
    /// The HTTP client could not be set up.
    #[error("the HTTP client could not be set up")]
    Client(#[source] Box<dyn StdError + Send + Sync>),
}

strands_core::__debug_with_sources!(ObjectAgentError);
