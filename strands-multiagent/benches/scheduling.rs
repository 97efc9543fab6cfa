//! Time to schedule the nodes of a graph: functions that return at once, each with up to ten edges from earlier nodes.
//!
//! `cargo bench -p strands-multiagent --bench scheduling` prints the time for each node at several sizes. The times for each node and
//! edge stay the same if scheduling is linear in nodes and edges.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a program for the terminal")]

use std::convert::Infallible;
use std::time::{Duration, Instant};

use strands::multiagent::{Graph, NodeContext, NodeInput, NodeOutput, function};

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
}
