//! The kinds of [`ModelError`] as values, for sets of them and for recordings.

use serde::{Deserialize, Serialize};

use super::ModelError;

/// The kinds of [`ModelError`], without what is known of the single error. JSON: the name in snake case.
///
/// ```
/// use strands_core::model::{ModelError, ModelErrorKind};
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
    /// Which kind of error it is.
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
