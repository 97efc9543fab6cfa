//! End of a node: its result, changes of the state, and what happens after a failure.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::Value;
use strands_core::AgentEvent;
use strands_core::message::{Message, Role};
use strands_core::multiagent::{NodeResult, NodeStatus};

use super::GraphRun;
use crate::graph::definition::GraphState;
use crate::graph::run::{Activity, ActivityStatus, Key};
use crate::machine::Ended;
use crate::node::{Failure, NodeError, Update};

/// Text of a failure that left none.
const UNKNOWN_FAILURE: &str = "no reason given";

impl<S: GraphState> GraphRun<S> {
    /// Records the end of a node, or of an item of it.
    pub(super) fn end(&mut self, ended: Ended<Update<S>>, events: &mut Vec<AgentEvent>) {
        let Ended { key, mut result, updates, continuation, is_suspended, is_unchanged, error } = ended;
        let (index, item) = key;
        let definition = Arc::clone(&self.definition);
        let Some(definition) = definition.node(index) else { return };
        let Some(node) = self.run.nodes.get_mut(index) else { return };
        node.running = node.running.saturating_sub(1);
        node.spent.usage.add(result.usage);
        node.spent.turns = node.spent.turns.saturating_add(result.turns);
        node.spent.elapsed = node.spent.elapsed.saturating_add(result.duration);
        let is_list = node.items.is_some();
        let Some(activity) = node.activities.get_mut(item) else { return };
        let has_begun = result.attempts > 0;
        activity.attempts = activity.attempts.saturating_add(result.attempts.saturating_sub(1));
        result.attempts = activity.attempts;
        activity.ended = activity.ended.saturating_add(1);
        match result.status {
            NodeStatus::Completed => {
                activity.status = ActivityStatus::Completed;
                (activity.result, activity.continuation) = (Some(result), None);
                (activity.responses, activity.is_suspended) = (Vec::new(), false);
                activity.asked = Vec::new();
                node.completed += 1;
                if definition.policy.keeps_conversation && !is_list {
                    node.kept = continuation;
                }
                if !updates.is_empty() {
                    let state = Arc::make_mut(&mut self.state);
                    updates.into_iter().for_each(|update| update(state));
                }
            }
            NodeStatus::Interrupted if is_unchanged => activity.refuse(),
            NodeStatus::Interrupted => activity.interrupt(result, continuation, is_suspended),
            NodeStatus::Stopped => {
                if activity.stop(definition.policy.runs_once, has_begun, continuation) {
                    self.run.ready.push_front(key);
                }
                return;
            }
            _ => {
                activity.status = ActivityStatus::Failed;
                // An agent that was interrupted goes on with the responses to those interrupts when it runs again.
                if !activity.is_suspended {
                    // A graph that was cut off begins anew: the state of its run may be what failed.
                    (activity.result, activity.continuation) = (Some(result), None);
                }
                node.has_failed = true;
                // Before the others have ended: no more items start.
                self.run.withdraw(index);
                let error = error.unwrap_or_else(|| NodeError::new(UNKNOWN_FAILURE));
                self.errors.entry(index).or_insert_with(|| Arc::new(error));
            }
        }
        self.advance(key, events);
    }

    /// Ends a node once all its activities have ended, or starts the next item of its list.
    fn advance(&mut self, (index, _): Key, events: &mut Vec<AgentEvent>) {
        let Some(node) = self.run.node(index) else { return };
        if node.has_failed {
            if node.activities.iter().all(|activity| activity.status != ActivityStatus::Started) {
                self.run.withdraw(index);
                if self.definition.node(index).is_some_and(|node| node.failure != Failure::Run) {
                    self.end_interrupted(index);
                }
                let error = self.errors.get(&index).cloned();
                let error = error.unwrap_or_else(|| Arc::new(NodeError::new(UNKNOWN_FAILURE)));
                self.record_failure(index, &error, events);
            }
        } else if node.completed == node.activities.len() {
            self.complete(index, events);
        } else {
            self.start_next_item(index);
        }
    }

    /// Ends the items that wait for responses, since the node has failed for good.
    fn end_interrupted(&mut self, index: usize) {
        let activities = self.run.nodes.get_mut(index).into_iter().flat_map(|node| &mut node.activities);
        for activity in activities.filter(|activity| activity.status == ActivityStatus::Interrupted) {
            *activity = Activity { status: ActivityStatus::Failed, ..Activity::after(Some(activity)) };
        }
    }

    /// Makes the next item of a list ready, in place of one that has ended.
    fn start_next_item(&mut self, index: usize) {
        if let Some(node) = self.run.nodes.get_mut(index)
            && let Some(next) = node.waiting.pop_front()
        {
            self.run.ready.push_front((index, next));
        }
    }

