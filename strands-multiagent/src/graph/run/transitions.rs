//! Transitions of a run: edges that fire, joins, loops and skipped nodes.
//!
//! Each edge is decided once in an iteration: it fires, or it can't fire any more. A node decides as soon as its join is satisfied, or
//! can't be satisfied any more; then it is skipped, and its own edges can't fire. So every node ends, and nothing waits forever.

use std::collections::VecDeque;

use strands_core::multiagent::NodeStatus;

use super::{Decisions, Key, RegionRun, Run};
use crate::graph::Join;
use crate::graph::topology::{EdgeKind, ROOT, Topology};

/// Decision of a join.
enum Joined {
    Waits,
    Runs,
    IsSkipped,
}

impl Run {
    /// Records that a node has completed, failed or been skipped, and all that follows. Returns the nodes that are skipped.
    pub(crate) fn settle(&mut self, topology: &Topology, decisions: &dyn Decisions, node: usize) -> Vec<usize> {
        let (mut skipped, mut settled) = (Vec::new(), VecDeque::from([node]));
        while let Some(node) = settled.pop_front() {
            let Some(shape) = topology.node(node) else { continue };
            // Before the end of the iteration, which clears the status.
            if self.node(node).is_some_and(|node| node.status == NodeStatus::Skipped) {
                skipped.push(node);
            }
            for edge in &shape.outputs {
                if topology.edge(*edge).is_some_and(|edge| edge.leaves.is_none()) {
                    self.decide(topology, decisions, *edge, &mut settled);
                }
            }
            self.end_member(topology, decisions, shape.region, &mut settled);
        }
        skipped
    }

    /// Decides an edge whose source has ended.
    fn decide(&mut self, topology: &Topology, decisions: &dyn Decisions, index: usize, settled: &mut VecDeque<usize>) {
        let Some(edge) = topology.edge(index) else { return };
        let status = self.node(edge.from).map(|node| &node.status);
        let fires = match (edge.kind, status) {
            (EdgeKind::Success, Some(NodeStatus::Completed)) => decisions.holds(index),
            (EdgeKind::Failure, Some(NodeStatus::Failed)) => true,
            _ => false,
        };
        if let Some(token) = self.tokens.get_mut(index) {
            *token = Some(fires);
        }
        if let Some(target) = self.nodes.get_mut(edge.to) {
            target.decided += 1;
            target.fired += usize::from(fires);
        }
        if self.join(topology, edge.to) {
            settled.push_back(edge.to);
        }
    }

    /// Starts or skips a node, if its join allows a decision. Returns true if it is skipped.
    pub(super) fn join(&mut self, topology: &Topology, index: usize) -> bool {
        let (Some(shape), Some(node)) = (topology.node(index), self.node(index)) else { return false };
        if node.status != NodeStatus::Pending {
            return false;
        }
        let all = shape.inputs.len() + usize::from(shape.is_entry);
        match joined(shape.join, all, node.fired, node.decided) {
            Joined::Waits => false,
            Joined::Runs => {
                self.enter(topology, index);
                false
            }
            Joined::IsSkipped => {
                self.skip(index);
                true
            }
        }
    }

    /// Makes a node ready.
    pub(super) fn enter(&mut self, topology: &Topology, index: usize) {
        let sources = self.fired_sources(topology, index);
        if let Some(node) = self.nodes.get_mut(index) {
            node.status = NodeStatus::Executing;
            node.visits = node.visits.saturating_add(1);
            (node.items, node.has_begun, node.sources) = (None, false, sources);
            (node.completed, node.has_failed) = (0, false);
            node.waiting.clear();
            self.ready.push_back((index, 0));
        }
    }

    fn skip(&mut self, index: usize) {
        if let Some(node) = self.nodes.get_mut(index) {
            node.status = NodeStatus::Skipped;
        }
    }

    /// Records that a member of a region has ended: a node or a loop.
    fn end_member(
        &mut self,
        topology: &Topology,
        decisions: &dyn Decisions,
        region: usize,
        settled: &mut VecDeque<usize>,
    ) {
        let mut region = Some(region);
        while let Some(index) = region {
            let Some(state) = self.regions.get_mut(index) else { return };
            state.open = state.open.saturating_sub(1);
            if state.open > 0 || self.repeat(topology, decisions, index, settled) {
                return;
            }
            if let Some(state) = self.regions.get_mut(index) {
                state.has_ended = true;
            }
            let Some(shape) = topology.region(index) else { return };
            for edge in &shape.exits {
                self.decide(topology, decisions, *edge, settled);
            }
            region = shape.parent;
        }
    }

