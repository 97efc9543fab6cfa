//! Tools: the tool of the other benchmarks, an agent with many tools, and many concurrent calls.

use std::time::Duration;

use divan::Bencher;
use futures_util::future::join_all;
use serde_json::{Value, json};
use strands_core::{Agent, Tool, ToolContext, ToolError, ToolOutput, ToolSpec, async_trait, tool};

use crate::models::BareModel;
use crate::{agent, awaited, block_on, build, script};

/// Forecasts the weather in a city.
#[expect(clippy::unused_async, reason = "a real tool would await a service")]
#[tool(crate = strands_core)]
pub(crate) async fn forecast(
    /// City name, such as "Oslo".
    city: String,
    /// Number of days ahead.
    days: u8,
) -> String {
    format!("{city}: rain on {days} of {days} days, source: yr.no")
}

/// One of many tools without arguments.
#[derive(Debug)]
pub(crate) struct Numbered {
    spec: ToolSpec,
    takes: Duration,
}

impl Numbered {
    pub(crate) fn many(count: usize, takes: Duration) -> impl Iterator<Item = Self> {
        let schema = json!({"type": "object", "properties": {}});
        (0..count).map(move |at| Self { spec: ToolSpec::new(name(at), "Does nothing.", schema.clone()), takes })
    }
}

fn name(at: usize) -> String {
    format!("tool_{at}")
}

#[async_trait]
impl Tool for Numbered {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    async fn call(&self, _: &ToolContext, _: Value) -> Result<ToolOutput, ToolError> {
        if !self.takes.is_zero() {
            tokio::time::sleep(self.takes).await;
        }
        Ok(ToolOutput::text("done"))
    }
}

/// A call of the last of this many tools, whose number must not matter.
#[divan::bench(args = [2, 200])]
fn one_call_among(bencher: Bencher<'_, '_>, count: usize) {
    let call = script::tool_calls([("tooluse_0".to_owned(), name(count - 1), json!({}))]);
    let responses = vec![call, script::text_deltas(5).remove(0)];
    let template = agent(BareModel::new(responses)).tools(Numbered::many(count, Duration::ZERO));
    bencher.with_inputs(|| build(template.clone())).bench_local_refs(awaited);
}

/// 64 concurrent calls of 50 ms each in one response.
mod sixty_four_of_50_ms {
    use super::*;

    const TAKES: Duration = Duration::from_millis(50);

    fn turn() -> Agent {
        let calls = (0..64).map(|at| (format!("tooluse_{at}"), name(at), json!({})));
        let responses = vec![script::tool_calls(calls), script::text_deltas(5).remove(0)];
        build(agent(BareModel::new(responses)).tools(Numbered::many(64, TAKES)))
    }

    #[divan::bench(sample_count = 10)]
    fn hand_written(bencher: Bencher<'_, '_>) {
        bencher.bench_local(|| block_on(async { join_all((0..64).map(|_| tokio::time::sleep(TAKES))).await }));
    }

    #[divan::bench(sample_count = 10)]
    fn agent_awaited(bencher: Bencher<'_, '_>) {
        bencher.with_inputs(turn).bench_local_refs(awaited);
    }
}
