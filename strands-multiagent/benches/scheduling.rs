//! Time to schedule the nodes of a graph: functions that return at once, each with up to ten edges from earlier nodes.
//!
//! `cargo bench -p strands-multiagent --bench scheduling` prints the time for each node at several sizes. The times for each node and
//! edge stay the same if scheduling is linear in nodes and edges. Then it prints the time of a graph with 64 agents that run at the same time, each of
//! which takes 50 ms.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a program for the terminal")]

use std::convert::Infallible;
use std::time::{Duration, Instant};

use strands::hook::{BeforeModelCall, Hook, HookResult};
use strands::multiagent::{Graph, NodeContext, NodeInput, NodeOutput, function};
use strands::testing::{ScriptedModel, ScriptedTurn};
use strands::{Agent, async_trait};

/// Number of edges to each node.
const EDGES: usize = 10;
/// Number of runs, of which the fastest counts.
const RUNS: usize = 7;

fn graph(nodes: usize) -> Graph {
    let mut builder = Graph::builder("scheduling");
    for node in 0..nodes {
        let returns = function(|_: NodeContext, _: NodeInput| async { Ok::<_, Infallible>(NodeOutput::none()) });
        builder = builder.node(format!("n{node}"), returns);
    }
    for node in 1..nodes {
        // Some neighbours, and some far away.
        let mut sources: Vec<usize> = (0..EDGES).map(|edge| (node * (edge + 7) + edge * edge) % node).collect();
        sources.sort_unstable();
        sources.dedup();
        for source in sources {
            builder = builder.edge(format!("n{source}"), format!("n{node}"));
        }
    }
    builder.build().unwrap()
}

/// Delays model calls.
struct Delay(Duration);

#[async_trait]
impl Hook for Delay {
    async fn before_model_call(&self, _: &mut BeforeModelCall<'_>) -> HookResult {
        tokio::time::sleep(self.0).await;
        Ok(())
    }
}

fn agents(count: usize, delay: Duration) -> Graph {
    let model = ScriptedModel::from_fn(|_| ScriptedTurn::text("done"));
    let mut builder = Graph::builder("agents").concurrency(count);
    for index in 0..count {
        builder = builder.node(format!("a{index}"), Agent::builder().model(model.clone()).hook(Delay(delay)));
    }
    builder.build().unwrap()
}

fn fastest(mut work: impl FnMut()) -> Duration {
    let time = |()| {
        let began = Instant::now();
        work();
        began.elapsed()
    };
    std::iter::repeat_n((), RUNS).map(time).min().unwrap_or_default()
}

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    println!("{:>8} {:>14} {:>14}", "nodes", "build, µs/node", "run, µs/node");
    for nodes in [100, 1_000, 10_000] {
        let build = fastest(|| drop(graph(nodes)));
        let graph = graph(nodes);
        let run = fastest(|| {
            let response = runtime.block_on(graph.run("go")).unwrap();
            assert_eq!(response.order.len(), nodes);
        });
        let each = |time: Duration| time.as_secs_f64() * 1e6 / nodes as f64;
        println!("{nodes:>8} {:>14.2} {:>14.2}", each(build), each(run));
    }
    let graph = agents(64, Duration::from_millis(50));
    let mut times: Vec<Duration> = (0..RUNS)
        .map(|_| {
            let began = Instant::now();
            assert_eq!(runtime.block_on(graph.run("go")).unwrap().order.len(), 64);
            began.elapsed()
        })
        .collect();
    times.sort_unstable();
    let millis = |time: Option<&Duration>| time.map_or(0.0, |time| time.as_secs_f64() * 1e3);
    println!("64 agents of 50 ms: {:.1} to {:.1} ms", millis(times.first()), millis(times.last()));
}
