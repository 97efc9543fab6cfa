//! Messages of the user that a hook of the agent has voided: the task must not keep what the agent does not.

use strands_core::guardrails::{GuardedContent, GuardrailAction};
use strands_core::{AgentError, AgentEvent};

/// Text in place of a message that a guardrail of the program has changed or blocked: its report has no text.
const REDACTED: &str = "[redacted by a guardrail]";

/// Text in place of a message that a hook has refused, such as a guardrail that blocks a response to an interrupt.
const REFUSED: &str = "[refused by a hook]";

/// Returns the text in place of the last message of the user, if the event voids it.
pub(super) fn replacement_of(event: &AgentEvent) -> Option<&str> {
    match event {
        // Of the guardrail of a provider.
        AgentEvent::Redacted { user: Some(replacement), .. } => Some(replacement),
        AgentEvent::Guardrail {
            content: GuardedContent::Prompt | GuardedContent::InterruptResponse,
            action: GuardrailAction::Redacted | GuardrailAction::Rewritten | GuardrailAction::Blocked,
            ..
        } => Some(REDACTED),
        _ => None,
    }
}

/// Returns the text in place of the last message of the user, if a hook did not let it pass: then there is no report.
pub(super) fn replacement_of_refused(error: &AgentError) -> Option<&'static str> {
    match error.failure() {
        AgentError::Hook { event: "before_invocation", .. } => Some(REFUSED),
        _ => None,
    }
}
