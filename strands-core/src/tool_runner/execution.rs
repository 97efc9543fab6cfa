//! Outcome of an attempt to call a tool.

use crate::interrupt::Interrupt;
use crate::outcome::AgentError;
use crate::tool::{ToolError, ToolFailure, ToolOutput};

/// Outcome of an attempt to call a tool.
pub(super) enum Execution {
    Completed(ToolOutput),
    Failed(ToolError, ToolFailure),
    Interrupted(Vec<Interrupt>),
    HookFailed(AgentError),
}
