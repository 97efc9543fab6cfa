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
    if let Some(request) = ApprovalRequest::from_interrupt(interrupt) {
        let reason = &request.requirement.reason;
        let colon = if reason.is_empty() { "" } else { ": " };
        return format!("- approval of `{}`{colon}{reason}", request.tool);
    }
    match &interrupt.reason {
        Value::String(reason) => format!("- {reason}"),
        // The reason of a tool that is declared to need an approval.
        reason => match reason.get("tool").and_then(Value::as_str) {
            Some(tool) => format!("- {} of `{tool}`", interrupt.name),
            None => format!("- {}", interrupt.name),
        },
    }
}
