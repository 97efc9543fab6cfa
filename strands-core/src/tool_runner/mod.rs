//! Execution of single tool calls: validation, approval, hooks, timeouts, panics and cancellation. The agent loop, direct
//! calls and [`ToolRunner`] all use it.

mod approval;
mod arguments;
mod attempts;
mod calls;
mod direct_call;
mod execution;
mod runner;

pub(crate) use calls::{CallEnd, CallSettings, EndedCall, ToolCalls};
pub(crate) use direct_call::Caller;
pub use direct_call::{ToolCall, ToolCallOutcome};
pub use runner::ToolRunner;

use crate::event::AgentEvent;
use crate::tool::ToolEvent;

/// Converts an event of a tool call to an agent's event.
pub(crate) fn agent_event(event: ToolEvent) -> AgentEvent {
    match event {
        ToolEvent::Start { tool_use } => AgentEvent::ToolStart { tool_use },
        ToolEvent::Progress { tool_use, data } => AgentEvent::ToolProgress { tool_use, data },
        ToolEvent::End { tool_use, result, duration } => AgentEvent::ToolEnd { tool_use, result, duration },
        ToolEvent::Forwarded(event) => *event,
    }
}
