//! Nodes that wait for responses, in the form of Strands' `interrupt_state`, so that either side can resume them.
//!
//! Strands stores the conversation of an interrupted agent in four fields of its own. What else belongs to the snapshot of an agent
//! here is in the field `snapshot` beside them. State of other nodes is in the field `continuation`, as JSON text: documents of graphs
//! within graphs would nest too deep otherwise.

use std::sync::Arc;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use strands_core::multiagent::MultiAgentKind;
use strands_core::{Continuation, Interrupt};

use super::InterruptedNode;

/// The state of Strands.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct InterruptState {
    interrupts: IndexMap<String, Interrupt>,
    context: Map<String, Value>,
    activated: bool,
}

/// Nodes whose successors Strands still has to find. Here, they have been found when a run is interrupted.
const COMPLETED_NODES: &str = "completed_nodes";
const FROM_HOOK: &str = "from_hook";
const INTERRUPT_IDS: &str = "interrupt_ids";
/// True in a swarm if the member itself raised the interrupts, and not a hook.
const ACTIVATED: &str = "activated";
const SNAPSHOT: &str = "snapshot";
const CONTINUATION: &str = "continuation";
const DATA: &str = "data";
/// The fields of an agent's snapshot that Strands stores.
const OF_AGENT: [&str; 4] = ["messages", "state", "interrupt_state", "model_state"];

/// Returns the state of a run with these nodes.
pub(super) fn write(nodes: &[InterruptedNode], kind: MultiAgentKind) -> InterruptState {
    let mut state = InterruptState { activated: !nodes.is_empty(), ..InterruptState::default() };
    for node in nodes {
        state.interrupts.extend(node.interrupts.iter().map(|interrupt| (interrupt.id.clone(), interrupt.clone())));
        state.context.insert(node.node.to_string(), Value::Object(context(node, kind)));
    }
    if state.activated && kind == MultiAgentKind::Graph {
        state.context.entry(COMPLETED_NODES).or_insert_with(|| json!([]));
    }
    state
}

fn context(node: &InterruptedNode, kind: MultiAgentKind) -> Map<String, Value> {
    let mut fields = Map::new();
    if kind == MultiAgentKind::Swarm {
        fields.insert(ACTIVATED.to_owned(), Value::Bool(!node.from_hook));
    } else {
        fields.insert(FROM_HOOK.to_owned(), Value::Bool(node.from_hook));
    }
    let ids: Vec<&str> = node.interrupts.iter().map(|interrupt| interrupt.id.as_str()).collect();
    fields.insert(INTERRUPT_IDS.to_owned(), json!(ids));
    match node.continuation.as_ref().map(Continuation::value) {
        Some(Value::Object(snapshot)) if is_of_agent(snapshot) => write_agent(snapshot.clone(), &mut fields),
        Some(other) => {
            fields.insert(CONTINUATION.to_owned(), Value::String(other.to_string()));
        }
        None => {}
    }
    if kind == MultiAgentKind::Swarm {
        // Strands fails without them.
        fields.entry("messages").or_insert_with(|| json!([]));
        fields.entry("state").or_insert_with(|| json!({}));
        fields.entry("interrupt_state").or_insert_with(|| json!({"interrupts": {}, "context": {}, "activated": false}));
    }
    fields
}

fn is_of_agent(snapshot: &Map<String, Value>) -> bool {
    snapshot.get("scope").and_then(Value::as_str) == Some("agent")
        && snapshot.get(DATA).is_some_and(|data| data.get("messages").is_some_and(Value::is_array))
}

/// Moves the fields of Strands out of a snapshot.
fn write_agent(mut snapshot: Map<String, Value>, fields: &mut Map<String, Value>) {
    if let Some(Value::Object(data)) = snapshot.get_mut(DATA) {
        for name in OF_AGENT {
            if let Some(value) = data.shift_remove(name) {
                fields.insert(name.to_owned(), value);
            }
        }
    }
    fields.insert(SNAPSHOT.to_owned(), Value::Object(snapshot));
}

/// Returns the nodes that wait for responses. `next` are the nodes with which the run continues.
pub(super) fn read(
    state: InterruptState,
    kind: MultiAgentKind,
    next: &[Arc<str>],
) -> Result<Vec<InterruptedNode>, serde_json::Error> {
    let mut nodes = Vec::new();
    if !state.activated {
        return Ok(nodes);
    }
    let InterruptState { interrupts, mut context, .. } = state;
    for node in next {
        let Some(Value::Object(mut fields)) = context.remove(&**node) else { continue };
        let flag = |name: &str| fields.get(name).and_then(Value::as_bool);
        let from_hook = flag(FROM_HOOK).or_else(|| flag(ACTIVATED).map(|activated| !activated)).unwrap_or(false);
        let of_node: Vec<Interrupt> = match fields.get(INTERRUPT_IDS) {
            Some(ids) => {
                let ids = Vec::<String>::deserialize(ids)?;
                ids.iter().filter_map(|id| interrupts.get(id).cloned()).collect()
            }
            // Strands interrupts one member of a swarm at a time, and stores no ids for it.
            None if kind == MultiAgentKind::Swarm => interrupts.values().cloned().collect(),
            None => Vec::new(),
        };
        let continuation = if from_hook { None } else { continuation(&mut fields)? };
        nodes.push(InterruptedNode { node: Arc::clone(node), interrupts: of_node, from_hook, continuation });
    }
    Ok(nodes)
}

fn continuation(fields: &mut Map<String, Value>) -> Result<Option<Continuation>, serde_json::Error> {
    if let Some(Value::String(text)) = fields.get(CONTINUATION) {
        return serde_json::from_str(text).map(Some);
    }
    if !fields.contains_key("messages") {
        return Ok(None);
    }
    let new = || json!({"scope": "agent", "schema_version": "1.0", "created_at": "", DATA: {}});
    let mut snapshot = fields.shift_remove(SNAPSHOT).unwrap_or_else(new);
    if let Some(Value::Object(data)) = snapshot.get_mut(DATA) {
        for name in OF_AGENT {
            if let Some(value) = fields.shift_remove(name) {
                data.insert(name.to_owned(), value);
            }
        }
    }
    Ok(Some(Continuation::new(snapshot)))
}
