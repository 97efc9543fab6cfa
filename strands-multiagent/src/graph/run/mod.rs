//! Run of a graph as a state machine without I/O: which nodes are ready, and what follows from the end of a node. A run can be stored
//! between any two steps.

mod adoption;
mod stored;
mod transitions;

use std::collections::VecDeque;
use std::sync::Arc;

use strands_core::message::{Message, Role};
use strands_core::multiagent::{NodeResult, NodeStatus};
use strands_core::{Continuation, Interrupt, Prompt};
use uuid::Uuid;

pub(crate) use crate::activity::{Activity, ActivityStatus};

use super::topology::{ROOT, Topology};
use crate::machine::Spent;

/// A node, and the item of a node that runs once for each item of a list; 0 for other nodes.
pub(crate) type Key = (usize, usize);

/// Conditions of the graph's definition. They depend on the state, whose type a run does not know.
pub(crate) trait Decisions {
    /// Returns true if the condition of an edge holds.
    fn holds(&self, edge: usize) -> bool;
}

/// State of a run between two steps.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) id: String,
    /// False if other runs may have asked under the same ids of interrupts.
    pub(crate) is_first: bool,
    /// Digest of the task as it was asked, if hooks have changed it.
    pub(crate) asked: Option<Uuid>,
    pub(crate) task: Prompt,
    pub(crate) spent: Spent,
    pub(crate) nodes: Vec<NodeRun>,
    /// Of each edge: true once it has fired, false once it can't fire any more.
    pub(crate) tokens: Vec<Option<bool>>,
    pub(crate) regions: Vec<RegionRun>,
    /// Nodes that can start, in the order in which they became ready.
    pub(crate) ready: VecDeque<Key>,
    /// Number of nodes that are running.
    pub(crate) running: usize,
    /// Nodes whose failures end the run, in the order in which they failed.
    pub(crate) failed: Vec<usize>,
    /// Nodes in the order in which they completed; a node in a loop, several times.
    pub(crate) order: Vec<usize>,
}

/// State of one node.
#[derive(Debug)]
pub(crate) struct NodeRun {
    pub(crate) status: NodeStatus,
    /// Numbers of edges to the node that have fired, and that are decided.
    pub(crate) fired: usize,
    pub(crate) decided: usize,
    /// Items of a node that runs once for each item of a list, once it has started.
    pub(crate) items: Option<Vec<serde_json::Value>>,
    /// Its activities: one, or one for each item.
    pub(crate) activities: Vec<Activity>,
    /// Number of them that have completed, and true if one has failed.
    pub(crate) completed: usize,
    pub(crate) has_failed: bool,
    /// Result of the last time that the node ended, with the usage of all times.
    pub(crate) result: Option<NodeResult>,
    /// True once the node has activities of its current visit.
    pub(crate) has_begun: bool,
    /// Items that wait until others of the node have ended, and the number of activities that are running.
    pub(crate) waiting: VecDeque<usize>,
    pub(crate) running: usize,
    /// Sources of the input: those whose edges had fired when the node was entered.
    pub(crate) sources: Vec<usize>,
    /// Number of times that the node was entered.
    pub(crate) visits: u32,
    /// Usage and time of all times that the node has run.
    pub(crate) spent: Spent,
    /// Conversation of an agent that keeps it.
    pub(crate) kept: Option<Continuation>,
}

/// State of the graph, or of a loop in it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RegionRun {
    /// Number of members, nodes and loops, that have not ended.
    pub(crate) open: usize,
    /// One-based number of the iteration of a loop.
    pub(crate) iteration: u32,
    pub(crate) has_ended: bool,
}

impl Run {
    /// Creates a run of a task. The entries are ready.
    pub(crate) fn new(topology: &Topology, id: String, task: Prompt) -> Self {
        let nodes = topology.nodes.iter().map(|_| NodeRun::default()).collect();
        let regions = topology.regions.iter().map(|region| RegionRun::of(region.members)).collect();
        let mut run = Self {
            id,
            is_first: true,
            asked: None,
            task,
            spent: Spent::default(),
            nodes,
            tokens: vec![None; topology.edges.len()],
            regions,
            ready: VecDeque::new(),
            running: 0,
            failed: Vec::new(),
            order: Vec::new(),
        };
        for (index, shape) in topology.nodes.iter().enumerate() {
            if let Some(node) = run.nodes.get_mut(index)
                && shape.is_entry
            {
                (node.fired, node.decided) = (1, 1);
            }
        }
        for index in 0..topology.nodes.len() {
            // No node is skipped here: an entry has an edge that has fired, and all others have some that are not decided.
            run.join(topology, index);
        }
        run
    }

    /// Takes over the conversations of agents that keep them.
    pub(crate) fn keep_conversations(&mut self, earlier: &Self) {
        for (node, earlier) in self.nodes.iter_mut().zip(&earlier.nodes) {
            node.kept.clone_from(&earlier.kept);
        }
    }

    pub(crate) fn node(&self, index: usize) -> Option<&NodeRun> {
        self.nodes.get(index)
    }

    /// Returns true once all nodes have ended.
    pub(crate) fn has_completed(&self) -> bool {
        self.regions.get(ROOT).is_some_and(|root| root.has_ended)
    }

    /// Returns true if no node is ready or running.
    pub(crate) fn is_idle(&self) -> bool {
        self.running == 0 && (self.ready.is_empty() || !self.failed.is_empty())
    }

    /// Returns the pending interrupts, in the order of the nodes.
    pub(crate) fn interrupts(&self) -> Vec<Interrupt> {
        let nodes = self.nodes.iter().filter(|node| node.status == NodeStatus::Executing);
        let activities = nodes.flat_map(|node| &node.activities);
        let waiting = activities.filter(|activity| activity.status == ActivityStatus::Interrupted);
        waiting.flat_map(Activity::pending).cloned().collect()
    }

    /// Returns the sources of a node whose edges have fired by now, in the order of the edges.
    pub(crate) fn fired_sources(&self, topology: &Topology, node: usize) -> Vec<usize> {
        let Some(shape) = topology.node(node) else { return Vec::new() };
        let mut fired: Vec<usize> =
            shape.inputs.iter().chain(&shape.reentries).copied().filter(|edge| self.has_fired(*edge)).collect();
        fired.sort_unstable();
        fired.iter().filter_map(|edge| topology.edge(*edge)).map(|edge| edge.from).collect()
    }

    pub(crate) fn has_fired(&self, edge: usize) -> bool {
        self.tokens.get(edge).copied().flatten() == Some(true)
    }
}

impl RegionRun {
    pub(crate) fn of(members: usize) -> Self {
        Self { open: members, iteration: 1, has_ended: false }
    }
}

impl Default for NodeRun {
    fn default() -> Self {
        Self {
            status: NodeStatus::Pending,
            fired: 0,
            decided: 0,
            items: None,
            activities: Vec::new(),
            completed: 0,
            has_failed: false,
            result: None,
            has_begun: false,
            waiting: VecDeque::new(),
            running: 0,
            sources: Vec::new(),
            visits: 0,
            spent: Spent::default(),
            kept: None,
        }
    }
}

impl NodeRun {
    /// Returns true once the node has completed, failed or been skipped.
    pub(crate) fn has_ended(&self) -> bool {
        matches!(self.status, NodeStatus::Completed | NodeStatus::Failed | NodeStatus::Skipped)
    }

    /// Returns the output, if there is one.
    pub(crate) fn message(&self) -> Arc<Message> {
        match &self.result {
            Some(result) => Arc::clone(&result.message),
            None => Arc::new(Message::new(Role::Assistant, [""; 0])),
        }
    }
}
