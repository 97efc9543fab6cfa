//! Errors of model calls, one variant for each reaction that a caller can take.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::{OptionalText, provider_message};
use crate::message::{Message, SystemBlock};

pub(super) type Source = Box<dyn StdError + Send + Sync>;

/// Maximum length of a provider's error body, in bytes.
const BODY_LIMIT: usize = 4 * 1024;
/// Maximum length of a code or an id, in bytes. Some servers put a message there.
const NAME_LIMIT: usize = 128;

/// An error returned by a model provider, or by the connection to it.
///
/// Each variant calls for another reaction: [`is_retryable`](Self::is_retryable) tells those that may succeed when the same
/// request is sent again, and [`kind`](Self::kind) names the variant.
///
/// `Display` says what failed and what to do. It never contains the conversation or a key; the provider's own error body is
/// in [`ErrorDetails::body`]. `Debug` prints the same text, and the sources.
#[non_exhaustive]
pub enum ModelError {
    /// Error when a rate limit or quota is exceeded. Retryable, after a wait.
    #[doc(alias = "rate_limit", alias = "too_many_requests")]
    Throttled {
        /// Wait that the provider asks for, such as in a `Retry-After` header.
        retry_after: Option<Duration>,
        /// Status, code and body of the provider's response.
        details: Box<ErrorDetails>,
    },
    /// Error when the provider is overloaded or has an internal failure. Retryable.
    Overloaded {
        /// Wait that the provider asks for, such as in a `Retry-After` header.
        retry_after: Option<Duration>,
        /// Status, code and body of the provider's response.
        details: Box<ErrorDetails>,
    },
    /// Error when no connection can be made: it is refused, the host name does not resolve, or TLS fails. Retryable.
    Unreachable {
        /// Source of the failure.
        details: Box<ErrorDetails>,
    },
    /// Error when a response breaks off: the connection fails, or the provider ends the stream early. Retryable.
    Transport {
        /// Source of the failure.
        details: Box<ErrorDetails>,
    },
    /// Error when the model's output can't be parsed by its provider, such as a malformed tool call. Retryable: another
    /// sample may be valid.
    MalformedOutput {
        /// Status, code and body of the provider's response.
        details: Box<ErrorDetails>,
    },
    /// Error when a connect, idle or total timeout elapses. Retryable.
    Timeout {
        /// Timeout that has elapsed, or `None` if it is one of the provider's.
        after: Option<Duration>,
        /// Source of the failure.
        details: Box<ErrorDetails>,
    },
    /// Error when the conversation does not fit the model's context window. An agent lets its
    /// [`ConversationManager`](crate::conversation::ConversationManager) truncate the conversation, and sends it again.
    ContextOverflow {
        /// Status, code and body of the provider's response.
        details: Box<ErrorDetails>,
    },
    /// Error when the credentials are missing, invalid or expired, or do not permit the use of the model.
    Authentication {
        /// Status, code and body of the provider's response.
        details: Box<ErrorDetails>,
    },
    /// Error when the provider rejects the request. Sending it again does not help.
    InvalidRequest {
        /// Status, code and body of the provider's response.
        details: Box<ErrorDetails>,
    },
    /// Error when a content filter of the provider stops the call.
    ContentFiltered {
        /// Status, code and body of the provider's response.
        details: Box<ErrorDetails>,
    },
    /// Error when the response exceeds the maximum size.
    ResponseTooLarge {
        /// Maximum size of a response, in bytes of content. `None` if the limit is one of the provider's.
        limit: Option<usize>,
        /// Source of the failure.
        details: Box<ErrorDetails>,
    },
    /// Error when the provider's response does not follow its protocol.
    Protocol {
        /// Description of the violation, and its position in the response.
        what: String,
        /// Status, code and body of the provider's response.
        details: Box<ErrorDetails>,
    },
}

/// Details of a failed model call: HTTP status, provider error code, request id, body and source error.
///
/// Each setter takes a value or an `Option`; an empty text counts as `None`.
///
/// ```
/// use strands::models::{ErrorDetails, ModelError};
///
/// let error = ModelError::InvalidRequest {
///     details: ErrorDetails::new().with_status(400).with_body(r#"{"message":"bad model id"}"#).boxed(),
/// };
/// assert_eq!(error.details().status(), Some(400));
/// assert!(error.to_string().contains("status 400"));
/// ```
///
/// `Debug` prints the length of the body instead of the body.
#[derive(Default)]
#[non_exhaustive]
pub struct ErrorDetails {
    status: Option<u16>,
    code: Option<String>,
    request_id: Option<String>,
    body: Option<String>,
    message: Option<String>,
    source: Option<Source>,
}

