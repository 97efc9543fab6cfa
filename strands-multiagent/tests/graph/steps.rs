//! Nodes for tests.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use strands::multiagent::{Graph, GraphBuilder, Node, NodeContext, NodeError, NodeInput, function};
use strands::testing::{ScriptedModel, ScriptedTurn};
use strands::{Agent, AgentBuilder, AgentError, AgentEvent, Promptable, StreamExt};

/// Counts calls.
#[derive(Clone, Default)]
pub(crate) struct Calls(Arc<AtomicU32>);

impl Calls {
    pub(crate) fn add(&self) -> u32 {
        self.0.fetch_add(1, Ordering::SeqCst) + 1
    }

    pub(crate) fn get(&self) -> u32 {
        self.0.load(Ordering::SeqCst)
    }
}

/// A function that returns a text.
pub(crate) fn says(text: &'static str) -> Node {
    function(move |_: NodeContext, _: NodeInput| async move { Ok::<_, Infallible>(text) })
}

/// A function that returns its input.
pub(crate) fn echoes() -> Node {
    function(|_: NodeContext, input: NodeInput| async move { Ok::<_, Infallible>(input.text()) })
}

/// A function that fails a number of times.
pub(crate) fn fails(times: u32, calls: Calls) -> Node {
    function(move |_: NodeContext, _: NodeInput| {
        let call = calls.add();
        async move { if call <= times { Err(NodeError::new(format!("failure {call}"))) } else { Ok("recovered") } }
    })
}

pub(crate) fn agent(name: &str, text: &'static str) -> AgentBuilder {
    Agent::builder().name(name).model(ScriptedModel::from_fn(move |_| ScriptedTurn::text(text)))
}

pub(crate) fn graph() -> GraphBuilder {
    Graph::builder("test")
}

/// Reads the events of a graph.
pub(crate) async fn events(graph: &impl Promptable, request: impl Into<strands::PromptRequest>) -> Vec<AgentEvent> {
    graph.stream(request.into()).map(Result::unwrap).collect().await
}

/// Returns the error with its sources.
pub(crate) fn text(error: &AgentError) -> String {
    strands::ErrorChain::new(error).to_string()
}

/// Returns the text of the result of the only tool call.
pub(crate) fn result_text(request: &strands::models::ModelRequest<'_>) -> String {
    let result = request.messages[2].tool_results().next().unwrap();
    result
        .content
        .iter()
        .map(|content| serde_json::to_value(content).unwrap()["text"].as_str().unwrap_or_default().to_owned())
        .collect()
}

/// A hook that delays model calls.
pub(crate) struct Delay(pub(crate) std::time::Duration);

#[strands::async_trait]
impl strands::hook::Hook for Delay {
    async fn before_model_call(&self, _: &mut strands::hook::BeforeModelCall<'_>) -> strands::hook::HookResult {
        tokio::time::sleep(self.0).await;
        Ok(())
    }
}
