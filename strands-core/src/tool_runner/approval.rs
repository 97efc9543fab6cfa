//! Human approval of a tool call.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::interrupt::{Interrupt, grants_approval};
use crate::message::ToolUse;
use crate::tool::Tool;

/// Approval of one call.
pub(super) enum Approval {
    Granted,
    Denied,
    Requested(Interrupt),
}

impl Approval {
    /// Returns the approval in the responses to interrupts, or the interrupt that requests it.
    ///
    /// `required` is the reason of a hook that requires an approval.
    pub(super) fn of(
        call: &ToolUse,
        tool: &dyn Tool,
        required: Option<Value>,
        responses: &BTreeMap<String, Value>,
    ) -> Self {
        let is_needed = required.is_some() || tool.policy().approval;
        if !is_needed && responses.is_empty() {
            return Self::Granted;
        }
        // The id includes the arguments, so that the approval of one call can't be used for another.
        let id = Interrupt::before_tool_call_id(&call.tool_use_id, &format!("approval:{}:{}", call.name, call.input));
        match responses.get(&id) {
            Some(response) if grants_approval(response) => Self::Granted,
            // A denial counts even if approval is no longer required.
            Some(_) => Self::Denied,
            None if !is_needed => Self::Granted,
            None => {
                let mut reason = json!({"tool": call.name, "input": call.input});
                if let (Some(required), Some(reason)) = (required, reason.as_object_mut()) {
                    reason.insert("reason".to_owned(), required);
                }
                Self::Requested(Interrupt::new(id, "approval", reason))
            }
        }
    }
}
