//! Short text of a metrics summary.

use std::fmt::{self, Write as _};

use super::{MetricsSummary, ToolUsage};

/// Maximum number of tools in the text.
const MAX_TOOLS: usize = 8;

impl fmt::Display for MetricsSummary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let separator = if f.alternate() { '\n' } else { ';' };
        let space = if f.alternate() { "" } else { " " };
        let calls = self.accumulated_metrics.latency_ms as f64 / 1_000.0;
        write!(f, "cycles: {} in {}", self.total_cycles, seconds(self.total_duration))?;
        write!(f, " ({} in model calls){separator}{space}", seconds(calls))?;
        let usage = &self.accumulated_usage;
        let (input, output, total) = (usage.input_tokens, usage.output_tokens, usage.total_tokens);
        write!(f, "tokens: {input} input, {output} output, {total} total")?;
        if let Some(read) = usage.cache_read_input_tokens {
            write!(f, ", {read} read from cache")?;
        }
        if let Some(written) = usage.cache_write_input_tokens {
            write!(f, ", {written} written to cache")?;
        }
        for (name, tool) in self.tool_usage.iter().take(MAX_TOOLS) {
            write!(f, "{separator}{space}{name}: {}", ToolLine(tool))?;
        }
        match self.tool_usage.len().saturating_sub(MAX_TOOLS) {
            0 => Ok(()),
            others => write!(f, "{separator}{space}and {others} other tool{}", plural(others as u64)),
        }
    }
}

/// Text for the calls of a tool.
struct ToolLine<'a>(&'a ToolUsage<'a>);

impl fmt::Display for ToolLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stats = &self.0.execution_stats;
        write!(f, "{} call{} in {}", stats.call_count, plural(stats.call_count), seconds(stats.total_time))?;
        if stats.error_count > 0 {
            write!(f, ", {} failed", stats.error_count)?;
        }
        Ok(())
    }
}

fn plural(count: u64) -> &'static str {
    if count == 1 { "" } else { "s" }
}

/// Returns a text in seconds, with three decimals below ten seconds and one above.
fn seconds(duration: f64) -> String {
    let mut text = String::new();
    // Writing to a `String` can't fail.
    let _ = if duration < 10.0 { write!(text, "{duration:.3} s") } else { write!(text, "{duration:.1} s") };
    text
}