    /// Starts the next iteration of a loop, if one of its edges fires. Returns false if the loop ends.
    fn repeat(
        &mut self,
        topology: &Topology,
        decisions: &dyn Decisions,
        index: usize,
        settled: &mut VecDeque<usize>,
    ) -> bool {
        let (Some(shape), Some(state)) = (topology.region(index), self.regions.get(index)) else { return false };
        if index == ROOT {
            return false;
        }
        let iteration = state.iteration;
        let fires = |edge: &usize| {
            let Some(shape) = topology.edge(*edge) else { return false };
            let EdgeKind::Loop { max } = shape.kind else { return false };
            let source = self.node(shape.from).map(|node| &node.status);
            source == Some(&NodeStatus::Completed) && iteration < max && decisions.holds(*edge)
        };
        let fired: Vec<usize> = shape.reentries.iter().copied().filter(fires).collect();
        if fired.is_empty() {
            return false;
        }
        self.reset(topology, index);
        if let (Some(state), members) = (self.regions.get_mut(index), shape.members) {
            *state = RegionRun { iteration: iteration.saturating_add(1), ..RegionRun::of(members) };
        }
        for edge in &shape.reentries {
            if let Some(token) = self.tokens.get_mut(*edge) {
                *token = Some(fired.contains(edge));
            }
        }
        for node in &shape.nodes {
            if self.start_again(topology, index, *node) {
                settled.push_back(*node);
            }
        }
        true
    }

    /// Clears the nodes, edges and loops in a loop. Edges from outside of it stay as they are.
    fn reset(&mut self, topology: &Topology, region: usize) {
        let Some(shape) = topology.region(region) else { return };
        for inner in &shape.inner {
            if let (Some(state), Some(inner)) = (self.regions.get_mut(*inner), topology.region(*inner)) {
                *state = RegionRun::of(inner.members);
            }
        }
        for index in &shape.nodes {
            let Some(node_shape) = topology.node(*index) else { continue };
            let (mut fired, mut decided) = (usize::from(node_shape.is_entry), usize::from(node_shape.is_entry));
            for (edge, counts) in node_shape.edges_in() {
                let is_inner = topology.edge(edge).is_some_and(|edge| topology.is_within(edge.from, region));
                let Some(token) = self.tokens.get_mut(edge) else { continue };
                if is_inner {
                    *token = None;
                } else if counts {
                    decided += usize::from(token.is_some());
                    fired += usize::from(*token == Some(true));
                }
            }
            if let Some(node) = self.nodes.get_mut(*index) {
                node.status = NodeStatus::Pending;
                (node.fired, node.decided) = (fired, decided);
            }
        }
    }

    /// Decides about a node at the start of an iteration: a target of the loop's edges runs, others wait for nodes of the loop.
    /// Returns true if the node is skipped, since nothing in the loop leads to it in this iteration.
    fn start_again(&mut self, topology: &Topology, region: usize, index: usize) -> bool {
        let Some(shape) = topology.node(index) else { return false };
        let reentries = topology.region(region).map(|region| region.reentries.as_slice()).unwrap_or_default();
        if shape.reentries.iter().any(|edge| reentries.contains(edge) && self.has_fired(*edge)) {
            self.enter(topology, index);
            return false;
        }
        let from_within = |edge: &usize| topology.edge(*edge).is_some_and(|edge| topology.is_within(edge.from, region));
        if shape.inputs.iter().any(from_within) {
            return self.join(topology, index);
        }
        self.skip(index);
        true
    }

    /// Removes what is ready of a node, and what waits.
    pub(crate) fn withdraw(&mut self, index: usize) {
        self.ready.retain(|(ready, _): &Key| *ready != index);
        if let Some(node) = self.nodes.get_mut(index) {
            node.waiting.clear();
        }
    }
}

/// Decides about a node with `all` edges, of which some are decided, and some of those have fired.
fn joined(join: Join, all: usize, fired: usize, decided: usize) -> Joined {
    let undecided = all.saturating_sub(decided);
    let needed = match join {
        Join::All if undecided > 0 => return Joined::Waits,
        Join::All | Join::Any => 1,
        Join::AtLeast(count) => count,
    };
    if fired >= needed {
        Joined::Runs
    } else if fired + undecided < needed {
        Joined::IsSkipped
    } else {
        Joined::Waits
    }
}
