//! The document of a graph's run: the fields of Strands, and the state of this crate without what those fields have.

use std::collections::HashMap;
use std::sync::Arc;

use indexmap::IndexMap;
use serde::Deserialize;
use serde_json::{Map, Value};
use strands_core::multiagent::{MultiAgentKind, NodeResult, NodeStatus};
use strands_core::{Continuation, Interrupt};

use super::adoption;
use super::definition::{Definition, GraphState};
use super::machine::GraphRun;
use super::run::{NodeRun, Run};
use crate::activity::ActivityStatus;
use crate::document::{DocumentError, InterruptedNode, KindFields, RunDocument};
use crate::machine::{Machine, Phase, RestoreError};

/// Fields of the state of this crate that are left out, since fields of Strands have the same.
const TASK: &str = "task";
const NODES: &str = "nodes";
const RESULT: &str = "result";
const ACTIVITIES: &str = "activities";
const CONTINUATION: &str = "continuation";
/// Field of a node in the state of this crate: the conversation of an agent that keeps it.
const KEPT: &str = "kept";

/// Returns the document of a run.
///
/// # Errors
///
/// Returns [`DocumentError`] if the state of the graph can't be stored.
pub(super) fn written<S: GraphState>(graph: &GraphRun<S>, stored: Option<&Value>) -> Result<Value, DocumentError> {
    let (definition, run) = (&*graph.definition, &graph.run);
    let topology = &definition.topology;
    let of_nodes = || topology.nodes.iter().zip(&run.nodes);
    let with = |is_wanted: &dyn Fn(&NodeRun) -> bool| -> Vec<Arc<str>> {
        of_nodes().filter(|(_, node)| is_wanted(node)).map(|(shape, _)| Arc::clone(&shape.id)).collect()
    };
    let results: IndexMap<Arc<str>, NodeResult> =
        of_nodes().filter_map(|(shape, node)| Some((Arc::clone(&shape.id), node.result.clone()?))).collect();
    let state = serde_json::to_value(&*graph.state).map_err(DocumentError::State)?;
    let mut document = RunDocument {
        id: Arc::clone(&definition.settings.id),
        status: status(&graph.phase()),
        task: run.task.clone(),
        results,
        next: with(&|node| node.status == NodeStatus::Executing),
        order: run.order.iter().map(|node| topology.id(*node)).collect(),
        interrupted: of_nodes().flat_map(|(shape, node)| interrupted(&shape.id, node)).collect(),
        usage: run.spent.usage,
        elapsed: run.spent.elapsed,
        kind: KindFields::Graph {
            completed: with(&|node| {
                node.status != NodeStatus::Executing
                    && node.result.as_ref().is_some_and(|result| result.status == NodeStatus::Completed)
            }),
            failed: with(&|node| node.status == NodeStatus::Failed),
        },
        own: None,
    };
    // Strands continues a failed run with the nodes that failed, as this crate does.
    document.next.extend(run.failed.iter().map(|node| topology.id(*node)));
    let mut own = run.to_value(topology, state, |id| document.has_result(id));
    leave_out(&mut own, &document);
    document.own = Some(own);
    document.write(stored)
}

/// Restores a run from its document.
///
/// # Errors
///
/// Returns an error if the document is not of this graph, or can't be read.
pub(super) fn restored<S: GraphState>(
    definition: &Arc<Definition<S>>,
    document: &Value,
) -> Result<GraphRun<S>, RestoreError> {
    let mut document = RunDocument::read(document, MultiAgentKind::Graph, &definition.settings.id)?;
    let Some(mut own) = document.own.take() else { return adoption::adopted(definition, document) };
    fill_in(&mut own, &document).map_err(DocumentError::own_state)?;
    let (run, state) = Run::restore(&definition.topology, &own)?;
    let state = S::deserialize(state).map_err(DocumentError::other_state)?;
    Ok(GraphRun::new(Arc::clone(definition), run, Arc::new(state), true))
}

/// Restores a run as one that is over. After a change of the graph, results and kept conversations of nodes that it still has stay.
///
/// # Errors
///
/// Returns an error if the document is not of this graph, or can't be read.
pub(super) fn restored_ended<S: GraphState>(
    definition: &Arc<Definition<S>>,
    stored: &Value,
) -> Result<GraphRun<S>, RestoreError> {
    if let Ok(mut graph) = restored(definition, stored) {
        graph.run.end(&definition.topology);
        return Ok(graph);
    }
    let mut document = RunDocument::read(stored, MultiAgentKind::Graph, &definition.settings.id)?;
    (document.next, document.interrupted) = (Vec::new(), Vec::new());
    let own = document.own.take();
    let mut graph = adoption::adopted(definition, document)?;
    for (id, node) in own.iter().filter_map(|own| own.get(NODES)?.as_object()).flatten() {
        let index = definition.topology.by_id.get(id.as_str());
        if let Some(state) = index.and_then(|index| graph.run.nodes.get_mut(*index)) {
            state.kept = node.get(KEPT).and_then(|kept| Continuation::deserialize(kept).ok());
        }
    }
    Ok(graph)
}

