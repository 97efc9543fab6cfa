//! Errors of remote agents.

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use crate::v03::TranslationError;

/// Maximum length of a server's text in an error, in bytes.
const MAX_TEXT: usize = 4 * 1024;

/// Codes of JSON-RPC for errors of the server's state: an internal one, and that of servers of this library which are overloaded.
const INTERNAL_ERROR: i64 = -32_603;
const SERVER_ERROR: i64 = -32_000;
/// Codes of A2A for a message to a task that is not there, and to one that has ended.
const TASK_NOT_FOUND: i64 = -32_001;
const UNSUPPORTED_OPERATION: i64 = -32_004;
/// Code of JSON-RPC for invalid parameters, with which the SDK for Python refuses a message to a task that has ended.
const INVALID_PARAMS: i64 = -32_602;

/// An error of a remote agent. As the failure of a prompt it is the source of
/// [`AgentError::Promptable`](strands_core::AgentError::Promptable).
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum A2aError {
    /// A setting is not valid.
    #[error("invalid setting of the remote agent: {reason}")]
    Setting {
        /// The setting, and what it has to be.
        reason: String,
    },
    /// A token would be sent over plain HTTP to a host that is not loopback.
    #[error("no token is sent over plain HTTP to `{host}`; use https://")]
    PlaintextToken {
        /// The host.
        host: String,
    },
    /// The callback returned no token.
    #[error("the callback of the bearer token failed")]
    Token {
        /// The cause.
        source: Box<dyn StdError + Send + Sync>,
    },
    /// The agent card is not valid.
    #[error("invalid agent card: {reason}")]
    Card {
        /// The fault.
        reason: String,
    },
    /// The agent card names an endpoint of another origin.
    #[error(
        "the agent card of `{card}` names an endpoint at `{endpoint}`; if that is the same agent, allow it with \
         `.allow_origin(\"{endpoint}\")`"
    )]
    Origin {
        /// Origin of the card.
        card: String,
        /// Origin of the endpoint.
        endpoint: String,
    },
    /// The agent card names no endpoint with a supported transport and protocol version.
    #[error("the agent has no supported endpoint: expected JSONRPC 0.3 or 1.0, or HTTP+JSON 1.0; it has {offered}")]
    NoEndpoint {
        /// The transports and versions of the card.
        offered: String,
    },
    /// The server can't be reached, or the connection was lost. The agent may have done its work.
    #[error("the connection to the server failed")]
    Connection {
        /// The cause.
        source: Box<dyn StdError + Send + Sync>,
    },
    /// The stream of a task ended before the task.
    #[error("the stream of the server ended before its task")]
    StreamEnded,
    /// The server sent nothing for too long, or did not send the whole agent card.
    #[error("the server sent nothing, or no whole agent card, for {timeout:?}")]
    Timeout {
        /// The timeout.
        timeout: Duration,
    },
    /// The task did not end in time. It was cancelled.
    #[error("the task did not end within {timeout:?}; it is cancelled")]
    TaskTimeout {
        /// The timeout.
        timeout: Duration,
    },
    /// The server requires a token, or rejects the one that it got.
    #[error("the server requires authorization (HTTP {status}); check the bearer token")]
    Unauthorized {
        /// HTTP status: 401 or 403.
        status: u16,
    },
    /// The server responded with an HTTP error.
    #[error("the server responded with HTTP {status}{}", quoted(text))]
    Http {
        /// HTTP status.
        status: u16,
        /// The start of the response, at most 4 KiB.
        text: String,
    },
    /// The server rejected the request.
    #[error("the server rejected the request: {message} (code {code})")]
    Rejected {
        /// Error code of JSON-RPC, such as -32001 for a task that is not found.
        code: i64,
        /// The server's message, at most 4 KiB.
        message: String,
    },
    /// The response is larger than the limit.
    #[error("the response is larger than {limit} bytes")]
    TooLarge {
        /// The limit, in bytes.
        limit: usize,
    },
    /// The response has more JSON values than one of the maximum size may have. A parsed value takes more memory than its text.
    #[error("the response has more than {limit} JSON values; the limit grows with `max_response_bytes`")]
    TooManyValues {
        /// The limit: one value for 64 bytes of the maximum size, and at least 10,000.
        limit: usize,
    },
    /// The response does not conform to the protocol.
    #[error("invalid response: {reason}")]
    Protocol {
        /// The fault.
        reason: String,
    },
    /// The prompt can't be sent to a remote agent.
    #[error("the prompt can't be sent: {reason}")]
    Prompt {
        /// The reason.
        reason: &'static str,
    },
    /// The task ended without success.
    #[error("the task {failure}{}", quoted(message))]
    Task {
        /// The kind of failure.
        failure: TaskFailure,
        /// Id of the task.
        task_id: String,
        /// The server's message, at most 4 KiB.
        message: String,
    },
}

