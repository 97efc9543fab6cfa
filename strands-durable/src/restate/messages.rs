//! JSON of the handlers beside that of a turn.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use strands_core::message::Message;
use strands_core::{Interrupt, InterruptResponse};

/// Input of the handler `answer`: responses to the interrupts of the turn that waits.
///
/// JSON: `{"responses": [{"interruptId": "..", "response": true}], "metadata": {"user": "bob"}}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Answers {
    /// The responses. The turn goes on when all of its interrupts have one.
    pub responses: Vec<InterruptResponse>,
    /// Values for [`DurableAgent::answered_by`](super::DurableAgent::answered_by), such as the user who responds.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub metadata: Map<String, Value>,
}

/// A response as the signal of its interrupt, for the turn that waits.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct AnswerSignal {
    pub(super) response: Value,
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub(super) metadata: Map<String, Value>,
}

/// Output of the handlers `answer` and `cancel`: the turn that they concern.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct RunReference {
    /// Id of its run. `None` if no turn was running.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_id: Option<String>,
}

/// Output of the handler `history`: the conversation at the end of the last turn, and the state of a running one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct SessionHistory {
    /// The messages.
    #[serde(default)]
    pub messages: Vec<Arc<Message>>,
    /// Id of the run of the running turn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_id: Option<String>,
    /// Interrupts that the running turn waits for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub interrupts: Vec<Interrupt>,
}

/// The running turn, in the state of the object.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct RunningState {
    pub(super) run_id: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) interrupts: Vec<Interrupt>,
}
