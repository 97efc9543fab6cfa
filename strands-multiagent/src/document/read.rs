//! A document as a run.

use std::sync::Arc;
use std::time::Duration;

use indexmap::IndexMap;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use strands_core::metrics::Usage;
use strands_core::multiagent::{MultiAgentKind, NodeStatus};

use super::error::shown;
use super::interrupts::InterruptState;
use super::{DocumentError, KindFields, RunDocument, interrupts, own_state, result, task};

/// The context of a swarm.
#[derive(Default, Deserialize)]
#[serde(default)]
struct SwarmContext {
    shared_context: Option<Map<String, Value>>,
    handoff_node: Option<Arc<str>>,
    handoff_message: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct InternalState {
    interrupt_state: InterruptState,
    run: Option<Value>,
}

pub(super) fn read(document: &Value, kind: MultiAgentKind, id: &str) -> Result<RunDocument, DocumentError> {
    let fields: &Map<String, Value> = match document {
        Value::Object(fields) => fields,
        _ => return Err(DocumentError::InvalidField { field: "type".to_owned() }),
    };
    let text = |name: &str| fields.get(name).and_then(Value::as_str).unwrap_or_default();
    if text("type") != kind.as_str() {
        return Err(DocumentError::OtherKind { expected: kind, found: shown(text("type")) });
    }
    if text("id") != id {
        return Err(DocumentError::OtherId { expected: id.to_owned(), found: shown(text("id")) });
    }
    let internal: InternalState = field(fields, "_internal_state")?;
    let own = match &internal.run {
        Some(stored) => own_state::read(stored, fields)?,
        None => None,
    };
    let next: Vec<Arc<str>> = field(fields, "next_nodes_to_execute")?;
    let kind_fields = match kind {
        MultiAgentKind::Swarm => {
            let context: SwarmContext = field(fields, "context")?;
            KindFields::Swarm {
                shared: context.shared_context.unwrap_or_default(),
                handoff: context.handoff_node,
                message: context.handoff_message,
            }
        }
        _ => KindFields::Graph { completed: field(fields, "completed_nodes")?, failed: field(fields, "failed_nodes")? },
    };
    let order = if kind == MultiAgentKind::Swarm { "node_history" } else { "execution_order" };
    let null = Value::Null;
    let current_task = fields.get("current_task").unwrap_or(&null);
    let interrupted = interrupts::read(internal.interrupt_state, kind, &next);
    Ok(RunDocument {
        id: id.into(),
        status: NodeStatus::from(text("status")),
        task: task::read(current_task).map_err(DocumentError::field("current_task"))?,
        results: results(fields)?,
        next,
        order: field(fields, order)?,
        interrupted: interrupted.map_err(DocumentError::field("interrupt_state"))?,
        usage: field::<Usage>(fields, "accumulated_usage")?,
        elapsed: Duration::from_millis(field(fields, "execution_time")?),
        kind: kind_fields,
        own,
    })
}

fn results(
    fields: &Map<String, Value>,
) -> Result<IndexMap<Arc<str>, strands_core::multiagent::NodeResult>, DocumentError> {
    let entries: IndexMap<Arc<str>, Value> = field(fields, "node_results")?;
    let read = |(node, entry): (Arc<str>, Value)| match result::read(&entry) {
        Ok(ended) => Ok((node, ended)),
        Err(_) => Err(DocumentError::InvalidField { field: format!("node_results.{}", shown(&node)) }),
    };
    entries.into_iter().map(read).collect()
}

/// Reads a field. Strands has `null`, or no field, for an empty one.
fn field<T: DeserializeOwned + Default>(fields: &Map<String, Value>, name: &str) -> Result<T, DocumentError> {
    match fields.get(name) {
        None | Some(Value::Null) => Ok(T::default()),
        Some(value) => T::deserialize(value).map_err(DocumentError::field(name)),
    }
}
