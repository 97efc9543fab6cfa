//! Many concurrent streams in one process: processor time and peak memory.

use std::future::Future;
use std::time::Duration;

use strands::AgentBuilder;
use tokio::task::JoinSet;

use crate::script::PROMPT;
use crate::serve::{Pace, Response, Scenario, Servers};
use crate::work::{Side, awaited, streamed};
use crate::{openai, process};

/// First argument of a measured process.
pub(crate) const COMMAND: &str = "streams";
/// Deltas in each response.
pub(crate) const DELTAS: usize = 100;
const INTERVAL: Duration = Duration::from_millis(10);
/// Numbers of streams.
pub(crate) const COUNTS: [usize; 4] = [10, 100, 1_000, 5_000];

/// Returns a scenario for each number of streams: all of them are open at the same time.
pub(crate) fn scenarios(wire: &str, response: impl Fn() -> Response) -> Vec<Scenario> {
    let scenario = |requests| {
        let pace = Pace::Concurrent { requests, interval: INTERVAL };
        Scenario::new(format!("{wire}-streams-{requests}"), pace, vec![response()])
    };
    COUNTS.map(scenario).into()
}

/// Measures a number of streams in a process of its own.
pub(crate) fn measure(servers: &Servers, wire: &str, side: Side, count: usize) -> process::Cost {
    let address = servers.address(&format!("{wire}-streams-{count}"));
    process::measure(&[COMMAND, wire, side.name(), &address, &count.to_string()])
}

/// Runs the streams, in the measured process.
pub(crate) fn run(wire: &str, side: Side, address: &str, count: usize) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        match wire {
            "openai" => openai::streams(side, address, count).await,
            _ => panic!("unknown protocol: {wire}"),
        }
    });
}

/// Runs tasks to completion.
pub(crate) async fn join<F>(tasks: impl Iterator<Item = F>)
where
    F: Future<Output: Send + 'static> + Send + 'static,
{
    tasks.collect::<JoinSet<_>>().join_all().await;
}

/// Builds an agent from a template and prompts it.
pub(crate) async fn prompt_clone(template: AgentBuilder, side: Side) {
    let mut agent = template.build().await.unwrap();
    match side {
        Side::Streamed => streamed(&mut agent, PROMPT).await,
        Side::Awaited | Side::HandWritten => awaited(&mut agent, PROMPT).await,
    };
}
