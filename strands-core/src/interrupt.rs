//! Interrupts for humans in the loop: an interrupt suspends the invocation, and a response resumes it, in the same process or
//! much later in another one.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::depth;
use crate::message::ToolUse;

/// A question for a human that suspends the invocation.
///
/// To resume it, call [`Invocation::resume`](crate::Invocation::resume) with the responses, such as [`respond`](Self::respond)
/// returns.
///
/// JSON: `{"id", "name", "reason", "response"}`. Ids are compatible with Strands, so either side can resume an interrupt of
/// the other.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
#[doc(alias = "human_in_the_loop", alias = "approval")]
pub struct Interrupt {
    /// Unique id, which is the same each time the same call raises the interrupt.
    pub id: String,
    /// Name, unique among the interrupts of one call.
    pub name: String,
    /// Reason to show to the human.
    #[serde(default)]
    pub reason: Value,
    /// The response, if there is one.
    #[serde(default)]
    pub response: Option<Value>,
}

impl Interrupt {
    /// Creates an interrupt. A reason that nests deeper than 100 levels becomes JSON text.
    pub fn new(id: impl Into<String>, name: impl Into<String>, reason: Value) -> Self {
        let reason = if depth::check(&reason).is_ok() { reason } else { Value::String(reason.to_string()) };
        Self { id: id.into(), name: name.into(), reason, response: None }
    }

    /// Returns the id of an interrupt raised by a tool.
    pub(crate) fn tool_call_id(tool_use_id: &str, name: &str) -> String {
        format!("v1:tool_call:{tool_use_id}:{}", uuid_of(name))
    }

    /// Returns the id of an interrupt raised before a tool runs.
    pub(crate) fn before_tool_call_id(tool_use_id: &str, name: &str) -> String {
        format!("v1:before_tool_call:{tool_use_id}:{}", uuid_of(name))
    }

    /// Creates a response to this interrupt.
    pub fn respond(&self, response: impl Into<Value>) -> InterruptResponse {
        InterruptResponse { interrupt_id: self.id.clone(), response: response.into() }
    }
}

fn uuid_of(name: &str) -> Uuid {
    Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes())
}

/// A response to an [`Interrupt`]. JSON: `{"interruptId", "response"}`.
///
/// Any JSON value is a response, including `null`. For an approval, `true`, `"y"` and `"yes"` (case-insensitive) approve;
/// every other value denies.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct InterruptResponse {
    /// Id of the interrupt.
    pub interrupt_id: String,
    /// The response.
    #[serde(default)]
    pub response: Value,
}

impl InterruptResponse {
    /// Creates a response to the interrupt with this id.
    pub fn new(interrupt_id: impl Into<String>, response: impl Into<Value>) -> Self {
        Self { interrupt_id: interrupt_id.into(), response: response.into() }
    }
}

/// A tool call with the interrupts that it raised.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct InterruptedCall {
    /// The call, as the model made it.
    pub tool_use: Arc<ToolUse>,
    /// Its interrupts, with the responses to them so far.
    pub interrupts: Vec<Interrupt>,
}

/// Returns true if a response approves.
pub(crate) fn grants_approval(response: &Value) -> bool {
    match response {
        Value::Bool(approves) => *approves,
        Value::String(word) => matches!(word.trim().to_ascii_lowercase().as_str(), "y" | "yes"),
        _ => false,
    }
}
