//! A run as a document: the fields of Strands in its order, then unknown ones.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use strands_core::metrics::Usage;

use super::{DocumentError, KindFields, RunDocument, interrupts, own_state, result, task};

const INTERNAL_STATE: &str = "_internal_state";
const RUN: &str = "run";

pub(super) fn write(mut run: RunDocument, stored: Option<&Value>) -> Result<Value, DocumentError> {
    let mut fields = strands_fields(&run)?;
    let interrupts = interrupts::write(&run.interrupted, run.kind.kind());
    let interrupts = serde_json::to_value(interrupts).map_err(DocumentError::field("interrupt_state"))?;
    let mut internal = Map::from_iter([("interrupt_state".to_owned(), interrupts)]);
    if let Some(own) = run.own.take() {
        internal.insert(RUN.to_owned(), own_state::write(own, &fields)?);
    }
    if let Some(stored) = stored.and_then(Value::as_object) {
        let of_others = stored.get(INTERNAL_STATE).and_then(Value::as_object);
        add_unknown(&mut internal, of_others.into_iter().flatten().filter(|(name, _)| *name != RUN));
        add_unknown(&mut fields, stored.iter().filter(|(name, _)| *name != INTERNAL_STATE));
    }
    fields.insert(INTERNAL_STATE.to_owned(), Value::Object(internal));
    Ok(Value::Object(fields))
}

fn add_unknown<'a>(fields: &mut Map<String, Value>, stored: impl Iterator<Item = (&'a String, &'a Value)>) {
    for (name, value) in stored {
        if !fields.contains_key(name) {
            fields.insert(name.clone(), value.clone());
        }
    }
}

/// Returns the fields of Strands, without its internal state.
fn strands_fields(run: &RunDocument) -> Result<Map<String, Value>, DocumentError> {
    let mut results = Map::new();
    let mut latency = 0;
    for (node, ended) in run.results.iter().filter(|(_, ended)| result::is_stored(ended)) {
        results.insert(node.to_string(), result::write(ended).map_err(DocumentError::field("node_results"))?);
        latency += u64::try_from(ended.duration.as_millis()).unwrap_or(u64::MAX);
    }
    let elapsed = u64::try_from(run.elapsed.as_millis()).unwrap_or(u64::MAX);
    let mut fields = Map::new();
    let mut set = |name: &str, value: Value| fields.insert(name.to_owned(), value);
    set("type", run.kind.kind().as_str().into());
    set("id", run.id.as_ref().into());
    set("status", run.status.as_str().into());
    match &run.kind {
        KindFields::Graph { completed, failed } => {
            set("completed_nodes", ids(completed));
            set("failed_nodes", ids(failed));
            set("interrupted_nodes", run.interrupted.iter().map(|node| node.node.as_ref()).collect());
        }
        KindFields::Swarm { .. } => {
            set("node_history", ids(&run.order));
        }
    }
    set("node_results", Value::Object(results));
    set("next_nodes_to_execute", ids(&run.next));
    set("current_task", task::write(&run.task));
    if let KindFields::Graph { .. } = run.kind {
        set("execution_order", ids(&run.order));
    }
    set(
        "accumulated_usage",
        serde_json::to_value::<Usage>(run.usage).map_err(DocumentError::field("accumulated_usage"))?,
    );
    set("accumulated_metrics", Value::Object(result::latency(latency)));
    if let KindFields::Graph { .. } = run.kind {
        set("execution_count", run.order.len().into());
    }
    set("execution_time", elapsed.into());
    if let KindFields::Swarm { shared, handoff, message } = &run.kind {
        set(
            "context",
            json!({"shared_context": shared, "handoff_node": handoff.as_deref(), "handoff_message": message}),
        );
    }
    Ok(fields)
}

fn ids(nodes: &[Arc<str>]) -> Value {
    nodes.iter().map(AsRef::as_ref).collect()
}
