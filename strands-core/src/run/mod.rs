//! The agent loop as a state machine without I/O: it returns the next step and takes the outcome. The same machine serves
//! streamed and awaited invocations, resumption in another process, and durable engines.

mod nested_calls;
mod output;
mod pending_tools;
mod record;
pub(crate) mod stored;
pub(crate) mod strands;
mod transitions;

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use output::Output;
pub(crate) use output::OutputTool;
pub(crate) use pending_tools::{CallStatus, PendingCall, PendingTools, UnknownInterrupt};
pub(crate) use transitions::{MissingOutput, Step};

use crate::limits::Limits;
use crate::message::{Message, SystemBlock};
use crate::models::StopReason;
use crate::nesting::Spent;
use crate::trace_context::TraceContext;
use crate::usage::Usage;

/// State of one invocation between two steps. A session stores it for a suspended or running invocation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Run {
    phase: Phase,
    limits: Limits,
    turns: u32,
    usage: Usage,
    /// Usage of nested agents.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    nested: Option<Box<Spent>>,
    /// Active time of the invocation, without the time while it was suspended.
    #[serde(default)]
    elapsed: Duration,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    output: Option<Box<Output>>,
    /// A prompt to add to the history after the results of the pending calls.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    prompt: Vec<Message>,
    /// Number of model calls, for the names of journal steps.
    #[serde(default)]
    model_calls: u32,
    /// Number of ended tool calls, for the names of journal steps.
    #[serde(default)]
    tool_steps: u32,
    /// Number of other journal steps.
    #[serde(default, skip_serializing_if = "is_zero")]
    journal_steps: u32,
    #[serde(default)]
    cycle: u32,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    hidden_tools: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    system: Option<Vec<SystemBlock>>,
    /// Position of the suspended invocation in a distributed trace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    trace: Option<Box<StoredTrace>>,
    /// Id of the first invocation, once the run was suspended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id: Option<Arc<str>>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct StoredTrace {
    traceparent: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Phase {
    Model,
    Tools(PendingTools),
    Done(StopReason),
}

impl Run {
    pub(crate) fn new(limits: Limits, output_tool: Option<OutputTool>) -> Self {
        Self {
            phase: Phase::Model,
            limits,
            turns: 0,
            usage: Usage::default(),
            nested: None,
            elapsed: Duration::ZERO,
            output: output_tool.map(Output::of).map(Box::new),
            prompt: Vec::new(),
            model_calls: 0,
            tool_steps: 0,
            journal_steps: 0,
            cycle: 0,
            hidden_tools: Vec::new(),
            system: None,
            trace: None,
            id: None,
        }
    }

    /// Returns the id of the first invocation, once the run was suspended.
    pub(crate) fn id(&self) -> Option<&Arc<str>> {
        self.id.as_ref()
    }

    /// Sets the id of the first invocation, unless it is set.
    pub(crate) fn set_id(&mut self, id: &Arc<str>) {
        self.id.get_or_insert_with(|| Arc::clone(id));
    }

    /// Returns the run of the next round of the same invocation: limits, usage, time and step numbers carry over.
    pub(crate) fn next_round(self, output_tool: Option<OutputTool>) -> Self {
        let output = output_tool.map(Output::of).map(Box::new);
        Self { phase: Phase::Model, output, prompt: Vec::new(), id: None, ..self }
    }

    /// Stores the options of the invocation: its hidden tools, and its own system prompt.
    pub(crate) fn set_options(&mut self, hidden_tools: &[String], system: Option<&Vec<SystemBlock>>) {
        (self.hidden_tools, self.system) = (hidden_tools.to_vec(), system.cloned());
    }

    /// Returns the hidden tools, and the invocation's own system prompt.
    pub(crate) fn options(&self) -> (Vec<String>, Option<Vec<SystemBlock>>) {
        (self.hidden_tools.clone(), self.system.clone())
    }

    /// Stores the position of the suspended invocation in a distributed trace.
    pub(crate) fn set_trace(&mut self, trace: Option<&TraceContext>) {
        self.trace = trace.map(|trace| Box::new(StoredTrace { traceparent: trace.traceparent().to_owned() }));
    }

    /// Returns the position of the suspended invocation in a distributed trace.
    pub(crate) fn trace(&self) -> Option<TraceContext> {
        self.trace.as_ref()?.traceparent.parse().ok()
    }