impl ErrorDetails {
    /// Creates details with no field set.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the HTTP status.
    #[must_use]
    pub fn with_status(mut self, status: impl Into<Option<u16>>) -> Self {
        self.status = status.into();
        self
    }

    /// Sets the provider's error code, such as `ValidationException`. Truncated to 128 bytes.
    #[must_use]
    pub fn with_code(mut self, code: impl Into<OptionalText>) -> Self {
        self.code = code.into().truncated(NAME_LIMIT);
        self
    }

    /// Sets the provider's request id, which its support asks for. Truncated to 128 bytes.
    #[must_use]
    pub fn with_request_id(mut self, request_id: impl Into<OptionalText>) -> Self {
        self.request_id = request_id.into().truncated(NAME_LIMIT);
        self
    }

    /// Sets the body of the provider's error response. Truncated to 4 KiB.
    #[must_use]
    pub fn with_body(mut self, body: impl Into<OptionalText>) -> Self {
        self.body = body.into().truncated(BODY_LIMIT);
        self
    }

    /// Sets the source error.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Source>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Boxes the details, as [`ModelError`] holds them.
    pub fn boxed(self) -> Box<Self> {
        Box::new(self)
    }

    /// Returns the HTTP status.
    pub fn status(&self) -> Option<u16> {
        self.status
    }

    /// Returns the provider's error code, such as `ValidationException`.
    pub fn code(&self) -> Option<&str> {
        self.code.as_deref()
    }

    /// Returns the provider's request id.
    pub fn request_id(&self) -> Option<&str> {
        self.request_id.as_deref()
    }

    /// Returns the body of the provider's error response, truncated to 4 KiB. It may quote the request.
    pub fn body(&self) -> Option<&str> {
        self.body.as_deref()
    }

    /// Returns the provider's message, in one line of at most 300 bytes, without keys and without quotes of the
    /// conversation. Only errors of an [`Agent`](crate::Agent) have it: removing quotes takes the conversation.
    pub fn message(&self) -> Option<&str> {
        self.message.as_deref()
    }
}

impl fmt::Debug for ErrorDetails {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ErrorDetails")
            .field("status", &self.status)
            .field("code", &self.code)
            .field("request_id", &self.request_id)
            .field("body_bytes", &self.body.as_ref().map(String::len))
            .field("message", &self.message)
            .field("source", &self.source)
            .finish()
    }
}

/// Status, code and request id in parentheses, or nothing.
struct Identifiers<'a>(&'a ErrorDetails);

impl fmt::Display for Identifiers<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let status = self.0.status.map(|status| format!("status {status}"));
        let request_id = self.0.request_id.as_ref().map(|id| format!("request {id}"));
        let parts: Vec<_> = [status, self.0.code.clone(), request_id].into_iter().flatten().collect();
        if parts.is_empty() { Ok(()) } else { write!(f, " ({})", parts.join(", ")) }
    }
}

impl fmt::Display for ModelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let detail = Identifiers(self.details());
        match self {
            Self::Throttled { .. } => {
                write!(
                    f,
                    "the model provider throttled the request{detail}; wait before sending it again, or raise the quota"
                )
            }
            Self::Overloaded { .. } => {
                write!(f, "the model provider is overloaded or failing{detail}; try again later")
            }
            Self::Unreachable { .. } => {
                write!(f, "the model provider can't be reached{detail}; check the base URL, the network and TLS")
            }
            Self::Transport { .. } => {
                write!(f, "the response of the model provider broke off{detail}; try again")
            }
            Self::MalformedOutput { .. } => {
                write!(
                    f,
                    "the model wrote output that its provider could not parse{detail}; try again, or simplify the tools and schemas"
                )
            }
            Self::Timeout { after: Some(after), .. } => {
                write!(f, "the model provider timed out after {after:?}{detail}; try again or raise the timeout")
            }
            Self::Timeout { after: None, .. } => write!(f, "the model provider timed out{detail}; try again"),
            Self::ContextOverflow { .. } => {
                write!(
                    f,
                    "the conversation does not fit the model's context window{detail}; trim it or use a conversation manager"
                )
            }
            Self::Authentication { .. } => write!(
                f,
                "the model provider rejected the credentials{detail}; check the key, its permissions and the region"
            ),
            Self::InvalidRequest { .. } => {
                write!(f, "the model provider rejected the request{detail}; see the error's body for the reason")
            }
            Self::ContentFiltered { .. } => {
                write!(f, "a content filter of the model provider stopped the call{detail}")
            }
            Self::ResponseTooLarge { limit: Some(limit), .. } => write!(
                f,
                "the model's response exceeds {limit} bytes{detail}; raise `max_response_bytes` if it should be that large"
            ),
            Self::ResponseTooLarge { limit: None, .. } => {
                write!(f, "the model's response exceeds the provider's limit{detail}; request less output")
            }
            Self::Protocol { what, .. } => write!(f, "the model provider's response was malformed{detail}: {what}"),
        }
    }
}

