//! What can go wrong between us and a model, sorted by what the caller can do about it.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::provider_message;
use crate::message::{Message, SystemBlock};

pub(super) type Source = Box<dyn StdError + Send + Sync>;

/// How many bytes of a provider's error body are kept.
const BODY_LIMIT: usize = 4 * 1024;
/// Maximum length of a code or an id, in bytes. Some servers put a message there.
const NAME_LIMIT: usize = 128;

/// A model call that failed, sorted by what the caller can do.
///
/// `Display` says what happened and what to do. It never prints the conversation or a key; the provider's own words are
/// in [`ErrorDetails::body`]. `Debug` prints the same, and its sources.
#[non_exhaustive]
pub enum ModelError {
    /// Too many requests. Wait, then ask again.
    Throttled {
        /// How long the provider says to wait.
        retry_after: Option<Duration>,
        /// What the provider said.
        details: Box<ErrorDetails>,
    },
    /// The provider can't serve anybody right now. Ask again later.
    Overloaded {
        /// How long the provider says to wait.
        retry_after: Option<Duration>,
        /// What the provider said.
        details: Box<ErrorDetails>,
    },
    /// No connection to the provider could be made: it was refused, the host has no address, or TLS failed.
    Unreachable {
        /// Details of the failure.
        details: Box<ErrorDetails>,
    },
    /// The response broke off: the connection failed, or the provider gave up in the middle.
    Transport {
        /// What is known.
        details: Box<ErrorDetails>,
    },
    /// The model wrote what its provider could not read, such as a malformed tool call. It may do better when it is asked
    /// again.
    MalformedOutput {
        /// Details of the refusal.
        details: Box<ErrorDetails>,
    },
    /// The provider sent nothing for too long, or the call took too long as a whole.
    Timeout {
        /// Timeout that has passed. `None` if it is one of the provider's.
        after: Option<Duration>,
        /// Details of the failure.
        details: Box<ErrorDetails>,
    },
    /// The conversation does not fit the model's context window.
    ContextOverflow {
        /// What the provider said.
        details: Box<ErrorDetails>,
    },
    /// The provider does not accept who we are, or does not let us use the model.
    Authentication {
        /// What the provider said.
        details: Box<ErrorDetails>,
    },
    /// The provider does not accept the request. Asking again is no use.
    InvalidRequest {
        /// What the provider said.
        details: Box<ErrorDetails>,
    },
    /// A filter of the provider stopped the call.
    ContentFiltered {
        /// What the provider said.
        details: Box<ErrorDetails>,
    },
    /// The response is larger than the limit.
    ResponseTooLarge {
        /// Maximum size of a response, in bytes of content. `None` if the limit is one of the provider's.
        limit: Option<usize>,
        /// Details of the failure.
        details: Box<ErrorDetails>,
    },
    /// The provider's answer does not follow its own protocol.
    Protocol {
        /// What was wrong, and where.
        what: String,
        /// What is known.
        details: Box<ErrorDetails>,
    },
}

/// What is known about a failed model call.
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
/// `Debug` shows the length of the body in its place.
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
    /// Nothing known yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// With the HTTP status.
    #[must_use]
    pub fn with_status(mut self, status: u16) -> Self {
        self.status = Some(status);
        self
    }

    /// With the provider's own name for the error, such as `ValidationException`; the first 128 bytes are kept.
    #[must_use]
    pub fn with_code(mut self, code: impl Into<String>) -> Self {
        self.code = Some(name(code.into()));
        self
    }

    /// With the provider's id of the request, which its support asks for; the first 128 bytes are kept.
    #[must_use]
    pub fn with_request_id(mut self, request_id: impl Into<String>) -> Self {
        self.request_id = Some(name(request_id.into()));
        self
    }

    /// With what the provider said; the first 4 KiB are kept.
    #[must_use]
    pub fn with_body(mut self, body: impl Into<String>) -> Self {
        let mut body = body.into();
        body.truncate(body.floor_char_boundary(BODY_LIMIT));
        self.body = Some(body);
        self
    }

    /// With the error beneath.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Source>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// In the box that [`ModelError`] keeps it in.
    pub fn boxed(self) -> Box<Self> {
        Box::new(self)
    }

    /// The HTTP status.
    pub fn status(&self) -> Option<u16> {
        self.status
    }

    /// The provider's own name for the error.
    pub fn code(&self) -> Option<&str> {
        self.code.as_deref()
    }

    /// The provider's id of the request.
    pub fn request_id(&self) -> Option<&str> {
        self.request_id.as_deref()
    }

    /// What the provider said, cut at 4 KiB. It may quote the request.
    pub fn body(&self) -> Option<&str> {
        self.body.as_deref()
    }

    /// The provider's message for humans, in one line of at most 300 bytes, without what it quotes of the conversation and
    /// without keys. Errors of an [`Agent`](crate::Agent) have it, and print it: nobody else knows the conversation.
    pub fn message(&self) -> Option<&str> {
        self.message.as_deref()
    }
}

