//! What is kept of an agent beside its messages: the `agent.json` of Strands.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::message::UnknownFields;

/// What is kept of an agent beside its messages, in the JSON of Strands' `agent.json`. When it was written is the store's
/// business.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct AgentRecord {
    /// The agent's id.
    pub agent_id: String,
    /// The agent's state.
    #[serde(default)]
    pub state: Map<String, Value>,
    /// What the conversation manager remembers; `__name__` says whose it is.
    #[serde(default)]
    pub conversation_manager_state: Map<String, Value>,
    /// What the loop remembers.
    #[serde(default, rename = "_internal_state")]
    pub internal_state: InternalState,
    /// Fields that this version has no name for.
    #[serde(flatten)]
    pub unknown: UnknownFields,
}

/// What the loop remembers between invocations.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct InternalState {
    /// What humans are asked, and the calls that wait for them.
    #[serde(default)]
    pub interrupt_state: Map<String, Value>,
    /// An invocation that is suspended or in flight, in this crate's own format. Absent between invocations. Strands
    /// ignores it, and drops it when it writes the record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<Value>,
    /// What a model that keeps the conversation itself remembers.
    #[serde(default)]
    pub model_state: Map<String, Value>,
    /// Fields that this version has no name for.
    #[serde(flatten)]
    pub unknown: UnknownFields,
}

impl AgentRecord {
    /// The record of an agent that has done nothing yet.
    pub fn new(agent_id: impl Into<String>) -> Self {
        Self { agent_id: agent_id.into(), ..Self::default() }
    }
}
