//! Humans in the loop: a question that ends the invocation, and the answer that resumes it, however much later.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::depth;

/// A question for a human. The invocation ends with it; [`Agent::prompt`](crate::Agent::prompt) goes on with the answer.
///
/// JSON: `{"id", "name", "reason", "response"}`. Ids are those of Strands, so a question asked by one side can be
/// answered on the other.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
#[doc(alias = "human_in_the_loop", alias = "approval")]
pub struct Interrupt {
    /// Names the question; it is the same whenever the same call asks it again.
    pub id: String,
    /// Tells the questions of one call apart.
    pub name: String,
    /// Reason of the question, which the human is shown.
    #[serde(default)]
    pub reason: Value,
    /// The answer.
    #[serde(default)]
    pub response: Option<Value>,
}

impl Interrupt {
    /// Creates a question. A reason that nests deeper than 100 levels becomes JSON text.
    pub fn new(id: impl Into<String>, name: impl Into<String>, reason: Value) -> Self {
        let reason = if depth::check(&reason).is_ok() { reason } else { Value::String(reason.to_string()) };
        Self { id: id.into(), name: name.into(), reason, response: None }
    }

    /// The id of a question that a tool asks.
    pub(crate) fn tool_call_id(tool_use_id: &str, name: &str) -> String {
        format!("v1:tool_call:{tool_use_id}:{}", uuid_of(name))
    }

    /// The id of a question that is asked before a tool runs.
    pub(crate) fn before_tool_call_id(tool_use_id: &str, name: &str) -> String {
        format!("v1:before_tool_call:{tool_use_id}:{}", uuid_of(name))
    }

    /// The answer to this question.
    pub fn answer(&self, response: impl Into<Value>) -> InterruptResponse {
        InterruptResponse { interrupt_id: self.id.clone(), response: response.into() }
    }
}

fn uuid_of(name: &str) -> Uuid {
    Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes())
}

/// A human's answer. JSON: `{"interruptId", "response"}`.
///
/// Any JSON answers, `null` too. Where consent is asked for, `true`, `"y"` and `"yes"` give it, whatever the case;
/// everything else refuses.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct InterruptResponse {
    /// The question.
    pub interrupt_id: String,
    /// The answer.
    #[serde(default)]
    pub response: Value,
}

impl InterruptResponse {
    /// An answer to the question of this id.
    pub fn new(interrupt_id: impl Into<String>, response: impl Into<Value>) -> Self {
        Self { interrupt_id: interrupt_id.into(), response: response.into() }
    }
}

/// Returns true if a response gives consent.
pub(crate) fn consents(response: &Value) -> bool {
    match response {
        Value::Bool(consent) => *consent,
        Value::String(word) => matches!(word.trim().to_ascii_lowercase().as_str(), "y" | "yes"),
        _ => false,
    }
}