fn status(phase: &Phase) -> NodeStatus {
    match phase {
        Phase::Interrupted(_) => NodeStatus::Interrupted,
        Phase::Completed => NodeStatus::Completed,
        Phase::Failed { .. } => NodeStatus::Failed,
        _ => NodeStatus::Executing,
    }
}

/// Returns the name under which an activity of a node is known outside of the run.
fn name(node: &Arc<str>, item: usize, is_list: bool) -> Arc<str> {
    if is_list { format!("{node}[{item}]").into() } else { Arc::clone(node) }
}

fn interrupted<'a>(id: &'a Arc<str>, node: &'a NodeRun) -> impl Iterator<Item = InterruptedNode> + use<'a> {
    let activities = node.activities.iter().enumerate().take_while(|_| node.status == NodeStatus::Executing);
    let waiting = activities.filter(|(_, activity)| activity.status == ActivityStatus::Interrupted);
    waiting.map(|(item, activity)| {
        let name = name(id, item, node.items.is_some());
        let within = |interrupt: &Interrupt| interrupt.respond(Value::Null).within_node(&name);
        let inner = activity.pending().map(|interrupt| {
            let mut inner = interrupt.clone();
            if let Some(response) = within(interrupt) {
                inner.id = response.interrupt_id;
            }
            inner
        });
        let from_hook = activity.pending().all(|interrupt| within(interrupt).is_none());
        // Strands goes on with it neither before a hook has its responses, nor in an item, which it does not know.
        let is_strands = !from_hook && node.items.is_none();
        InterruptedNode {
            interrupts: inner.collect(),
            from_hook,
            continuation: activity.continuation.clone().filter(|_| is_strands),
            node: name,
        }
    })
}

/// Removes from the state of this crate what a document has in fields of Strands.
fn leave_out(own: &mut Value, document: &RunDocument) {
    let Value::Object(own) = own else { return };
    if document.has_whole_task() {
        own.shift_remove(TASK);
    }
    let interrupted = by_name(document);
    for (id, node) in nodes(own) {
        let waiting = interrupted.get(id.as_str());
        if waiting.is_some_and(|waiting| waiting.continuation.is_some()) {
            for activity in activities(node) {
                activity.shift_remove(CONTINUATION);
            }
        }
    }
}

/// Adds to the state of this crate what was left out.
fn fill_in(own: &mut Value, document: &RunDocument) -> Result<(), serde_json::Error> {
    let Value::Object(own) = own else { return Ok(()) };
    if !own.contains_key(TASK) {
        own.insert(TASK.to_owned(), serde_json::to_value(document.task.messages())?);
    }
    let interrupted = by_name(document);
    for (id, node) in nodes(own) {
        if let Some(result) = document.results.get(id.as_str()) {
            node.insert(RESULT.to_owned(), serde_json::to_value(result)?);
        }
        let waiting = interrupted.get(id.as_str());
        if let Some(continuation) = waiting.and_then(|waiting| waiting.continuation.as_ref()) {
            for activity in activities(node) {
                activity.insert(CONTINUATION.to_owned(), serde_json::to_value(continuation)?);
            }
        }
    }
    Ok(())
}

fn by_name(document: &RunDocument) -> HashMap<&str, &InterruptedNode> {
    document.interrupted.iter().map(|waiting| (&*waiting.node, waiting)).collect()
}

fn nodes(own: &mut Map<String, Value>) -> impl Iterator<Item = (&String, &mut Map<String, Value>)> {
    let nodes = own.get_mut(NODES).and_then(Value::as_object_mut).into_iter().flatten();
    nodes.filter_map(|(id, node)| Some((id, node.as_object_mut()?)))
}

fn activities(node: &mut Map<String, Value>) -> impl Iterator<Item = &mut Map<String, Value>> {
    let activities = node.get_mut(ACTIVITIES).and_then(Value::as_array_mut).into_iter().flatten();
    activities.filter_map(Value::as_object_mut)
}
