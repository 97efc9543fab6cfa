//! Results of nodes as Strands has them, with the fields of this crate that Strands ignores.

use std::sync::Arc;
use std::time::Duration;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use strands_core::Interrupt;
use strands_core::message::{ContentBlock, Message, Role, ToolUse};
use strands_core::metrics::Usage;
use strands_core::models::StopReason;
use strands_core::multiagent::{NodeResult, NodeStatus};

/// Maximum length of the text of a failure, in bytes.
const MAX_ERROR: usize = 1024;

/// A result of a node: `NodeResult` of Strands.
#[derive(Serialize, Deserialize)]
struct Entry {
    result: Ended,
    /// Milliseconds.
    #[serde(default)]
    execution_time: u64,
    #[serde(default = "pending")]
    status: NodeStatus,
    #[serde(default)]
    accumulated_usage: Usage,
    #[serde(default)]
    accumulated_metrics: Map<String, Value>,
    #[serde(default)]
    execution_count: u32,
    #[serde(default)]
    interrupts: Vec<Interrupt>,
    /// Structured output. Strands does not store it.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    output: Option<Value>,
    /// The call that ended the turn. Strands does not store it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ended_by: Option<Arc<ToolUse>>,
    /// Number of model calls. Strands does not store it.
    #[serde(default)]
    turns: u32,
}

/// The end of a node.
#[derive(Serialize, Deserialize)]
#[serde(tag = "type")]
enum Ended {
    #[serde(rename = "agent_result")]
    Agent { message: Arc<Message>, stop_reason: Option<StopReason>, checkpoint: Option<Value> },
    #[serde(rename = "exception")]
    Failed {
        #[serde(default)]
        message: String,
    },
    /// The end of a graph or swarm that is a node. Only Strands writes it.
    #[serde(rename = "multiagent_result")]
    Nested {
        #[serde(default)]
        results: IndexMap<String, Entry>,
    },
}

fn pending() -> NodeStatus {
    NodeStatus::Pending
}

/// Deserializes a field that is present, since `null` is a valid output.
fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

/// Returns true for a node that has a result in the document.
pub(super) fn is_stored(result: &NodeResult) -> bool {
    matches!(result.status, NodeStatus::Completed | NodeStatus::Failed)
}

/// Returns a result in the form of Strands.
pub(super) fn write(result: &NodeResult) -> Result<Value, serde_json::Error> {
    let ended = match &result.error {
        Some(error) => Ended::Failed { message: error.clone() },
        None => Ended::Agent {
            message: Arc::clone(&result.message),
            stop_reason: result.stop_reason.clone(),
            checkpoint: None,
        },
    };
    let milliseconds = u64::try_from(result.duration.as_millis()).unwrap_or(u64::MAX);
    serde_json::to_value(Entry {
        result: ended,
        execution_time: milliseconds,
        status: result.status.clone(),
        accumulated_usage: result.usage,
        accumulated_metrics: latency(milliseconds),
        execution_count: result.attempts,
        interrupts: result.interrupts.clone(),
        output: result.output.clone(),
        ended_by: result.ended_by.clone(),
        turns: result.turns,
    })
}

/// Returns the metrics of Strands for a duration in milliseconds.
pub(super) fn latency(milliseconds: u64) -> Map<String, Value> {
    Map::from_iter([("latencyMs".to_owned(), milliseconds.into())])
}

/// Returns the result in an entry of Strands.
pub(super) fn read(entry: &Value) -> Result<NodeResult, serde_json::Error> {
    Entry::deserialize(entry).map(NodeResult::from)
}

impl From<Entry> for NodeResult {
    fn from(entry: Entry) -> Self {
        let mut result = Self::new(entry.status);
        match entry.result {
            Ended::Agent { message, stop_reason, checkpoint: _ } => {
                result.message = message;
                result.stop_reason = stop_reason;
            }
            Ended::Failed { message } => result.error = Some(bounded(message)),
            Ended::Nested { results } => {
                let mut content = Vec::new();
                for entry in results.into_values() {
                    collect_content(entry, &mut content);
                }
                result.message = Arc::new(Message::new(Role::Assistant, content));
            }
        }
        result.output = entry.output;
        result.ended_by = entry.ended_by;
        result.interrupts = entry.interrupts;
        result.usage = entry.accumulated_usage;
        result.turns = entry.turns;
        result.attempts = entry.execution_count;
        result.duration = Duration::from_millis(entry.execution_time);
        result
    }
}

/// Collects what the agents in a nested graph or swarm said, as Strands hands it to the nodes that follow.
fn collect_content(entry: Entry, content: &mut Vec<ContentBlock>) {
    match entry.result {
        Ended::Agent { message, .. } => content.extend(message.content.iter().cloned()),
        Ended::Failed { .. } => {}
        Ended::Nested { results } => results.into_values().for_each(|entry| collect_content(entry, content)),
    }
}

fn bounded(mut text: String) -> String {
    if text.len() > MAX_ERROR {
        text.truncate(text.floor_char_boundary(MAX_ERROR));
    }
    text
}
