//! Stored runs of graphs: crashes, interrupts, other workers, and documents of Strands, over the public API.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test may panic")]

mod crashes;
mod interrupts;
mod refusals;
mod releases;
mod strands_documents;
mod swarms;

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use serde_json::Value;
use strands::multiagent::{Graph, GraphBuilder, Node, NodeContext, NodeInput, NodeOutput, function};
use strands::testing::InMemorySessionManager;

/// The nodes that have run, in order.
#[derive(Clone, Default)]
struct Ledger(Arc<Mutex<Vec<String>>>);

impl Ledger {
    fn write(&self, node: &str) {
        self.0.lock().unwrap().push(node.to_owned());
    }

    /// Returns what has run since the last call.
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }

    /// Returns a node that writes its id.
    fn node(&self) -> Node {
        let ledger = self.clone();
        function(move |ctx: NodeContext, input: NodeInput| {
            ledger.write(ctx.node());
            async move { Ok::<_, Infallible>(NodeOutput::text(format!("{} of {}", ctx.node(), input.from.len()))) }
        })
    }
}

/// Returns a graph with these edges, whose nodes write to the ledger.
fn graph(ledger: &Ledger, nodes: &[&str], edges: &[(&str, &str)], session: &InMemorySessionManager) -> GraphBuilder {
    let graph = Graph::builder("news").session_manager(session.clone());
    let graph = nodes.iter().fold(graph, |graph, node| graph.node(*node, ledger.node()));
    edges.iter().fold(graph, |graph, (from, to)| graph.edge(*from, *to))
}

const DIAMOND: [&str; 4] = ["a", "b", "c", "d"];
const DIAMOND_EDGES: [(&str, &str); 4] = [("a", "b"), ("a", "c"), ("b", "d"), ("c", "d")];

/// Returns the ids in a list of a document.
fn ids(document: &Value, list: &str) -> Vec<String> {
    document[list].as_array().unwrap().iter().map(|id| id.as_str().unwrap().to_owned()).collect()
}