strands_core::__debug_with_sources!(A2aError);

/// The state with which a task failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TaskFailure {
    /// The agent failed.
    Failed,
    /// The agent refused the task.
    Rejected,
    /// The agent needs an authorization that the message did not have.
    AuthRequired,
}

impl fmt::Display for TaskFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Failed => "failed",
            Self::Rejected => "was rejected",
            Self::AuthRequired => "requires authorization",
        })
    }
}

impl A2aError {
    pub(super) fn protocol(reason: impl fmt::Display) -> Self {
        Self::Protocol { reason: bounded(&reason.to_string()) }
    }

    pub(super) fn card(reason: impl fmt::Display) -> Self {
        Self::Card { reason: bounded(&reason.to_string()) }
    }

    pub(super) fn rejected(code: i64, message: &str) -> Self {
        Self::Rejected { code, message: bounded(message) }
    }

    pub(super) fn http(status: u16, body: &[u8]) -> Self {
        Self::Http { status, text: bounded(&String::from_utf8_lossy(body.get(..MAX_TEXT).unwrap_or(body))) }
    }

    pub(super) fn task(failure: TaskFailure, task_id: &str, message: &str) -> Self {
        Self::Task { failure, task_id: bounded(task_id), message: bounded(message) }
    }

    /// Returns true if a stream broke off, and the task may go on. An error of the protocol in a stream is the end of the task: servers send
    /// it when their agent fails, and may leave the state of the task as it was.
    pub(super) fn is_broken_off(&self) -> bool {
        match self {
            Self::Connection { .. } | Self::StreamEnded | Self::Timeout { .. } => true,
            Self::Http { status, .. } => may_pass(*status),
            _ => false,
        }
    }

    /// Returns true if the server has no task that a message could resume: it has forgotten it, or it has ended.
    pub(super) fn says_that_the_task_is_gone(&self) -> bool {
        matches!(self, Self::Rejected { code, .. } if [TASK_NOT_FOUND, UNSUPPORTED_OPERATION].contains(code))
    }

    /// Returns true if the server refuses a message, which may be since its task is gone.
    pub(super) fn may_say_that_the_task_is_gone(&self) -> bool {
        matches!(self, Self::Rejected { code: INVALID_PARAMS, .. })
    }

    /// Returns true if the server does not know the task.
    pub(super) fn is_task_not_found(&self) -> bool {
        matches!(self, Self::Rejected { code: TASK_NOT_FOUND, .. })
    }

    /// Returns true if a read of a task may succeed later.
    pub(super) fn is_transient(&self) -> bool {
        let may_pass = |code: &i64| [INTERNAL_ERROR, SERVER_ERROR].contains(code);
        self.is_broken_off() || matches!(self, Self::Rejected { code, .. } if may_pass(code))
    }
}

/// Returns true for the status of an error of HTTP that is one of the server's state, and not of the request. 501 is for a method that
/// the server does not have.
pub(super) fn may_pass(status: u16) -> bool {
    status == 429 || status >= 500 && status != 501
}

impl From<TranslationError> for A2aError {
    fn from(error: TranslationError) -> Self {
        Self::protocol(error)
    }
}

impl From<serde_json::Error> for A2aError {
    fn from(error: serde_json::Error) -> Self {
        Self::protocol(error)
    }
}

/// Returns a text of a server without control characters, and not too long.
fn bounded(text: &str) -> String {
    let text = text.trim();
    let start = text.get(..text.floor_char_boundary(MAX_TEXT)).unwrap_or_default();
    start.chars().map(|character| if character.is_control() { ' ' } else { character }).collect()
}

fn quoted(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!(": {text}") }
}
