//! Changes of a run from outside: one that was stored by another program, whose rules may differ, or that is given up.

use std::collections::VecDeque;

use strands_core::multiagent::NodeStatus;

use super::{Run, Topology};

impl Run {
    /// Makes a node ready, whatever its edges say. One that has ended runs again.
    pub(crate) fn enter_again(&mut self, topology: &Topology, index: usize) {
        let Some(status) = self.node(index).map(|node| node.status.clone()) else { return };
        match status {
            NodeStatus::Executing => return,
            NodeStatus::Pending => {}
            _ => self.reopen(topology, index),
        }
        self.enter(topology, index);
    }

    /// Takes back that a node has ended.
    fn reopen(&mut self, topology: &Topology, index: usize) {
        let Some(shape) = topology.node(index) else { return };
        for edge in &shape.outputs {
            let token = self.tokens.get_mut(*edge).and_then(Option::take);
            let target = topology.edge(*edge).and_then(|edge| self.nodes.get_mut(edge.to));
            if let (Some(fired), Some(target)) = (token, target) {
                target.decided = target.decided.saturating_sub(1);
                target.fired = target.fired.saturating_sub(usize::from(fired));
            }
        }
        let mut region = Some(shape.region);
        while let Some((at, state)) = region.and_then(|at| Some((at, self.regions.get_mut(at)?))) {
            state.open += 1;
            let had_ended = std::mem::take(&mut state.has_ended);
            region = topology.region(at).and_then(|region| region.parent).filter(|_| had_ended);
        }
    }

    /// Ends the run: no other node runs, and no interrupt is pending.
    pub(crate) fn end(&mut self, topology: &Topology) {
        (self.ready, self.failed, self.running) = (VecDeque::new(), Vec::new(), 0);
        for node in self.nodes.iter_mut().filter(|node| !node.has_ended()) {
            node.status = NodeStatus::Skipped;
            (node.activities, node.waiting, node.running) = (Vec::new(), VecDeque::new(), 0);
        }
        for token in &mut self.tokens {
            token.get_or_insert(false);
        }
        for (state, _) in self.regions.iter_mut().zip(&topology.regions) {
            (state.open, state.has_ended) = (0, true);
        }
    }
}
