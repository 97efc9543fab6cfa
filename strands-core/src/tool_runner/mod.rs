//! Tool calls without an agent loop: validation, consent, hooks, timeouts, panics and cancellation. The loop, direct calls
//! and programs that have no agent all make their calls here.

mod arguments;
mod calls;
mod consent;
mod direct;
mod runner;

pub(crate) use calls::{CallEnd, CallSettings, EndedCall, ToolCalls};
pub(crate) use direct::{Caller, received};
pub use direct::{ToolCall, ToolCallOutcome};
pub use runner::ToolRunner;

use crate::event::AgentEvent;
use crate::tool::ToolEvent;

/// Maximum number of events that tools are ahead of the listener.
pub(crate) const EVENTS_AHEAD: usize = 64;

/// Returns an event of a tool call as an agent's listener sees it.
pub(crate) fn announced(event: ToolEvent) -> AgentEvent {
    match event {
        ToolEvent::Start { tool_use } => AgentEvent::ToolStart { tool_use },
        ToolEvent::Progress { tool_use, data } => AgentEvent::ToolProgress { tool_use, data },
        ToolEvent::End { tool_use, result, duration } => AgentEvent::ToolEnd { tool_use, result, duration },
        ToolEvent::Forwarded(event) => *event,
    }
}
