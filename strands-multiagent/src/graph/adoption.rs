//! Runs that Strands has stored, or that another program has changed: they go on from the fields of Strands alone.
//!
//! The completed nodes are replayed in their order, with the rules of this crate: their edges fire, and their results change the state of
//! the graph. Then the nodes run that Strands would run next.

use std::sync::Arc;

use strands_core::multiagent::{NodeResult, NodeStatus};

use super::definition::{Definition, GraphState};
use super::machine::GraphRun;
use super::run::Run;
use crate::activity::{Activity, ActivityStatus};
use crate::document::{DocumentError, InterruptedNode, KindFields, RunDocument};
use crate::driver::random_id;
use crate::machine::{RestoreError, Spent};

/// Returns the run of a document without state of this crate.
pub(super) fn adopted<S: GraphState>(
    definition: &Arc<Definition<S>>,
    document: RunDocument,
) -> Result<GraphRun<S>, RestoreError> {
    let failed = match &document.kind {
        KindFields::Graph { failed, .. } => failed.as_slice(),
        KindFields::Swarm { .. } => &[],
    };
    let topology = &definition.topology;
    let index = |id: &Arc<str>| topology.by_id.get(id).copied();
    let unknown = |id: &Arc<str>| DocumentError::unknown_node(id);
    let run = Run::new(topology, random_id(), document.task);
    let mut graph = GraphRun::new(Arc::clone(definition), run, Arc::clone(&definition.initial), true);
    let turns = document.results.values().map(|result| result.turns).sum();
    graph.run.spent = Spent { usage: document.usage, turns, elapsed: document.elapsed };
    // A node that the graph no longer has leads to nothing.
    let failed = failed.iter().filter(|id| !document.order.contains(id) && !document.next.contains(id));
    for id in document.order.iter().chain(failed) {
        if let (Some(node), Some(result)) = (index(id), document.results.get(id)) {
            graph.replay(node, result.clone());
        }
    }
    if document.next.is_empty() {
        graph.run.end(topology);
        return Ok(graph);
    }
    for id in &document.next {
        graph.run.enter_again(topology, index(id).ok_or_else(|| unknown(id))?);
    }
    for node in document.interrupted {
        let at = index(&node.node).ok_or_else(|| unknown(&node.node))?;
        graph.suspend(at, node);
    }
    Ok(graph)
}

impl<S: GraphState> GraphRun<S> {
    /// Records that a node has ended.
    fn replay(&mut self, index: usize, result: NodeResult) {
        let definition = Arc::clone(&self.definition);
        let is_completed = result.status == NodeStatus::Completed;
        if let Some(shape) = definition.node(index)
            && is_completed
        {
            // Results without a structured output change nothing: Strands does not store it.
            let updates = shape.apply.iter().filter_map(|apply| apply(&result).ok());
            let state = Arc::make_mut(&mut self.state);
            updates.for_each(|update| update(state));
        }
        if is_completed {
            self.run.order.push(index);
        }
        let had_ended = self.run.node(index).is_none_or(super::run::NodeRun::has_ended);
        if !had_ended {
            self.run.enter_again(&definition.topology, index);
            self.run.withdraw(index);
        }
        let Some(node) = self.run.nodes.get_mut(index) else { return };
        node.has_begun = true;
        let status = if is_completed { ActivityStatus::Completed } else { ActivityStatus::Failed };
        node.activities = vec![Activity { status, attempts: result.attempts, ..Activity::default() }];
        node.spent = Spent { usage: result.usage, turns: result.turns, elapsed: result.duration };
        node.status = if is_completed { NodeStatus::Completed } else { NodeStatus::Failed };
        node.result = Some(result);
        if !had_ended {
            self.settle(index, &mut Vec::new());
        }
    }

    /// Lets a node wait for the responses that Strands waits for. A node with all of them goes on.
    fn suspend(&mut self, index: usize, waiting: InterruptedNode) {
        let activity = waiting.into_activity(1);
        let is_ready = activity.status == ActivityStatus::Ready;
        let Some(node) = self.run.nodes.get_mut(index) else { return };
        node.has_begun = true;
        node.activities = vec![activity];
        if !is_ready {
            self.run.withdraw(index);
        }
    }
}
