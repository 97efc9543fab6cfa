//! Deserialization of metrics. Averages and rates are recomputed.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, TryFromFloatSecsError};

use indexmap::IndexMap;
use serde::{Deserialize, Deserializer, de};
use serde_json::Value;

use super::{
    AccumulatedMetrics, CycleMetrics, EventLoopMetrics, ExecutionStats, InvocationMetrics, ToolMetrics, Trace, Usage,
};
use crate::message::ToolUse;

/// The fields of a [`MetricsSummary`](super::MetricsSummary) that are not computed from others.
#[derive(Deserialize)]
struct Summary {
    total_cycles: u64,
    total_duration: f64,
    tool_usage: IndexMap<String, ToolUsage>,
    accumulated_usage: Usage,
    accumulated_metrics: AccumulatedMetrics,
    agent_invocations: VecDeque<Invocation>,
    traces: VecDeque<Arc<Trace>>,
}

#[derive(Deserialize)]
struct ToolUsage {
    tool_info: ToolInfo,
    execution_stats: ExecutionStats,
}

#[derive(Deserialize)]
struct ToolInfo {
    tool_use_id: String,
    name: String,
    input_params: Value,
}

#[derive(Deserialize)]
struct Invocation {
    usage: Usage,
    cycles: VecDeque<CycleMetrics>,
}

impl<'de> Deserialize<'de> for EventLoopMetrics {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::try_from(Summary::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

impl TryFrom<Summary> for EventLoopMetrics {
    type Error = TryFromFloatSecsError;

    fn try_from(summary: Summary) -> Result<Self, Self::Error> {
        let tools = summary.tool_usage.into_iter().map(|(name, usage)| Ok((name, usage.try_into()?)));
        let invocations = summary.agent_invocations.into_iter().map(|invocation| Arc::new(invocation.into()));
        Ok(Self {
            cycles: summary.total_cycles,
            time: Duration::try_from_secs_f64(summary.total_duration)?,
            tools: tools.collect::<Result<_, _>>()?,
            usage: summary.accumulated_usage,
            latency_ms: summary.accumulated_metrics.latency_ms,
            invocations: invocations.collect(),
            limit: summary.traces.len(),
            traces: summary.traces,
        })
    }
}

impl TryFrom<ToolUsage> for ToolMetrics {
    type Error = TryFromFloatSecsError;

    fn try_from(usage: ToolUsage) -> Result<Self, Self::Error> {
        let ToolInfo { tool_use_id, name, input_params } = usage.tool_info;
        Ok(Self {
            last_call: Arc::new(ToolUse::new(tool_use_id, name, input_params)),
            successes: usage.execution_stats.success_count,
            errors: usage.execution_stats.error_count,
            time: Duration::try_from_secs_f64(usage.execution_stats.total_time)?,
        })
    }
}

impl From<Invocation> for InvocationMetrics {
    fn from(invocation: Invocation) -> Self {
        Self { usage: invocation.usage, cycles: invocation.cycles }
    }
}