    /// Returns true if the next step is a model call, unless a limit is reached.
    pub(crate) fn is_calling_model(&self) -> bool {
        matches!(self.phase, Phase::Model)
    }

    /// Sets the calls of the last message as pending.
    pub(crate) fn with_open_calls(mut self, last: &Message) -> Self {
        if let Some(pending) = PendingTools::of(last) {
            self.phase = Phase::Tools(pending);
        }
        self
    }

    /// Replaces the limits.
    pub(crate) fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
    }

    pub(crate) fn limits(&self) -> Limits {
        self.limits
    }

    /// Replaces the requested structured output.
    pub(crate) fn set_output(&mut self, tool: OutputTool) {
        if self.output_tool().is_none_or(|current| !current.is_same_output(&tool)) {
            self.output = Some(Box::new(Output::of(tool)));
        }
    }

    /// Queues a prompt until the pending calls have results.
    pub(crate) fn queue_prompt(&mut self, prompt: Vec<Message>) {
        self.prompt.extend(prompt);
    }

    pub(crate) fn take_prompt(&mut self) -> Vec<Message> {
        std::mem::take(&mut self.prompt)
    }

    pub(crate) fn has_prompt(&self) -> bool {
        !self.prompt.is_empty()
    }

    /// Returns the one-based number of the current cycle: a model call, and the tool calls of its response.
    pub(crate) fn cycle(&self) -> u32 {
        self.cycle
    }

    /// Starts a cycle and returns its number.
    pub(crate) fn begin_cycle(&mut self) -> u32 {
        self.cycle = self.turns.saturating_add(1);
        self.cycle
    }

    /// Returns the one-based number of the next model call.
    pub(crate) fn next_model_call(&mut self) -> u32 {
        self.model_calls = self.model_calls.saturating_add(1);
        self.model_calls
    }

    /// Returns the one-based number of the next tool call to end.
    pub(crate) fn next_tool_step(&mut self) -> u32 {
        self.tool_steps = self.tool_steps.saturating_add(1);
        self.tool_steps
    }

    /// Returns the number of journal steps that are neither model calls nor tool calls.
    pub(crate) fn journal_steps(&self) -> u32 {
        self.journal_steps
    }

    /// Sets the number of journal steps that are neither model calls nor tool calls.
    pub(crate) fn set_journal_steps(&mut self, steps: u32) {
        self.journal_steps = steps;
    }

    /// Returns the numbers of model calls and of ended tool calls so far.
    pub(crate) fn steps(&self) -> (u32, u32) {
        (self.model_calls, self.tool_steps)
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.elapsed
    }

    pub(crate) fn add_elapsed(&mut self, time: Duration) {
        self.elapsed = self.elapsed.saturating_add(time);
    }

    /// Returns the calls of the current turn, in the tool phase.
    pub(crate) fn pending(&self) -> Option<&PendingTools> {
        match &self.phase {
            Phase::Tools(pending) => Some(pending),
            Phase::Model | Phase::Done(_) => None,
        }
    }

    pub(crate) fn pending_mut(&mut self) -> Option<&mut PendingTools> {
        match &mut self.phase {
            Phase::Tools(pending) => Some(pending),
            Phase::Model | Phase::Done(_) => None,
        }
    }

    pub(crate) fn turns(&self) -> u32 {
        self.turns
    }

    /// Returns the usage of the invocation itself.
    pub(crate) fn own_spent(&self) -> Spent {
        Spent { turns: self.turns, usage: self.usage, ..Spent::default() }
    }

    /// Returns the usage of the invocation including nested agents.
    pub(crate) fn spent(&self) -> Spent {
        let mut spent = self.own_spent();
        spent.add(self.nested.as_deref().copied().unwrap_or_default());
        spent
    }

    /// Sets the usage of the invocation including nested agents.
    pub(crate) fn set_spent(&mut self, spent: Spent) {
        let nested = spent.beyond(self.own_spent());
        self.nested = (!nested.is_nothing()).then(|| Box::new(nested));
    }

    /// Adds the usage of a model call without a response.
    pub(crate) fn charge(&mut self, usage: Usage) {
        self.usage.add(usage);
    }
}

/// Returns true for a field that need not be stored.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature of `skip_serializing_if`")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

#[cfg(test)]
mod tests;
