//! A run of a graph or swarm whose session Strands for Python continues, or has begun: `.ci/multiagent/interop` runs it.
//!
//! The only argument is JSON, as `.ci/multiagent/python_run.py` describes it.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a program for tests, which ends with the first failure"
)]

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value, json};
use strands::indexmap::IndexMap;
use strands::message::ContentBlock;
use strands::multiagent::{Graph, Node, NodeContext, NodeError, NodeInput, NodeResult, Swarm, function};
use strands::session::{SessionManager, SessionStore, SnapshotSessionManager, StoreSessionManager};
use strands::testing::{ScriptedModel, ScriptedTurn};
use strands::{
    Agent, AgentBuilder, AgentResponse, InterruptResponse, Prompt, PromptRequest, ToolContext, ToolError, tool,
};

/// Time in which the siblings of a node that crashes end.
const BEFORE_CRASH: Duration = Duration::from_millis(400);

#[derive(Clone, Deserialize)]
struct Orders {
    kind: String,
    id: String,
    session: String,
    folder: String,
    layout: String,
    nodes: Vec<String>,
    #[serde(default)]
    edges: Vec<(String, String)>,
    #[serde(default)]
    handoffs: BTreeMap<String, String>,
    #[serde(default)]
    asks: Vec<String>,
    ledger: String,
    crash: Option<String>,
    task: String,
    #[serde(default)]
    responses: Option<Map<String, Value>>,
}

/// Pays an amount, with an approval.
#[tool]
fn pay(ctx: &ToolContext, amount: u32) -> Result<String, ToolError> {
    let response = ctx.interrupt("approval", json!({"amount": amount}))?;
    Ok(format!("paid {amount}: {response}"))
}

impl Orders {
    fn manager(&self) -> Arc<dyn SessionManager> {
        let store = SessionStore::files(&self.folder);
        match self.layout.as_str() {
            "snapshots" => Arc::new(SnapshotSessionManager::new(&self.session, store).unwrap()),
            _ => Arc::new(StoreSessionManager::new(&self.session, store).unwrap()),
        }
    }

    fn write(&self, node: &str) {
        let mut ledger = OpenOptions::new().append(true).create(true).open(&self.ledger).unwrap();
        writeln!(ledger, "{node}").unwrap();
    }

    /// Returns a node that ends the process, after its siblings have ended.
    fn crashes(&self) -> Node {
        let orders = self.clone();
        function(move |ctx: NodeContext, _: NodeInput| {
            orders.write(ctx.node());
            async { end_process().await }
        })
    }

    fn agent(&self, node: &str) -> AgentBuilder {
        let (orders, id) = (self.clone(), node.to_owned());
        let model = ScriptedModel::from_fn(move |request| {
            let last = request.messages.last().unwrap();
            if last.content.iter().any(|block| matches!(block, ContentBlock::ToolResult(_))) {
                return orders.text(&id, &[]);
            }
            orders.write(&id);
            if orders.kind == "swarm" && orders.crash.as_ref() == Some(&id) {
                std::process::exit(9);
            }
            if let Some(to) = orders.handoffs.get(&id) {
                let message = format!("go on, {to}");
                let handoff = json!({"agent_name": to, "message": message, "context": {"by": id}});
                return ScriptedTurn::tool_use("handoff_to_agent", handoff);
            }
            if orders.asks.contains(&id) {
                return ScriptedTurn::tool_use("pay", json!({"amount": 7}));
            }
            let texts = last.content.iter().filter_map(|block| match block {
                ContentBlock::Text(text) => Some(text.text.clone()),
                _ => None,
            });
            orders.text(&id, &texts.collect::<Vec<String>>())
        });
        Agent::builder().name(node).agent_id(node).model(model).tool(Pay)
    }

    /// Returns a response that names the nodes whose outputs are in the prompt, so that lost outputs are found.
    fn text(&self, node: &str, prompt: &[String]) -> ScriptedTurn {
        let from = prompt.iter().filter_map(|text| text.strip_prefix("\nFrom ")?.strip_suffix(':'));
        let mut from: Vec<&str> = from.collect();
        from.sort_unstable();
        ScriptedTurn::text(format!("{node} in Rust of {}", from.join(",")))
    }

    fn request(&self) -> PromptRequest {
        match &self.responses {
            None => PromptRequest::new(self.task.as_str()),
            Some(responses) => {
                let responses = responses.iter().map(|(id, response)| InterruptResponse::new(id, response.clone()));
                PromptRequest::new(Prompt::none()).resume(responses)
            }
        }
    }

    async fn run_graph(&self) -> Value {
        let graph = Graph::builder("shared").id(&self.id).session_manager(self.manager());
        let graph = self.nodes.iter().fold(graph, |graph, node| match self.crash.as_ref() == Some(node) {
            true => graph.node(node, self.crashes()),
            false => graph.node(node, self.agent(node)),
        });
        let graph = self.edges.iter().fold(graph, |graph, (from, to)| graph.edge(from, to));
        let response = graph.build().unwrap().run(self.request()).await.unwrap();
        printed(&response.response, &response.results)
    }

    async fn run_swarm(&self) -> Value {
        let swarm = Swarm::builder("shared").id(self.id.as_str()).session_manager(self.manager());
        let swarm = self.nodes.iter().fold(swarm, |swarm, member| swarm.member(self.agent(member)));
        let response = swarm.build().unwrap().run(self.request()).await.unwrap();
        let mut printed = printed(&response.response, &response.results);
        printed["shared"] = serde_json::to_value(&response.shared_context).unwrap();
        printed
    }
}

fn printed(response: &AgentResponse, results: &IndexMap<Arc<str>, NodeResult>) -> Value {
    let results: Map<String, Value> =
        results.iter().map(|(node, result)| (node.to_string(), result.text().into())).collect();
    let interrupts: Vec<&str> = response.interrupts.iter().map(|interrupt| &*interrupt.id).collect();
    json!({"status": response.stop_reason.as_str(), "results": results, "interrupts": interrupts})
}

async fn end_process() -> Result<&'static str, NodeError> {
    tokio::time::sleep(BEFORE_CRASH).await;
    std::process::exit(9);
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let orders: Orders = serde_json::from_str(&std::env::args().nth(1).unwrap()).unwrap();
    let printed = match orders.kind.as_str() {
        "graph" => orders.run_graph().await,
        "swarm" => orders.run_swarm().await,
        kind => panic!("unknown kind {kind}"),
    };
    println!("{printed}");
}