crate::error_chain::debug_with_sources!(ModelError);

impl StdError for ModelError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.details().source.as_deref().map(|source| source as _)
    }
}

impl ModelError {
    /// Creates a [`Protocol`](Self::Protocol) error.
    pub fn protocol(what: impl Into<String>) -> Self {
        Self::Protocol { what: what.into(), details: Box::default() }
    }

    /// Creates a [`Transport`](Self::Transport) error.
    pub fn transport(source: impl Into<Source>) -> Self {
        Self::Transport { details: ErrorDetails::new().with_source(source).boxed() }
    }

    /// Returns the details of the failed call.
    pub fn details(&self) -> &ErrorDetails {
        match self {
            Self::Throttled { details, .. }
            | Self::Overloaded { details, .. }
            | Self::Unreachable { details }
            | Self::Transport { details }
            | Self::MalformedOutput { details }
            | Self::Timeout { details, .. }
            | Self::ContextOverflow { details }
            | Self::Authentication { details }
            | Self::InvalidRequest { details }
            | Self::ContentFiltered { details }
            | Self::ResponseTooLarge { details, .. }
            | Self::Protocol { details, .. } => details,
        }
    }

    /// Returns the text of the error with the provider's message.
    pub(crate) fn with_message(&self) -> impl fmt::Display {
        format!("{self}{}", self.message_clause())
    }

    /// Returns the provider's message as the end of a sentence, or nothing.
    pub(crate) fn message_clause(&self) -> String {
        self.details().message().map(|message| format!("; the provider says: {message}")).unwrap_or_default()
    }

    /// Sets the provider's message, without quotes of this conversation.
    pub(crate) fn find_message(&mut self, messages: &[Arc<Message>], system: &[SystemBlock]) {
        let details = self.details_mut();
        details.message = details.body.as_deref().and_then(|body| provider_message::shown(body, messages, system));
    }

    /// Replaces the source error by one that is made from it.
    pub(super) fn map_source(&mut self, source: impl FnOnce(Option<Source>) -> Source) {
        let details = self.details_mut();
        details.source = Some(source(details.source.take()));
    }

    /// Sets the wait of an error that has one to zero.
    pub(super) fn set_retry_at_once(&mut self) {
        if let Self::Throttled { retry_after, .. } | Self::Overloaded { retry_after, .. } = self {
            *retry_after = Some(Duration::ZERO);
        }
    }

    fn details_mut(&mut self) -> &mut ErrorDetails {
        match self {
            Self::Throttled { details, .. }
            | Self::Overloaded { details, .. }
            | Self::Unreachable { details }
            | Self::Transport { details }
            | Self::MalformedOutput { details }
            | Self::Timeout { details, .. }
            | Self::ContextOverflow { details }
            | Self::Authentication { details }
            | Self::InvalidRequest { details }
            | Self::ContentFiltered { details }
            | Self::ResponseTooLarge { details, .. }
            | Self::Protocol { details, .. } => details,
        }
    }

    /// Returns true if the same request may succeed later: after throttling, overload, a failed connection, a timeout, a
    /// response that broke off, or malformed output.
    pub fn is_retryable(&self) -> bool {
        matches!(
            self,
            Self::Throttled { .. }
                | Self::Overloaded { .. }
                | Self::Unreachable { .. }
                | Self::Transport { .. }
                | Self::MalformedOutput { .. }
                | Self::Timeout { .. }
        )
    }

    /// Returns the wait that the provider asks for.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Throttled { retry_after, .. } | Self::Overloaded { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}
