//! Events of a run of nodes, which node hooks observe and control.

use std::borrow::Cow;
use std::error::Error as StdError;

use serde_json::Value;

use super::{MultiAgentContext, NodeResult};
use crate::event::AgentResponse;
use crate::interrupt::{Interrupt, InterruptResponse};
use crate::outcome::AgentError;
use crate::prompt::Prompt;

/// Event before a run, or before its continuation.
#[derive(Debug)]
#[non_exhaustive]
pub struct BeforeRun<'a> {
    /// The run and injected values.
    pub context: &'a MultiAgentContext,
    /// The task. Empty if a run is continued.
    pub prompt: &'a mut Prompt,
    /// Responses to the interrupts of an earlier run.
    pub responses: &'a [InterruptResponse],
}

impl<'a> BeforeRun<'a> {
    /// Creates an event, for a custom orchestrator.
    pub fn new(context: &'a MultiAgentContext, prompt: &'a mut Prompt, responses: &'a [InterruptResponse]) -> Self {
        Self { context, prompt, responses }
    }
}

/// Event before a node runs.
#[derive(Debug)]
#[non_exhaustive]
pub struct BeforeNode<'a> {
    /// The run and injected values; trace and cancellation are those of the node.
    pub context: &'a MultiAgentContext,
    /// Id of the node.
    pub node: &'a str,
    /// Zero-based index of the item, if the node runs once for each item of a list.
    pub item: Option<usize>,
    /// One-based number of the attempt, over all starts of the node in this run.
    pub attempt: u32,
    /// Prompt of the node. Empty if the node goes on: after an interrupt, or as a graph or a swarm that was stopped.
    pub prompt: &'a mut Prompt,
    /// If set, the node does not run, and fails with this reason. It is not repeated.
    pub deny: Option<String>,
    responses: &'a [InterruptResponse],
    visit: Option<&'a str>,
    interrupts: Vec<Interrupt>,
}

impl<'a> BeforeNode<'a> {
    /// Creates an event, for a custom orchestrator. `responses` are those to interrupts of this node.
    pub fn new(
        context: &'a MultiAgentContext,
        node: &'a str,
        attempt: u32,
        prompt: &'a mut Prompt,
        responses: &'a [InterruptResponse],
    ) -> Self {
        Self { context, node, item: None, attempt, prompt, deny: None, responses, visit: None, interrupts: Vec::new() }
    }

    /// Sets the zero-based index of an item of the node's list, for a custom orchestrator.
    #[must_use]
    pub fn of_item(mut self, item: usize) -> Self {
        self.item = Some(item);
        self
    }

    /// Returns the name in paths of events and in ids of interrupts: the id of the node, and the index of the item in `check[0]`.
    pub fn name(&self) -> Cow<'a, str> {
        name_of(self.node, self.item)
    }

    /// Sets a text that differs each time that the node is reached, in a loop or in a later run, for a custom orchestrator. The ids of
    /// interrupts depend on it, so that a late response to an earlier interrupt does not count for a new one. Without it, they are
    /// those of Strands.
    #[must_use]
    pub fn of_visit(mut self, visit: &'a str) -> Self {
        self.visit = Some(visit);
        self
    }

    /// Raises an interrupt before the node, and returns the response if there is one. Otherwise the node does not run yet. Other nodes
    /// go on, and the run ends with [`StopReason::Interrupt`](crate::models::StopReason::Interrupt). The hook runs again when the run
    /// is resumed.
    pub fn interrupt(&mut self, name: &str, reason: impl Into<Value>) -> Option<Value> {
        let node = self.name();
        let interrupt = Interrupt::before_visit(&node, self.visit, name.to_owned(), reason.into());
        // All of them are of this visit: those with an id of Strands are to interrupts that it has raised.
        let of_strands = Interrupt::before_node(&node, name, Value::Null);
        let is_to_it =
            |response: &&InterruptResponse| [&interrupt.id, &of_strands.id].contains(&&response.interrupt_id);
        let response = self.responses.iter().rev().find(is_to_it);
        if response.is_none() && self.interrupts.iter().all(|raised| raised.id != interrupt.id) {
            self.interrupts.push(interrupt);
        }
        response.map(|response| response.response.clone())
    }

    /// Returns the interrupts that hooks have raised, for a custom orchestrator.
    pub fn take_interrupts(&mut self) -> Vec<Interrupt> {
        std::mem::take(&mut self.interrupts)
    }
}

/// Event after a node has run.
#[derive(Debug)]
#[non_exhaustive]
pub struct AfterNode<'a> {
    /// The run and injected values; trace and cancellation are those of the node.
    pub context: &'a MultiAgentContext,
    /// Id of the node.
    pub node: &'a str,
    /// Zero-based index of the item, if the node runs once for each item of a list.
    pub item: Option<usize>,
    /// One-based number of the attempt, over all starts of the node in this run.
    pub attempt: u32,
    /// The result: completed, failed, interrupted or stopped.
    pub result: &'a NodeResult,
    /// The failure, if the node failed.
    pub error: Option<&'a (dyn StdError + Send + Sync + 'static)>,
    /// If set, a node that failed runs again, at most 8 times in a row. Has no effect otherwise, nor on a node that may run only once.
    pub retry: bool,
}

impl<'a> AfterNode<'a> {
    /// Creates an event, for a custom orchestrator. `retry` tells what happens unless a hook changes it.
    pub fn new(
        context: &'a MultiAgentContext,
        node: &'a str,
        attempt: u32,
        result: &'a NodeResult,
        error: Option<&'a (dyn StdError + Send + Sync + 'static)>,
        retry: bool,
    ) -> Self {
        Self { context, node, item: None, attempt, result, error, retry }
    }

    /// Returns the name in paths of events: the id of the node, and the index of the item in `check[0]`.
    pub fn name(&self) -> Cow<'a, str> {
        name_of(self.node, self.item)
    }
}

fn name_of(node: &str, item: Option<usize>) -> Cow<'_, str> {
    match item {
        Some(item) => Cow::Owned(format!("{node}[{item}]")),
        None => Cow::Borrowed(node),
    }
}

/// Event before a member of a swarm hands over to another one.
#[derive(Debug)]
#[non_exhaustive]
pub struct BeforeHandoff<'a> {
    /// The run and injected values.
    pub context: &'a MultiAgentContext,
    /// Id of the member that hands over.
    pub from: &'a str,
    /// Id of the member that is next.
    pub to: &'a str,
    /// Message for the next member.
    pub message: &'a str,
    /// If set, there is no handoff, and the member gets this reason as the error of its call.
    pub deny: Option<String>,
}

impl<'a> BeforeHandoff<'a> {
    /// Creates an event, for a custom orchestrator.
    pub fn new(context: &'a MultiAgentContext, from: &'a str, to: &'a str, message: &'a str) -> Self {
        Self { context, from, to, message, deny: None }
    }
}

/// Event after a run, successful or not.
#[derive(Debug)]
#[non_exhaustive]
pub struct AfterRun<'a> {
    /// The run and injected values.
    pub context: &'a MultiAgentContext,
    /// The response, or the error.
    pub outcome: Result<&'a AgentResponse, &'a AgentError>,
}

impl<'a> AfterRun<'a> {
    /// Creates an event, for a custom orchestrator.
    pub fn new(context: &'a MultiAgentContext, outcome: Result<&'a AgentResponse, &'a AgentError>) -> Self {
        Self { context, outcome }
    }
}
