//! A run that waits for humans, in the JSON of Strands' `interrupt_state`, so that either side can bring the answer.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::event_loop::Limits;
use crate::event_loop::run::Run;
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

/// The state of an agent that waits with this run for answers to the calls of this message, or of one that does not
/// wait.
pub(crate) fn save(waiting: Option<(&Run, &Message)>) -> Result<Map<String, Value>, serde_json::Error> {
    let state = waiting.map(|(run, message)| InterruptState {
        interrupts: run.interrupts().into_iter().map(|interrupt| (interrupt.id.clone(), interrupt)).collect(),
        context: Map::new(),
        activated: true,
        pending_tool_execution: Some(PendingToolExecution {
            assistant_message: message.clone(),
            completed_tool_results: run.results().cloned().collect(),
        }),
    });
    match serde_json::to_value(state.unwrap_or_default())? {
        Value::Object(fields) => Ok(fields),
        _ => Ok(Map::new()),
    }
}

/// The run that waits, where one does.
pub(crate) fn restore(state: Map<String, Value>, limits: Limits) -> Result<Option<Run>, serde_json::Error> {
    let state: InterruptState = serde_json::from_value(Value::Object(state))?;
    let Some(pending) = state.pending_tool_execution.filter(|_| state.activated) else { return Ok(None) };
    let unanswered = state.interrupts.into_values().filter(|interrupt| interrupt.response.is_none());
    let run = Run::new(limits, None).with_open_calls(&pending.assistant_message);
    Ok(Some(run.with_results(pending.completed_tool_results).with_interrupts(unanswered)))
}
