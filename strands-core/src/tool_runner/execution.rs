//! Outcome of an attempt to call a tool, with the cause of a failure.

use crate::interrupt::Interrupt;
use crate::outcome::AgentError;
use crate::tool::{ToolError, ToolOutput};

/// Outcome of an attempt to call a tool.
pub(super) enum Execution {
    Completed(ToolOutput),
    Failed(ToolError, FailureCause),
    Interrupted(Vec<Interrupt>),
    HookFailed(AgentError),
}

/// Cause of a call's failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FailureCause {
    Denied,
    NotApproved,
    UnknownTool,
    InvalidInput,
    Busy,
    Timeout,
    Error,
    Panic,
}

impl FailureCause {
    /// Returns the cause in diagnostics.
    pub(super) fn as_str(self) -> &'static str {
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
    pub(super) fn is_transient(self, error: &ToolError) -> bool {
        match self {
            Self::Timeout => true,
            Self::Error => error.is_retryable(),
            _ => false,
        }
    }
}