    /// Records that a node has completed, with the output of all its activities.
    pub(super) fn complete(&mut self, index: usize, events: &mut Vec<AgentEvent>) {
        let Some(node) = self.run.nodes.get_mut(index) else { return };
        let results: Vec<&NodeResult> =
            node.activities.iter().filter_map(|activity| activity.result.as_ref()).collect();
        let mut result = match (&node.items, results.as_slice()) {
            (None, [only]) => NodeResult::clone(only),
            (_, results) => of_list(results),
        };
        (result.usage, result.turns, result.duration) = (node.spent.usage, node.spent.turns, node.spent.elapsed);
        result.attempts = node.activities.iter().map(|activity| activity.attempts).sum();
        // The results of a list are part of the result now, and its items are not needed any more.
        node.activities.iter_mut().for_each(|activity| activity.result = None);
        node.items = None;
        (node.status, node.result) = (NodeStatus::Completed, Some(result));
        self.run.order.push(index);
        self.settle(index, events);
    }

    /// Records that a node failed before it started.
    pub(super) fn fail(&mut self, index: usize, error: NodeError, events: &mut Vec<AgentEvent>) {
        let error = Arc::new(error);
        self.errors.insert(index, Arc::clone(&error));
        self.record_failure(index, &error, events);
    }

    /// Records that a node failed for good.
    fn record_failure(&mut self, index: usize, error: &NodeError, events: &mut Vec<AgentEvent>) {
        let Some(node) = self.run.nodes.get_mut(index) else { return };
        let mut result = NodeResult::new(NodeStatus::Failed);
        result.error = Some(error.text());
        (result.usage, result.turns, result.duration) = (node.spent.usage, node.spent.turns, node.spent.elapsed);
        result.attempts = node.activities.iter().map(|activity| activity.attempts).sum();
        (node.status, node.result) = (NodeStatus::Failed, Some(result));
        match self.definition.node(index).map(|node| &node.failure) {
            Some(Failure::Skip | Failure::Route(_)) => self.settle(index, events),
            // Its edges stay undecided: the run can go on after the node has run again.
            _ => self.run.failed.push(index),
        }
    }

    /// Makes nodes ready again that had started, or failed, when the run was stored.
    pub(super) fn repeat(&mut self, events: &mut Vec<AgentEvent>) {
        self.run.running = 0;
        let (mut unknown, mut failed_once) = (Vec::new(), BTreeSet::new());
        let failed = std::mem::take(&mut self.run.failed);
        let mut again = Vec::new();
        for (index, node) in self.run.nodes.iter_mut().enumerate() {
            let runs_once = self.definition.node(index).is_some_and(|node| node.policy.runs_once);
            let has_failed = failed.contains(&index);
            if node.status != NodeStatus::Executing && !has_failed {
                continue;
            }
            if has_failed && runs_once {
                self.run.failed.push(index);
                continue;
            }
            (node.status, node.has_failed) = (NodeStatus::Executing, false);
            if has_failed {
                // All its items are ready again.
                node.waiting.clear();
            }
            self.errors.remove(&index);
            // A list that could not be made is made again.
            node.has_begun &= !(has_failed && node.activities.is_empty());
            if !node.has_begun && has_failed {
                again.push((index, 0));
            }
            // Else they are those of its last visit.
            let current = node.activities.iter_mut().enumerate().take_while(|_| node.has_begun);
            for (item, activity) in current {
                match activity.status {
                    ActivityStatus::Started if runs_once => unknown.push((index, item)),
                    ActivityStatus::Failed if runs_once => {
                        failed_once.insert(index);
                    }
                    ActivityStatus::Started | ActivityStatus::Failed => {
                        activity.status = ActivityStatus::Ready;
                        again.push((index, item));
                    }
                    ActivityStatus::Ready if has_failed => again.push((index, item)),
                    ActivityStatus::Ready | ActivityStatus::Interrupted | ActivityStatus::Completed => {}
                }
            }
        }
        for key in again.into_iter().rev() {
            self.run.ready.push_front(key);
        }
        for (index, item) in unknown {
            if let Some(activity) = self.activity((index, item)) {
                activity.status = ActivityStatus::Failed;
            }
            self.errors.entry(index).or_insert_with(|| Arc::new(NodeError::OutcomeUnknown));
            failed_once.insert(index);
        }
        // Once for each node, after all of its items.
        for index in failed_once {
            let Some(node) = self.run.nodes.get_mut(index) else { continue };
            node.has_failed = true;
            let mut results = node.activities.iter().filter_map(|activity| activity.result.as_ref());
            let text = results.find_map(|result| result.error.clone()).unwrap_or_else(|| UNKNOWN_FAILURE.to_owned());
            self.errors.entry(index).or_insert_with(|| Arc::new(NodeError::new(text)));
            self.advance((index, 0), events);
        }
    }
}

/// Returns the result of a list: all outputs, in order.
fn of_list(results: &[&NodeResult]) -> NodeResult {
    let mut all = NodeResult::new(NodeStatus::Completed);
    let content: Vec<_> = results.iter().flat_map(|result| result.message.content.iter().cloned()).collect();
    all.message = Arc::new(Message::new(Role::Assistant, content));
    let output = |result: &&NodeResult| result.output.clone().unwrap_or_else(|| Value::String(result.text()));
    all.output = Some(results.iter().map(output).collect());
    all
}
