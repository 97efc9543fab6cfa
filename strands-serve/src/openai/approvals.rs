//! The text about a suspended turn.

use serde_json::Value;
use strands_core::{AgentResponse, Interrupt};
use strands_identity::ApprovalRequest;

/// Returns a text about the pending interrupts of a response, if there are some.
pub(super) fn notice(response: &AgentResponse) -> Option<String> {
    if response.interrupts.is_empty() {
        return None;
    }
    let lines: Vec<String> = response.interrupts.iter().map(line).collect();
    Some(format!("This conversation is paused and continues after a decision about:\n{}", lines.join("\n")))
}

fn line(interrupt: &Interrupt) -> String {
    match (ApprovalRequest::from_interrupt(interrupt), &interrupt.reason) {
        (Some(request), _) if request.requirement.reason.is_empty() => format!("- approval of `{}`", request.tool),
        (Some(request), _) => format!("- approval of `{}`: {}", request.tool, request.requirement.reason),
        (None, Value::String(reason)) => format!("- {reason}"),
        (None, _) => format!("- `{}`", interrupt.name),
    }
}
