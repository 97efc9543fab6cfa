//! Shares of the run's limits that nodes reserve for work elsewhere.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use strands::message::{Message, Role};
use strands::models::StopReason;
use strands::multiagent::{Graph, Node, NodeStatus, function};
use strands::testing::{ScriptedModel, ScriptedTurn};
use strands::{
    Agent, AgentError, AgentEvent, AgentResponse, Limits, PromptRequest, PromptScope, PromptStream, Promptable, tool,
    tools,
};
use tokio::sync::Barrier;

use crate::steps::{Calls, graph};

/// Work elsewhere that holds its share until all of its kind do, and responds with the turns that it got.
#[derive(Clone)]
struct Elsewhere(Arc<Barrier>);

impl Elsewhere {
    fn of(parties: usize) -> Self {
        Self(Arc::new(Barrier::new(parties)))
    }
}

impl Promptable for Elsewhere {
    fn name(&self) -> &str {
        "elsewhere"
    }

    fn stream(&self, request: PromptRequest) -> PromptStream {
        let barrier = Arc::clone(&self.0);
        Box::pin(futures_util::stream::once(async move {
            let scope = PromptScope::new(&request, Limits::unlimited())?;
            let share = scope.reserve(&request);
            barrier.wait().await;
            tokio::time::sleep(Duration::from_secs(5)).await;
            let turns = serde_json::to_value(share.limits()).unwrap()["turns"].to_string();
            share.release();
            let response = AgentResponse::new(Message::new(Role::Assistant, [turns]), StopReason::EndTurn);
            Ok::<_, AgentError>(AgentEvent::Result { response: Box::new(response) })
        }))
    }
}

#[tokio::test(start_paused = true)]
async fn each_of_many_nodes_has_a_share() {
    let elsewhere = Elsewhere::of(8);
    let nodes = (0..8).fold(graph(), |graph, node| graph.node(format!("n{node}"), elsewhere.clone()));
    let response = nodes.limits(Limits::new().turns(99)).build().unwrap().run("go").await.unwrap();
    let shares: Vec<u32> = response.results.values().map(|result| result.text().parse().unwrap()).collect();
    assert!(shares.len() == 8 && shares.iter().all(|share| *share >= 5), "{shares:?}");
    assert!(shares.iter().sum::<u32>() <= 99, "{shares:?}");

    let alone = graph().node("n", Elsewhere::of(1)).limits(Limits::new().turns(99)).build().unwrap();
    assert_eq!(alone.run("go").await.unwrap().text(), "75");
}

/// Goes on.
#[tool]
fn go_on() -> &'static str {
    "on"
}

/// A template that calls its model three times.
fn of_three_turns(calls: &Calls) -> strands::AgentBuilder {
    let calls = calls.clone();
    let model = ScriptedModel::from_fn(move |request| {
        calls.add();
        match request.messages.len() {
            1 | 3 => ScriptedTurn::tool_use("go_on", json!({})),
            _ => ScriptedTurn::text("done"),
        }
    });
    Agent::builder().name("here").model(model).tools(tools![GoOn])
}

#[tokio::test(start_paused = true)]
async fn a_node_that_has_nothing_left_beside_a_share_stops_the_run() {
    let calls = Calls::default();
    let as_function = || {
        let agent = of_three_turns(&calls);
        function(move |ctx, _| {
            let agent = agent.clone();
            async move { Ok::<_, strands::multiagent::NodeError>(ctx.prompt(&agent, "go").await?.text()) }
        })
    };
    for here in [Node::new(of_three_turns(&calls)), as_function()] {
        let graph = Graph::builder("test").node("far", Elsewhere::of(1)).node("here", here);
        let graph = graph.limits(Limits::new().turns(4)).build().unwrap();
        let response = graph.run("go").await.unwrap();
        assert_eq!(response.response.stop_reason, StopReason::LimitTurns);
        assert_eq!(response.results["far"].status, NodeStatus::Completed);
        assert!(!response.results.contains_key("here"), "it goes on with the run");
    }
    assert_eq!(calls.get(), 4, "two turns were reserved each time");
}
