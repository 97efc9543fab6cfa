//! Metrics of a turn, as hosts return them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use strands_core::AgentResponse;
use strands_core::metrics::Usage;

/// Metrics of a turn. The names are those of the summary of Strands' metrics, of which these are the totals.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct TurnMetrics {
    /// Number of cycles: model calls with their tool calls.
    pub total_cycles: u64,
    /// Duration of all cycles, in seconds.
    pub total_duration: f64,
    /// Average duration of a cycle, in seconds.
    pub average_cycle_time: f64,
    /// Token usage of all model calls.
    pub accumulated_usage: Usage,
}

impl TurnMetrics {
    /// Returns the metrics of a response.
    pub fn of(response: &AgentResponse) -> Self {
        let summary = response.metrics.summary();
        Self {
            total_cycles: summary.total_cycles,
            total_duration: summary.total_duration,
            average_cycle_time: summary.average_cycle_time,
            accumulated_usage: summary.accumulated_usage,
        }
    }
}
