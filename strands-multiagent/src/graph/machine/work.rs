//! Start of a node: its input, the items of its list, and its work for the driver.

use std::sync::Arc;

use strands_core::message::{Message, Role};
use strands_core::multiagent::NodeStatus;
use strands_core::{AgentEvent, Prompt};

use super::GraphRun;
use crate::graph::definition::GraphState;
use crate::graph::run::{Activity, ActivityStatus, Key};
use crate::machine::{Executor, Work};
use crate::node::{Body, NodeContext, NodeError, NodeInput, NodeSource, Update};

impl<S: GraphState> GraphRun<S> {
    /// Starts a node, or an item of it. `None` if there is nothing to run, since the list is empty or was not made.
    pub(super) fn begin(&mut self, key: Key, events: &mut Vec<AgentEvent>) -> Option<Work<Update<S>>> {
        let (index, item) = key;
        let definition = Arc::clone(&self.definition);
        let node = definition.node(index)?;
        let mut input = NodeInput::new(self.run.task.clone(), self.sources(key));
        if self.run.node(index).is_some_and(|node| !node.has_begun) {
            match node.items.as_ref().map(|items| items(&self.state, &input)) {
                None => self.enter(index, 1),
                Some(Ok(items)) => {
                    let count = items.len();
                    self.enter(index, count);
                    self.run.nodes.get_mut(index)?.items = Some(items);
                    if count == 0 {
                        self.complete(index, events);
                        return None;
                    }
                    let concurrency = node.concurrency.min(count);
                    // In front of other nodes, since this one is already at its turn.
                    (1..concurrency).rev().for_each(|item| self.run.ready.push_front((index, item)));
                    self.run.nodes.get_mut(index)?.waiting = (concurrency..count).collect();
                }
                Some(Err(error)) => {
                    self.enter(index, 0);
                    self.fail(index, error, events);
                    return None;
                }
            }
        }
        let state = self.run.nodes.get_mut(index)?;
        if node.items.is_some() && state.running >= node.concurrency {
            state.waiting.push_back(item);
            return None;
        }
        let item_value = match &state.items {
            Some(items) => Some(items.get(item)?.clone()),
            None => None,
        };
        let activity = state.activities.get_mut(item).filter(|activity| activity.status == ActivityStatus::Ready)?;
        activity.status = ActivityStatus::Started;
        activity.attempts = activity.attempts.saturating_add(1);
        let (attempt, ended, is_resumed) = (activity.attempts, activity.ended, activity.is_suspended);
        let new_responses = activity.new_responses();
        let responses = activity.responses.clone();
        let goes_on = activity.goes_on();
        let continuation = if goes_on { activity.continuation.clone() } else { state.kept.clone() };
        input.item = item_value;
        state.running += 1;
        self.run.running += 1;
        let visits = state.visits;
        let id = &definition.topology.node(index)?.id;
        let from = input.from.iter().map(|source| Arc::clone(&source.node)).collect();
        let prompt = match (&node.body, &node.input) {
            (Body::Agent { .. }, _) if goes_on => Prompt::none(),
            (Body::Agent { .. }, Some(prompt)) => prompt(&self.state, &input),
            (_, _) => input.prompt(),
        };
        Some(Work {
            key,
            id: Arc::clone(id),
            item: input.item.as_ref().map(|_| item),
            node: if input.item.is_some() { format!("{id}[{item}]").into() } else { Arc::clone(id) },
            attempt,
            from,
            prompt,
            visit: format!("{}.{visits}", self.run.id).into(),
            start: format!("{visits}.{ended}"),
            is_first: self.run.is_first && visits <= 1,
            responses,
            new_responses,
            continuation,
            is_resumed,
            executor: self.executor(&node.body, &node.apply, input),
            policy: node.policy,
        })
    }

    /// Creates the activities of a visit.
    fn enter(&mut self, index: usize, count: usize) {
        self.errors.remove(&index);
        if let Some(node) = self.run.nodes.get_mut(index) {
            (node.has_begun, node.completed, node.has_failed) = (true, 0, false);
            node.activities = (0..count).map(|item| Activity::after(node.activities.get(item))).collect();
        }
    }

    /// Returns the outputs of the sources of a node whose edges have fired. The items of a list share them.
    fn sources(&mut self, (index, _): Key) -> Vec<NodeSource> {
        let visit = self.run.node(index).map_or(0, |node| node.visits);
        if let Some((_, sources)) = self.sources.get(&index).filter(|(of, _)| *of == visit) {
            return sources.clone();
        }
        let sources = self.outputs(index);
        if self.definition.node(index).is_some_and(|node| node.items.is_some()) {
            self.sources.insert(index, (visit, sources.clone()));
        }
        sources
    }

    fn outputs(&self, index: usize) -> Vec<NodeSource> {
        let topology = &self.definition.topology;
        let mut outputs = Vec::new();
        let sources = self.run.node(index).map(|node| node.sources.as_slice()).unwrap_or_default();
        for &source in sources {
            let Some(node) = self.run.node(source) else { continue };
            let result = node.result.as_ref();
            let failure = result.and_then(|result| result.error.as_deref());
            let (message, output) = match (&node.status, failure) {
                (NodeStatus::Failed, Some(error)) => {
                    let text = format!("{} failed: {error}", topology.id(source));
                    (Arc::new(Message::new(Role::Assistant, [text])), None)
                }
                _ => (node.message(), result.and_then(|result| result.output.clone()).map(Arc::new)),
            };
            outputs.push(NodeSource { node: topology.id(source), message, output });
        }
        outputs
    }

    fn executor(&self, body: &Body<S>, apply: &[crate::node::Apply<S>], input: NodeInput) -> Executor<Update<S>> {
        let apply: Vec<_> = apply.to_vec();
        let read =
            Arc::new(move |result: &_| apply.iter().map(|apply| apply(result)).collect::<Result<Vec<_>, NodeError>>());
        match body {
            Body::Agent { agent, prepare, .. } => {
                Executor::Agent { agent: Arc::clone(agent), prepare: Arc::clone(prepare), read }
            }
            Body::Function(run) => {
                let (run, state) = (Arc::clone(run), Arc::clone(&self.state));
                let call = Arc::new(move |call| run(NodeContext { call, state: Arc::clone(&state) }, input.clone()));
                Executor::Function { call, read }
            }
        }
    }
}
