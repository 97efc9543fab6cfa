//! Outcome of an attempt to call a tool.

use crate::interrupt::Suspension;
use crate::outcome::AgentError;
use crate::tool::{ToolError, ToolFailure, ToolOutput};

/// Outcome of an attempt to call a tool.
pub(super) enum Execution {
    Completed(ToolOutput),
    Failed(ToolError, ToolFailure),
    Interrupted(Suspension),
    /// An agent as a tool did not accept the responses to its interrupts.
    NotResumed(Box<AgentError>, Option<Suspension>),
    /// A hook has failed, or the tool can't be called like this. The invocation ends with the error.
    Fatal(AgentError),
}
