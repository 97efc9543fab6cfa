//! Consent of a human to a tool call.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::interrupt::{Interrupt, consents};
use crate::message::ToolUse;
use crate::tool::Tool;

/// Consent to one call.
pub(super) enum Consent {
    Given,
    Refused,
    Asked(Interrupt),
}

impl Consent {
    /// Returns the consent in the answers of humans, or the question for it.
    pub(super) fn to(call: &ToolUse, tool: &dyn Tool, answers: &BTreeMap<String, Value>) -> Self {
        let is_needed = tool.policy().approval;
        if !is_needed && answers.is_empty() {
            return Self::Given;
        }
        // The arguments are part of the question: consent to one call can't be used for another.
        let id = Interrupt::before_tool_call_id(&call.tool_use_id, &format!("approval:{}:{}", call.name, call.input));
        match answers.get(&id) {
            Some(answer) if consents(answer) => Self::Given,
            // Also if the tool's policy asks no longer.
            Some(_) => Self::Refused,
            None if !is_needed => Self::Given,
            None => {
                let reason = json!({"tool": call.name, "input": call.input});
                Self::Asked(Interrupt::new(id, "approval", reason))
            }
        }
    }
}
