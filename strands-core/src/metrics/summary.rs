//! Summary of metrics with the keys of Python Strands, so that dashboards can be reused.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{CycleMetrics, EventLoopMetrics, Trace, Usage};

/// Summary of an agent's metrics, with the structure and keys of Python Strands. Durations are in seconds.
///
/// `Display` writes a short text on one line; `{:#}` writes cycles, tokens and each tool on separate lines. For JSON see
/// [`to_json`](Self::to_json).
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct MetricsSummary<'a> {
    /// Number of cycles.
    pub total_cycles: u64,
    /// Total duration of all cycles, tools included, in seconds.
    pub total_duration: f64,
    /// Average duration of a cycle, in seconds.
    pub average_cycle_time: f64,
    /// Usage of each tool, by its name.
    #[schemars(with = "BTreeMap<String, ToolUsage<'a>>")]
    pub tool_usage: IndexMap<&'a str, ToolUsage<'a>>,
    /// Tokens of all model calls.
    pub accumulated_usage: Usage,
    /// Timings of all model calls.
    pub accumulated_metrics: AccumulatedMetrics,
    /// Newest invocations.
    pub agent_invocations: Vec<InvocationSummary<'a>>,
    /// Traces of the newest cycles.
    pub traces: &'a VecDeque<Arc<Trace>>,
}

/// Timings of all model calls.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct AccumulatedMetrics {
    /// Total duration of all model calls, in milliseconds.
    pub latency_ms: u64,
}

/// Usage of a tool.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct ToolUsage<'a> {
    /// Newest call of the tool.
    pub tool_info: ToolInfo<'a>,
    /// Statistics of all calls.
    pub execution_stats: ExecutionStats,
}

/// Newest call of a tool.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct ToolInfo<'a> {
    /// Id of the call.
    pub tool_use_id: &'a str,
    /// Name of the tool.
    pub name: &'a str,
    /// Arguments of the call.
    pub input_params: &'a Value,
}

/// Statistics of all calls of a tool.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct ExecutionStats {
    /// Number of calls.
    pub call_count: u64,
    /// Number of calls that succeeded.
    pub success_count: u64,
    /// Number of calls that failed.
    pub error_count: u64,
    /// Total duration of the calls, in seconds.
    pub total_time: f64,
    /// Average duration of a call, in seconds.
    pub average_time: f64,
    /// Share of calls that succeeded, 0.0 to 1.0.
    pub success_rate: f64,
}

/// Usage of one invocation.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct InvocationSummary<'a> {
    /// Tokens of all model calls of the invocation.
    pub usage: Usage,
    /// Newest model calls of the invocation.
    pub cycles: &'a VecDeque<CycleMetrics>,
}

impl MetricsSummary<'_> {
    /// Returns the summary as JSON; format it with `{:#}` for several lines.
    ///
    /// ```
    /// use strands::metrics::EventLoopMetrics;
    ///
    /// assert_eq!(EventLoopMetrics::default().summary().to_json()["total_cycles"], 0);
    /// ```
    pub fn to_json(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }
}

impl EventLoopMetrics {
    /// Returns the summary, with the structure of Python Strands.
    pub fn summary(&self) -> MetricsSummary<'_> {
        MetricsSummary {
            total_cycles: self.cycles,
            total_duration: self.time.as_secs_f64(),
            average_cycle_time: ratio(self.time.as_secs_f64(), self.cycles),
            tool_usage: self.tools.iter().map(|(name, tool)| (name.as_str(), tool.summary())).collect(),
            accumulated_usage: self.usage,
            accumulated_metrics: AccumulatedMetrics { latency_ms: self.latency_ms },
            agent_invocations: self
                .invocations
                .iter()
                .map(|invocation| InvocationSummary { usage: invocation.usage, cycles: &invocation.cycles })
                .collect(),
            traces: &self.traces,
        }
    }
}

impl super::ToolMetrics {
    fn summary(&self) -> ToolUsage<'_> {
        let calls = self.successes.saturating_add(self.errors);
        ToolUsage {
            tool_info: ToolInfo {
                tool_use_id: &self.last_call.tool_use_id,
                name: &self.last_call.name,
                input_params: &self.last_call.input,
            },
            execution_stats: ExecutionStats {
                call_count: calls,
                success_count: self.successes,
                error_count: self.errors,
                total_time: self.time.as_secs_f64(),
                average_time: ratio(self.time.as_secs_f64(), calls),
                success_rate: ratio(self.successes as f64, calls),
            },
        }
    }
}

fn ratio(sum: f64, count: u64) -> f64 {
    if count == 0 { 0.0 } else { sum / count as f64 }
}
