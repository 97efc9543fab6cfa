//! Binding of an approval to one call in one session.

use serde_json::{Value, json};
use strands_core::hook::HookContext;

use crate::Fingerprint;

/// Returns the fingerprint of a call of an agent. It includes the session and the agent, since call ids such as `call_0` repeat
/// in other conversations.
pub(super) fn fingerprint(
    session_id: Option<&str>,
    agent_id: &str,
    tool_use_id: &str,
    tool: &str,
    input: &Value,
) -> Fingerprint {
    Fingerprint::of(&json!({
        "session_id": session_id,
        "agent_id": agent_id,
        "tool_use_id": tool_use_id,
        "tool": tool,
        "input": input,
    }))
}

/// Returns the fingerprint of a call of the agent of an event.
pub(super) fn in_context(context: &HookContext, tool_use_id: &str, tool: &str, input: &Value) -> Fingerprint {
    fingerprint(context.session_id(), context.agent_id(), tool_use_id, tool, input)
}