/// A name that is part of an error's text.
fn name(mut name: String) -> String {
    name.truncate(name.floor_char_boundary(NAME_LIMIT));
    name
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

struct Detail<'a>(&'a ErrorDetails);

impl fmt::Display for Detail<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let status = self.0.status.map(|status| format!("status {status}"));
        let request_id = self.0.request_id.as_ref().map(|id| format!("request {id}"));
        let parts: Vec<_> = [status, self.0.code.clone(), request_id].into_iter().flatten().collect();
        if parts.is_empty() { Ok(()) } else { write!(f, " ({})", parts.join(", ")) }
    }
}

impl fmt::Display for ModelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let detail = Detail(self.details());
        match self {
            Self::Throttled { .. } => {
                write!(
                    f,
                    "the model provider throttled the request{detail}; wait before asking again, or raise the quota"
                )
            }
            Self::Overloaded { .. } => {
                write!(f, "the model provider is overloaded or failing{detail}; ask again later")
            }
            Self::Unreachable { .. } => {
                write!(f, "the model provider can't be reached{detail}; check the base URL, the network and TLS")
            }
            Self::Transport { .. } => {
                write!(f, "the response of the model provider broke off{detail}; ask again")
            }
            Self::MalformedOutput { .. } => {
                write!(
                    f,
                    "the model wrote output that its provider could not read{detail}; ask again, or simplify the tools and schemas"
                )
            }
            Self::Timeout { after: Some(after), .. } => {
                write!(f, "the model provider timed out after {after:?}{detail}; ask again or raise the timeout")
            }
            Self::Timeout { after: None, .. } => write!(f, "the model provider timed out{detail}; ask again"),
            Self::ContextOverflow { .. } => {
                write!(
                    f,
                    "the conversation does not fit the model's context window{detail}; shorten it or use a conversation manager"
                )
            }
            Self::Authentication { .. } => write!(
                f,
                "the model provider refused the credentials{detail}; check the key, what it may do and the region"
            ),
            Self::InvalidRequest { .. } => {
                write!(f, "the model provider refused the request{detail}; the error's body says why")
            }
            Self::ContentFiltered { .. } => {
                write!(f, "a content filter of the model provider stopped the call{detail}")
            }
            Self::ResponseTooLarge { limit: Some(limit), .. } => write!(
                f,
                "the model's response exceeds {limit} bytes{detail}; raise `max_response_bytes` if it should be that large"
            ),
            Self::ResponseTooLarge { limit: None, .. } => {
                write!(f, "the model's response exceeds the provider's limit{detail}; ask for less")
            }
            Self::Protocol { what, .. } => write!(f, "the model provider's answer was malformed{detail}: {what}"),
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
    /// A stream or body that does not follow the provider's protocol.
    pub fn protocol(what: impl Into<String>) -> Self {
        Self::Protocol { what: what.into(), details: Box::default() }
    }

    /// A response that broke off.
    pub fn transport(source: impl Into<Source>) -> Self {
        Self::Transport { details: ErrorDetails::new().with_source(source).boxed() }
    }

    /// What is known about the failed call.
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

    /// Finds the provider's message, now that the conversation is known which it must not quote.
    pub(crate) fn find_message(&mut self, messages: &[Arc<Message>], system: &[SystemBlock]) {
        let details = self.details_mut();
        details.message = details.body.as_deref().and_then(|body| provider_message::shown(body, messages, system));
    }

    /// Puts another error in place of the one beneath, which it is made of.
    pub(super) fn map_source(&mut self, source: impl FnOnce(Option<Source>) -> Source) {
        let details = self.details_mut();
        details.source = Some(source(details.source.take()));
    }

    /// The same error where nobody need wait before asking again.
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

    /// Returns true if the same request may succeed later: throttling, overload, a failed connection, a timeout, a
    /// response that broke off, or output of the model that could not be read.
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

    /// How long the provider says to wait.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Throttled { retry_after, .. } | Self::Overloaded { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}
