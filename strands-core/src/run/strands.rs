//! Suspended run in the JSON of Strands' `interrupt_state`, so that either side can resume it.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{CallStatus, Limits, PendingTools, Run};
use crate::history::OUTCOME_UNKNOWN;
use crate::interrupt::Interrupt;
use crate::message::{Message, ToolResult};

#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct InterruptState {
    interrupts: IndexMap<String, Interrupt>,
    context: Map<String, Value>,
    activated: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pending_tool_execution: Option<PendingToolExecution>,
}

#[derive(Serialize, Deserialize)]
struct PendingToolExecution {
    assistant_message: Message,
    #[serde(default)]
    completed_tool_results: Vec<ToolResult>,
}

/// Returns the state of an agent that is suspended with the pending calls of a message, or of one that is not suspended.
pub(crate) fn save(suspended: Option<(&PendingTools, &Message)>) -> Result<Map<String, Value>, serde_json::Error> {
    let state = suspended.map(|(pending, message)| InterruptState {
        interrupts: pending.all_interrupts().map(|interrupt| (interrupt.id.clone(), interrupt)).collect(),
        context: Map::new(),
        // The other side must not repeat a call that may be running.
        activated: pending.calls.iter().any(|call| call.result.is_none() && call.status != CallStatus::Started),
        pending_tool_execution: Some(PendingToolExecution {
            assistant_message: message.clone(),
            completed_tool_results: completed(pending),
        }),
    });
    match serde_json::to_value(state.unwrap_or_default())? {
        Value::Object(fields) => Ok(fields),
        _ => Ok(Map::new()),
    }
}

fn completed(pending: &PendingTools) -> Vec<ToolResult> {
    let unknown = |id: &str| ToolResult::error(id, OUTCOME_UNKNOWN);
    let result = |call: &super::PendingCall| match (&call.result, call.status) {
        (Some(result), _) => Some(result.clone()),
        (None, CallStatus::Started | CallStatus::Unknown) => Some(unknown(&call.tool_use.tool_use_id)),
        (None, _) => None,
    };
    pending.calls.iter().filter_map(result).collect()
}

/// Returns the suspended run, if there is one.
pub(crate) fn restore(state: Map<String, Value>, limits: Limits) -> Result<Option<Run>, serde_json::Error> {
    let state: InterruptState = serde_json::from_value(Value::Object(state))?;
    let Some(stored) = state.pending_tool_execution.filter(|_| state.activated) else { return Ok(None) };
    let mut run = Run::new(limits, None).with_open_calls(&stored.assistant_message);
    if let Some(pending) = run.pending_mut() {
        pending.restore_results(stored.completed_tool_results);
        pending.restore_interrupts(state.interrupts.into_values());
    }
    Ok(run.pending().is_some().then_some(run))
}
