//! [`NodeResult`], the result of a node.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::event::NodeStatus;
use crate::interrupt::Interrupt;
use crate::message::{Message, Role, ToolUse};
use crate::stop_reason::StopReason;
use crate::usage::Usage;

/// Result of a node: of its last run, with the usage of all its runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct NodeResult {
    /// Status of the node.
    pub status: NodeStatus,
    /// Output of the node: the last message of an agent, or the content that a function returned. Empty if there is none.
    pub message: Arc<Message>,
    /// Stop reason of an agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_reason: Option<StopReason>,
    /// Structured output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<Value>,
    /// The call that [ended the turn](crate::AgentResponse::ended_by) of an agent, such as the handoff of a member of a swarm.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_by: Option<Arc<ToolUse>>,
    /// Pending interrupts, with the ids that they have outside of the node.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub interrupts: Vec<Interrupt>,
    /// The failure, at most 1 KiB, if the node failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Token usage of the node, over all its runs and attempts.
    #[serde(default)]
    pub usage: Usage,
    /// Number of model calls of the node, over all its runs and attempts.
    #[serde(default)]
    pub turns: u32,
    /// Number of times that the node has started, with repeated attempts.
    #[serde(default)]
    pub attempts: u32,
    /// Time in which the node was running, over all its runs and attempts.
    #[serde(default)]
    pub duration: Duration,
}

impl NodeResult {
    /// Creates a result without output, usage and time; set these fields afterwards.
    pub fn new(status: NodeStatus) -> Self {
        Self {
            status,
            message: Arc::new(Message::new(Role::Assistant, [""; 0])),
            stop_reason: None,
            output: None,
            ended_by: None,
            interrupts: Vec::new(),
            error: None,
            usage: Usage::default(),
            turns: 0,
            attempts: 0,
            duration: Duration::ZERO,
        }
    }

    /// Returns the text of the output.
    pub fn text(&self) -> String {
        self.message.text()
    }
}
