//! Responses to the interrupts of a turn, as JSON.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use strands_core::{AgentError, InterruptResponse};

/// Responses to interrupts of a turn that waits.
///
/// JSON: `{"responses": [{"interruptId": "..", "response": true}], "metadata": {"user": "bob"}}`.
///
/// ```
/// use strands::InterruptResponse;
/// use strands::durable::Answers;
///
/// let answers = Answers::new([InterruptResponse::new("v1:tool_call:call-1", true)]).metadata("user", "bob");
/// assert_eq!(answers.metadata["user"], "bob");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Answers {
    /// The responses. The turn goes on when all of its interrupts have one.
    pub responses: Vec<InterruptResponse>,
    /// Values for `answered_by` of the durable agent, such as the user who responds.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub metadata: Map<String, Value>,
}

impl Answers {
    /// Creates the value without metadata.
    pub fn new(responses: impl IntoIterator<Item = InterruptResponse>) -> Self {
        Self { responses: responses.into_iter().collect(), metadata: Map::new() }
    }

    /// Adds a value for `answered_by` of the durable agent.
    #[must_use]
    pub fn metadata(mut self, key: impl Into<String>, value: impl Into<Value>) -> Self {
        self.metadata.insert(key.into(), value.into());
        self
    }
}

/// Returns true if responses were refused. Then others may follow. Nothing has changed, unless an agent that is a tool refused them:
/// others of the same invocation may have taken theirs.
pub(crate) fn is_refusal(error: &AgentError) -> bool {
    match error {
        AgentError::UnknownInterrupt { .. } | AgentError::Interrupted { .. } | AgentError::JsonTooDeep { .. } => true,
        AgentError::Hook { event, .. } => *event == "before_invocation",
        _ => false,
    }
}

/// Returns why responses were refused. A hook says it in the source of its error.
pub(crate) fn refusal(error: &AgentError) -> String {
    match error {
        AgentError::Hook { source, .. } => source.to_string(),
        error => error.to_string(),
    }
}
