//! Suspended run in the JSON of Strands' `interrupt_state`, so that either side can resume it.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{CallStatus, Limits, PendingTools, Run};
use crate::continuation::Continuation;
use crate::history::OUTCOME_UNKNOWN;
use crate::interrupt::Interrupt;
use crate::message::{Message, ToolResult};

#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct InterruptState {
    interrupts: IndexMap<String, Interrupt>,
    context: Context,
    activated: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pending_tool_execution: Option<PendingToolExecution>,
}

/// Values of tools that are interrupted. Strands keeps those of agents as tools, and of its own hooks.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Context {
    #[serde(rename = "sub_agent_interrupted_turns", skip_serializing_if = "BTreeMap::is_empty")]
    agents: BTreeMap<String, Continuation>,
    /// Those of other tools, which Strands does not know.
    #[serde(rename = "tool_continuations", skip_serializing_if = "BTreeMap::is_empty")]
    tools: BTreeMap<String, Continuation>,
    #[serde(flatten)]
    unknown: Map<String, Value>,
}

impl Context {
    fn of(continuations: Option<&BTreeMap<String, Continuation>>) -> Self {
        let all = continuations.into_iter().flatten().map(|(call, state)| (call.clone(), state.clone()));
        let (agents, tools) = all.partition(|(_, state)| state.is_of_agent());
        Self { agents, tools, unknown: Map::new() }
    }

    fn into_continuations(self) -> BTreeMap<String, Continuation> {
        let agents = self.agents.into_iter().map(|(call, state)| (call, state.into_agents()));
        self.tools.into_iter().chain(agents).collect()
    }
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
        context: Context::of(pending.continuations().map(|continuations| &**continuations)),
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

/// Returns the states of tools that continue with responses, by the id of their call.
pub(super) fn continuations(state: &Map<String, Value>) -> Result<BTreeMap<String, Continuation>, serde_json::Error> {
    match state.get("context") {
        Some(context) => Ok(Context::deserialize(context)?.into_continuations()),
        None => Ok(BTreeMap::new()),
    }
}

/// Returns the suspended run, if there is one.
pub(crate) fn restore(state: Map<String, Value>, limits: Limits) -> Result<Option<Run>, serde_json::Error> {
    let state: InterruptState = serde_json::from_value(Value::Object(state))?;
    let Some(stored) = state.pending_tool_execution.filter(|_| state.activated) else { return Ok(None) };
    let mut run = Run::new(limits, None).with_open_calls(&stored.assistant_message);
    if let Some(pending) = run.pending_mut() {
        pending.restore_results(stored.completed_tool_results);
        pending.restore_continuations(state.context.into_continuations());
        pending.restore_interrupts(state.interrupts.into_values());
    }
    Ok(run.pending().is_some().then_some(run))
}
