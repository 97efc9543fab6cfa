//! [`GraphRun`]: a run of a graph with its definition and its state, for the driver.

mod ends;
mod work;

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::Value;
use strands_core::message::{Message, Role};
use strands_core::multiagent::{NodeResult, NodeStatus};
use strands_core::{AgentError, AgentEvent, Continuation, InterruptResponse, Prompt, Promptable};
use uuid::Uuid;

use super::definition::{Conditions, Definition, GraphState};
use super::document;
use super::run::{Activity, Key, Run};
use crate::document::DocumentError;
use crate::machine::{Ended, Machine, Phase, RunFailure, Spent, Work};
use crate::node::{Body, NodeError, NodeSource, Update};

/// A run of a graph with a state of type `S`.
pub(crate) struct GraphRun<S> {
    pub(super) definition: Arc<Definition<S>>,
    pub(super) run: Run,
    pub(super) state: Arc<S>,
    /// Failures of this process.
    pub(super) errors: HashMap<usize, Arc<NodeError>>,
    /// Outputs before the lists that are in progress, with the visits of those.
    sources: HashMap<usize, (u32, Vec<NodeSource>)>,
    is_restored: bool,
}

impl<S: GraphState> GraphRun<S> {
    pub(super) fn new(definition: Arc<Definition<S>>, run: Run, state: Arc<S>, is_restored: bool) -> Self {
        Self { definition, run, state, errors: HashMap::new(), sources: HashMap::new(), is_restored }
    }

    fn activity(&mut self, (node, item): Key) -> Option<&mut Activity> {
        self.run.nodes.get_mut(node)?.activities.get_mut(item)
    }

    /// Records that a node has ended, with what follows from it.
    pub(super) fn settle(&mut self, node: usize, events: &mut Vec<AgentEvent>) {
        self.sources.remove(&node);
        let conditions = Conditions { definition: &*self.definition, state: &*self.state };
        for skipped in self.run.settle(&self.definition.topology, &conditions, node) {
            events.push(AgentEvent::NodeSkip { node: self.definition.topology.id(skipped) });
        }
    }
}

impl<S: GraphState> Machine for GraphRun<S> {
    type Update = Update<S>;

    fn id(&self) -> &str {
        &self.run.id
    }

    fn task(&self) -> &Prompt {
        &self.run.task
    }

    fn asked(&self) -> Option<Uuid> {
        self.run.asked
    }

    fn set_task(&mut self, task: Prompt, asked: Uuid) {
        (self.run.task, self.run.asked) = (task, Some(asked));
    }

    fn is_restored(&self) -> bool {
        self.is_restored
    }

    fn start(&mut self, most: usize, events: &mut Vec<AgentEvent>) -> Vec<Work<Update<S>>> {
        let mut works = Vec::new();
        while works.len() < most && self.run.failed.is_empty() {
            let Some(key) = self.run.ready.pop_front() else { break };
            works.extend(self.begin(key, events));
        }
        works
    }

    fn finish(&mut self, ended: Ended<Update<S>>) -> Vec<AgentEvent> {
        self.run.running = self.run.running.saturating_sub(1);
        let mut events = Vec::new();
        self.end(ended, &mut events);
        events
    }

    fn waiting(&self) -> Vec<(Arc<dyn Promptable>, Option<Continuation>)> {
        let nodes = self.definition.nodes.iter().zip(&self.run.nodes);
        let waiting = nodes.filter_map(|(node, run)| {
            let Body::Agent { agent, .. } = &node.body else { return None };
            // Also within a graph that was cut off.
            let suspended = run.activities.iter().filter(|activity| activity.goes_on());
            Some(suspended.map(|activity| (Arc::clone(agent), activity.continuation.clone())))
        });
        waiting.flatten().collect()
    }

    fn phase(&self) -> Phase {
        if !self.run.is_idle() {
            return Phase::Active;
        }
        if let Some(failed) = self.run.failed.first() {
            let error = match self.errors.get(failed) {
                Some(error) => RunFailure::Node(Arc::clone(error)),
                None => {
                    let result = self.run.node(*failed).and_then(|node| node.result.as_ref());
                    RunFailure::Earlier(result.and_then(|result| result.error.clone()).unwrap_or_default())
                }
            };
            return Phase::Failed { node: Some(self.definition.topology.id(*failed)), error };
        }
        if self.run.has_completed() {
            return Phase::Completed;
        }
        let interrupts = self.run.interrupts();
        if interrupts.is_empty() {
            return Phase::Failed { node: None, error: RunFailure::Stalled };
        }
        Phase::Interrupted(interrupts)
    }

    fn resume(&mut self, responses: &[InterruptResponse]) -> Result<(), AgentError> {
        let pending = self.run.interrupts();
        for response in responses {
            if pending.iter().all(|interrupt| interrupt.id != response.interrupt_id) {
                return Err(AgentError::UnknownInterrupt { id: response.interrupt_id.clone() });
            }
        }
        let mut resumed = Vec::new();
        let nodes = self.run.nodes.iter_mut().enumerate();
        for (index, node) in nodes.filter(|(_, node)| node.status == NodeStatus::Executing) {
            for (item, activity) in node.activities.iter_mut().enumerate() {
                if activity.resume(responses) {
                    resumed.push((index, item));
                }
            }
        }
        self.run.ready.extend(resumed);
        Ok(())
    }

    fn repeat_started(&mut self) -> Vec<AgentEvent> {
        let mut events = Vec::new();
        self.repeat(&mut events);
        events
    }

    fn spend(&mut self, spent: Spent) {
        self.run.spent = spent;
    }

    fn spent(&self) -> Spent {
        self.run.spent
    }

    fn response(&self) -> (Arc<Message>, Option<Value>) {
        let topology = &self.definition.topology;
        let ends = topology.nodes.iter().zip(&self.run.nodes).filter(|(shape, node)| {
            let leads_on = shape.outputs.iter().any(|edge| self.run.has_fired(*edge));
            // Other nodes of a loop may have led on from it.
            let mut around =
                std::iter::successors(topology.region(shape.region), |region| topology.region(region.parent?));
            let is_left = around.any(|region| region.exits.iter().any(|edge| self.run.has_fired(*edge)));
            node.status == NodeStatus::Completed && !leads_on && !is_left
        });
        let results: Vec<&NodeResult> = ends.filter_map(|(_, node)| node.result.as_ref()).collect();
        match results.as_slice() {
            [only] => (Arc::clone(&only.message), only.output.clone()),
            results => {
                let content = results.iter().flat_map(|result| result.message.content.iter().cloned());
                let content: Vec<_> = content.collect();
                (Arc::new(Message::new(Role::Assistant, content)), None)
            }
        }
    }

    fn document(&self, stored: Option<&Value>) -> Result<Value, DocumentError> {
        document::written(self, stored)
    }
}
