//! Conversion of events to a type of structured output.

use super::AgentEvent;

impl AgentEvent {
    /// Returns the event with another type of output, or `None` for the result, whose output needs a conversion.
    pub(crate) fn retyped<T>(self) -> Option<AgentEvent<T>> {
        Some(match self {
            Self::Start { version, invocation_id, agent_id, agent_name, session_id } => {
                AgentEvent::Start { version, invocation_id, agent_id, agent_name, session_id }
            }
            Self::CycleStart { cycle } => AgentEvent::CycleStart { cycle },
            Self::TextDelta { text } => AgentEvent::TextDelta { text },
            Self::ReasoningDelta { text } => AgentEvent::ReasoningDelta { text },
            Self::Citation { citation } => AgentEvent::Citation { citation },
            Self::ProviderContent { content } => AgentEvent::ProviderContent { content },
            Self::Media { content } => AgentEvent::Media { content },
            Self::Fallback { from, to, error } => AgentEvent::Fallback { from, to, error },
            Self::ToolUseStart { tool_use_id, name } => AgentEvent::ToolUseStart { tool_use_id, name },
            Self::ToolUseDelta { tool_use_id, input } => AgentEvent::ToolUseDelta { tool_use_id, input },
            Self::PartialOutput { value } => AgentEvent::PartialOutput { value },
            Self::Retry { attempt, delay, error, discards_output } => {
                AgentEvent::Retry { attempt, delay, error, discards_output }
            }
            Self::ContextReduced { what } => AgentEvent::ContextReduced { what },
            Self::ContextReductionFailed { error } => AgentEvent::ContextReductionFailed { error },
            Self::ToolsChanged { added, removed, changed } => AgentEvent::ToolsChanged { added, removed, changed },
            Self::ToolRefreshFailed { error } => AgentEvent::ToolRefreshFailed { error },
            Self::Redacted { user, assistant } => AgentEvent::Redacted { user, assistant },
            Self::Guardrail { guardrail, content, action, count } => {
                AgentEvent::Guardrail { guardrail, content, action, count }
            }
            Self::Message { message } => AgentEvent::Message { message },
            Self::ToolStart { tool_use } => AgentEvent::ToolStart { tool_use },
            Self::ToolProgress { tool_use, data } => AgentEvent::ToolProgress { tool_use, data },
            Self::ToolEnd { tool_use, result, duration } => AgentEvent::ToolEnd { tool_use, result, duration },
            Self::Interrupt { interrupts } => AgentEvent::Interrupt { interrupts },
            Self::NodeStart { node, attempt, from } => AgentEvent::NodeStart { node, attempt, from },
            Self::NodeEnd { node, attempt, status, usage, duration, error } => {
                AgentEvent::NodeEnd { node, attempt, status, usage, duration, error }
            }
            Self::NodeRetry { node, attempt, delay, error } => AgentEvent::NodeRetry { node, attempt, delay, error },
            Self::NodeSkip { node } => AgentEvent::NodeSkip { node },
            Self::Handoff { from, to, message } => AgentEvent::Handoff { from, to, message },
            Self::Node { path, event } => AgentEvent::Node { path, event },
            Self::Unknown(fields) => AgentEvent::Unknown(fields),
            Self::Result { .. } => return None,
        })
    }
}
