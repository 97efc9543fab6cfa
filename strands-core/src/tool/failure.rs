//! Cause of a tool call's failure.

use super::ToolError;

/// Cause of a tool call's failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ToolFailure {
    /// A hook denied the call.
    Denied,
    /// The call was not approved.
    NotApproved,
    /// There is no tool with the name.
    UnknownTool,
    /// The arguments are not valid.
    InvalidInput,
    /// The limits of the tool admitted no call.
    Busy,
    /// The tool did not finish in time.
    Timeout,
    /// The tool returned an error.
    Error,
    /// The tool panicked.
    Panic,
}

impl ToolFailure {
    /// Returns the cause in diagnostics and metrics, such as `timeout`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Denied => "denied",
            Self::NotApproved => "not_approved",
            Self::UnknownTool => "unknown_tool",
            Self::InvalidInput => "invalid_input",
            Self::Busy => "busy",
            Self::Timeout => "timeout",
            Self::Error => "error",
            Self::Panic => "panic",
        }
    }

    /// Returns true for a failure that may not happen again: a timeout, or an error that is retryable.
    pub(crate) fn is_transient(self, error: &ToolError) -> bool {
        match self {
            Self::Timeout => true,
            Self::Error => error.is_retryable(),
            _ => false,
        }
    }
}
