//! Error kinds as values: for classification by providers, for sets of kinds, and for recordings.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{ErrorDetails, ModelError};

/// The kind of a [`ModelError`], without its details. JSON: the name in snake case.
///
/// Providers classify a failed call by its [codes and message](Self::from_message), its [status](Self::from_status) or its
/// [stop reason](Self::from_stop_reason), and [make the error](Self::into_error) of the kind.
///
/// ```
/// use strands::models::{ModelError, ModelErrorKind};
///
/// assert_eq!(ModelError::transport("connection reset").kind(), ModelErrorKind::Transport);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ModelErrorKind {
    /// [`ModelError::Throttled`].
    Throttled,
    /// [`ModelError::Overloaded`].
    Overloaded,
    /// [`ModelError::Unreachable`].
    Unreachable,
    /// [`ModelError::Transport`].
    Transport,
    /// [`ModelError::MalformedOutput`].
    MalformedOutput,
    /// [`ModelError::Timeout`].
    Timeout,
    /// [`ModelError::ContextOverflow`].
    ContextOverflow,
    /// [`ModelError::Authentication`].
    Authentication,
    /// [`ModelError::InvalidRequest`].
    InvalidRequest,
    /// [`ModelError::ContentFiltered`].
    ContentFiltered,
    /// [`ModelError::ResponseTooLarge`].
    ResponseTooLarge,
    /// [`ModelError::Protocol`].
    Protocol,
}

impl ModelError {
    /// Returns the kind of the error.
    pub fn kind(&self) -> ModelErrorKind {
        match self {
            Self::Throttled { .. } => ModelErrorKind::Throttled,
            Self::Overloaded { .. } => ModelErrorKind::Overloaded,
            Self::Unreachable { .. } => ModelErrorKind::Unreachable,
            Self::Transport { .. } => ModelErrorKind::Transport,
            Self::MalformedOutput { .. } => ModelErrorKind::MalformedOutput,
            Self::Timeout { .. } => ModelErrorKind::Timeout,
            Self::ContextOverflow { .. } => ModelErrorKind::ContextOverflow,
            Self::Authentication { .. } => ModelErrorKind::Authentication,
            Self::InvalidRequest { .. } => ModelErrorKind::InvalidRequest,
            Self::ContentFiltered { .. } => ModelErrorKind::ContentFiltered,
            Self::ResponseTooLarge { .. } => ModelErrorKind::ResponseTooLarge,
            Self::Protocol { .. } => ModelErrorKind::Protocol,
        }
    }
}

impl ModelErrorKind {
    /// Returns the kind of an error of which only the HTTP status is known. `None` means that the response broke off.
    pub fn from_status(status: Option<u16>) -> Self {
        match status {
            Some(429) => Self::Throttled,
            Some(401 | 403) => Self::Authentication,
            Some(408 | 500..=599) => Self::Overloaded,
            Some(400..=499) => Self::InvalidRequest,
            Some(_) => Self::Protocol,
            None => Self::Transport,
        }
    }

    /// Returns an error of this kind. `retry_after` is the wait that the provider asks for; only throttling and overload
    /// have one.
    ///
    /// ```
    /// use strands::models::{ErrorDetails, ModelError, ModelErrorKind};
    ///
    /// let error = ModelErrorKind::Throttled.into_error(None, ErrorDetails::new().with_status(429));
    /// assert!(matches!(error, ModelError::Throttled { retry_after: None, .. }));
    /// ```
    pub fn into_error(self, retry_after: Option<Duration>, details: ErrorDetails) -> ModelError {
        let details = details.boxed();
        match self {
            Self::Throttled => ModelError::Throttled { retry_after, details },
            Self::Overloaded => ModelError::Overloaded { retry_after, details },
            Self::Unreachable => ModelError::Unreachable { details },
            Self::Transport => ModelError::Transport { details },
            Self::MalformedOutput => ModelError::MalformedOutput { details },
            Self::Timeout => ModelError::Timeout { after: None, details },
            Self::ContextOverflow => ModelError::ContextOverflow { details },
            Self::Authentication => ModelError::Authentication { details },
            Self::InvalidRequest => ModelError::InvalidRequest { details },
            Self::ContentFiltered => ModelError::ContentFiltered { details },
            Self::ResponseTooLarge => ModelError::ResponseTooLarge { limit: None, details },
            Self::Protocol => {
                let what = "the response is neither a message nor an error of the provider's protocol";
                ModelError::Protocol { what: what.to_owned(), details }
            }
        }
    }

    /// Returns the name, in snake case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Throttled => "throttled",
            Self::Overloaded => "overloaded",
            Self::Unreachable => "unreachable",
            Self::Transport => "transport",
            Self::MalformedOutput => "malformed_output",
            Self::Timeout => "timeout",
            Self::ContextOverflow => "context_overflow",
            Self::Authentication => "authentication",
            Self::InvalidRequest => "invalid_request",
            Self::ContentFiltered => "content_filtered",
            Self::ResponseTooLarge => "response_too_large",
            Self::Protocol => "protocol",
        }
    }
}
