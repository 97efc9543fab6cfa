//! Stored record of an agent: the `agent.json` of Strands.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::message::UnknownFields;

/// Stored record of an agent: everything besides its messages. Its JSON is that of Strands' `agent.json`; the store adds the
/// times of creation and change.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct AgentRecord {
    /// Id of the agent.
    pub agent_id: String,
    /// State of the agent.
    #[serde(default)]
    pub state: Map<String, Value>,
    /// State of the conversation manager; `__name__` is the manager's name.
    #[serde(default)]
    pub conversation_manager_state: Map<String, Value>,
    /// State of the agent loop.
    #[serde(default, rename = "_internal_state")]
    pub internal_state: InternalState,
    /// Fields unknown to this version. They are preserved.
    #[serde(flatten)]
    pub unknown: UnknownFields,
}

/// State of the agent loop between invocations.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct InternalState {
    /// Pending interrupts, and the tool calls that wait for them, in the format of Strands.
    #[serde(default)]
    pub interrupt_state: Map<String, Value>,
    /// Invocation that is suspended or in progress, in this crate's own format. Absent between invocations. Python Strands
    /// ignores it, and drops it when it writes the record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<Value>,
    /// State of a model that stores the conversation on its server.
    #[serde(default)]
    pub model_state: Map<String, Value>,
    /// Fields unknown to this version. They are preserved.
    #[serde(flatten)]
    pub unknown: UnknownFields,
}

impl AgentRecord {
    /// Creates the record of a new agent.
    pub fn new(agent_id: impl Into<String>) -> Self {
        Self { agent_id: agent_id.into(), ..Self::default() }
    }
}
