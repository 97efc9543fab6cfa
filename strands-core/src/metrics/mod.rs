//! Metrics of an agent: tokens, durations and tool calls, accumulated over its lifetime.

mod display;
mod read;
mod summary;
mod trace;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};
use uuid::Uuid;

pub use crate::usage::{ModelMetrics, ProviderUsage, Usage};
pub use summary::{AccumulatedMetrics, ExecutionStats, InvocationSummary, MetricsSummary, ToolInfo, ToolUsage};
pub use trace::Trace;

use crate::message::{Message, ToolUse, random_uuid};

/// Metrics accumulated over an agent's lifetime. Their JSON is that of the [`summary`](Self::summary), in both directions.
///
/// Sums cover everything. Only the newest invocations and traces are retained
/// ([`AgentBuilder::trace_limit`](crate::AgentBuilder::trace_limit)), so memory stays bounded.
#[derive(Clone, Debug, Default)]
pub struct EventLoopMetrics {
    cycles: u64,
    time: Duration,
    tools: IndexMap<String, ToolMetrics>,
    usage: Usage,
    latency_ms: u64,
    invocations: VecDeque<Arc<InvocationMetrics>>,
    traces: VecDeque<Arc<Trace>>,
    limit: usize,
}

#[derive(Clone, Debug)]
struct ToolMetrics {
    last_call: Arc<ToolUse>,
    successes: u64,
    errors: u64,
    time: Duration,
}

impl ToolMetrics {
    fn add(&mut self, call: &Arc<ToolUse>, success: bool, took: Duration) {
        self.last_call = Arc::clone(call);
        if success {
            self.successes += 1;
        } else {
            self.errors += 1;
        }
        self.time = self.time.saturating_add(took);
    }
}

#[derive(Clone, Debug, Default)]
struct InvocationMetrics {
    usage: Usage,
    cycles: VecDeque<CycleMetrics>,
}

/// One model call of an invocation.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct CycleMetrics {
    /// Id of the cycle.
    #[schemars(with = "String", extend("format" = "uuid"))]
    pub event_loop_cycle_id: Uuid,
    /// Tokens of the model call.
    pub usage: Usage,
}

impl EventLoopMetrics {
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, ..Self::default() }
    }

    /// Returns the number of cycles.
    pub fn cycle_count(&self) -> u64 {
        self.cycles
    }

    /// Returns the tokens of all model calls.
    pub fn accumulated_usage(&self) -> Usage {
        self.usage
    }

    /// Returns the total duration of all cycles, tools included.
    pub fn total_duration(&self) -> Duration {
        self.time
    }

    /// Returns the traces of the newest cycles, oldest first.
    pub fn traces(&self) -> impl Iterator<Item = &Trace> {
        self.traces.iter().map(|trace| &**trace)
    }

    pub(crate) fn begin_invocation(&mut self) {
        push_bounded(&mut self.invocations, Arc::default(), self.limit);
    }

    pub(crate) fn begin_cycle(&mut self) {
        self.cycles += 1;
        push_bounded(&mut self.traces, Arc::new(Trace::cycle(self.cycles)), self.limit);
        let cycle = CycleMetrics { event_loop_cycle_id: random_uuid(), usage: Usage::default() };
        let limit = self.limit;
        if let Some(invocation) = self.invocations.back_mut() {
            push_bounded(&mut Arc::make_mut(invocation).cycles, cycle, limit);
        }
    }

    pub(crate) fn end_cycle(&mut self, took: Duration) {
        self.time = self.time.saturating_add(took);
        if let Some(trace) = self.traces.back_mut() {
            Arc::make_mut(trace).end();
        }
    }

    /// Adds the usage of a model call, successful or not.
    pub(crate) fn add_usage(&mut self, usage: Usage, latency_ms: u64) {
        self.usage.add(usage);
        self.latency_ms = self.latency_ms.saturating_add(latency_ms);
        if let Some(invocation) = self.invocations.back_mut().map(Arc::make_mut) {
            invocation.usage.add(usage);
            if let Some(cycle) = invocation.cycles.back_mut() {
                cycle.usage.add(usage);
            }
        }
    }

    pub(crate) fn add_model_call(&mut self, message: &Arc<Message>, took: Duration) {
        if let Some(cycle) = self.traces.back_mut().map(Arc::make_mut) {
            cycle.add_model_call(Arc::clone(message), took);
        }
    }

    /// Adds a call of a registered tool.
    pub(crate) fn add_tool_call(&mut self, call: &Arc<ToolUse>, success: bool, took: Duration) {
        if let Some(tool) = self.tools.get_mut(&call.name) {
            tool.add(call, success, took);
        } else {
            let mut first = ToolMetrics { last_call: Arc::clone(call), successes: 0, errors: 0, time: Duration::ZERO };
            first.add(call, success, took);
            self.tools.insert(call.name.clone(), first);
        }
        if let Some(cycle) = self.traces.back_mut().map(Arc::make_mut) {
            cycle.add_tool_call(Arc::clone(call), took);
        }
    }
}

fn push_bounded<T>(queue: &mut VecDeque<T>, item: T, limit: usize) {
    while queue.len() >= limit.max(1) {
        queue.pop_front();
    }
    queue.push_back(item);
}

impl Serialize for EventLoopMetrics {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.summary().serialize(serializer)
    }
}

/// Implements `JsonSchema` for a type by that of another with the same JSON.
macro_rules! schema_as {
    ($type:ty, $name:literal, $json:ty) => {
        impl schemars::JsonSchema for $type {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                $name.into()
            }

            fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
                <$json>::json_schema(generator)
            }
        }
    };
}

use schema_as;

schema_as!(EventLoopMetrics, "EventLoopMetrics", MetricsSummary<'static>);
