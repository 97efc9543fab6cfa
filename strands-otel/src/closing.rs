//! Ends of an invocation or of a run, and the names of their errors in attributes.

use strands_core::AgentError;
use strands_core::models::StopReason;

use crate::semconv;
use crate::span::OpenSpan;

/// Way in which an invocation ended.
#[derive(Clone, Copy)]
pub(crate) enum Closing {
    Ended,
    Limited,
    Interrupted,
    Cancelled,
    Failed(&'static str),
    /// It was dropped midway.
    Dropped,
}

impl Closing {
    pub(crate) fn outcome(self) -> &'static str {
        match self {
            Self::Ended => "ok",
            Self::Limited => "limit",
            Self::Interrupted => "interrupt",
            Self::Cancelled => "cancelled",
            Self::Failed(_) => "error",
            Self::Dropped => "dropped",
        }
    }

    /// Marks a span that did not end by itself.
    pub(crate) fn mark(self, span: &OpenSpan) {
        if let Self::Cancelled | Self::Dropped = self {
            span.set(semconv::CANCELLATION_TYPE, self.outcome());
        }
    }
}

/// Returns the end of an invocation with a response.
pub(crate) fn closing_of(reason: &StopReason) -> Closing {
    match reason {
        StopReason::Cancelled => Closing::Cancelled,
        StopReason::Interrupt => Closing::Interrupted,
        limit if limit.is_limit() => Closing::Limited,
        _ => Closing::Ended,
    }
}

/// Returns the kind of an error, for attributes: one of a few texts.
pub(crate) fn error_kind(error: &AgentError) -> &'static str {
    match error.failure() {
        AgentError::Model { source, .. } => source.kind().as_str(),
        AgentError::ContextOverflow { .. } => "context_overflow",
        AgentError::Conversation { .. } => "conversation_manager",
        AgentError::Hook { .. } => "hook",
        AgentError::Session(_) => "session",
        AgentError::Journal(_) => "journal",
        AgentError::Interrupted { .. } => "interrupted",
        AgentError::UnknownInterrupt { .. } => "unknown_interrupt",
        AgentError::InvalidOutput { .. } | AgentError::NoOutput { .. } => "output",
        AgentError::NestedTooDeep { .. } => "nested_too_deep",
        AgentError::Tools(_) | AgentError::MissingInjectedValue { .. } => "tools",
        _ => "agent",
    }
}
