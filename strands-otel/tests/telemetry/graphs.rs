//! Spans of graphs: a run, the attempts of its nodes, and the agents in them.

use std::convert::Infallible;
use std::time::Duration;

use opentelemetry::trace::Status;
use strands::hook::HookResult;
use strands::models::StopReason;
use strands::multiagent::{
    BeforeNode, Failure, Graph, Node, NodeContext, NodeError, NodeHook, NodeInput, Swarm, function,
};
use strands_core::testing::{ScriptedModel, ScriptedTurn};
use strands_core::{Agent, CancellationToken, Promptable, RetryPolicy, TraceContext};
use strands_otel::semconv;

use crate::rig::{Rig, attribute, event_names};

#[tokio::test]
async fn a_run_is_a_tree_of_spans() {
    let rig = Rig::new();
    let writer =
        Agent::builder().name("writer").model(ScriptedModel::responding("A text.")).hook(rig.telemetry.clone());
    let check = function(|ctx: NodeContext, _: NodeInput| async move {
        if ctx.attempt() == 1 { Err(NodeError::new("secret")) } else { Ok("fine") }
    });
    let graph = Graph::builder("newsroom")
        .node("write", writer)
        .node("check", check.retry(RetryPolicy::new().max_attempts(2).initial_delay(Duration::ZERO)))
        .edge("write", "check")
        .hook(rig.telemetry.clone())
        .build()
        .unwrap();
    let caller: TraceContext = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".parse().unwrap();
    graph.run(strands_core::PromptRequest::new("Write.").inject(caller)).await.unwrap();

    assert_eq!(
        rig.tree(),
        [
            "invoke_graph newsroom < ?",
            "execute_node write < invoke_graph newsroom",
            "invoke_agent writer < execute_node write",
            "execute_event_loop_cycle < invoke_agent writer",
            "chat < execute_event_loop_cycle",
            "execute_node check < invoke_graph newsroom",
            "execute_node check < invoke_graph newsroom",
        ]
    );
    let spans = rig.spans();
    assert_eq!(spans[0].parent_span_id.to_string(), "b7ad6b7169203331");
    assert_eq!(spans[0].status, Status::Ok);
    assert_eq!(attribute(&spans[0], semconv::STOP_REASON).as_deref(), Some("end_turn"));
    let attempts = rig.spans_named("execute_node check");
    let attribute_of = |index: usize, name| attribute(&attempts[index], name).unwrap();
    assert_eq!(
        (attribute_of(0, semconv::NODE_ATTEMPT), attribute_of(1, semconv::NODE_ATTEMPT)),
        ("1".into(), "2".into())
    );
    assert_eq!(attribute_of(0, semconv::NODE_STATUS), "failed");
    assert_eq!(attempts[0].status, Status::error("node"), "no content by default");
    assert_eq!(attempts[1].status, Status::Ok);
}

#[tokio::test]
async fn nested_graphs_are_below_the_node_that_runs_them() {
    let rig = Rig::new();
    let leaf = function(|_: NodeContext, _: NodeInput| async { Ok::<_, Infallible>("done") });
    let inner = Graph::builder("inner").node("leaf", leaf).hook(rig.telemetry.clone()).build().unwrap();
    let outer = Graph::builder("outer").node("nested", inner).hook(rig.telemetry.clone()).build().unwrap();
    outer.run("go").await.unwrap();
    assert_eq!(
        rig.tree(),
        [
            "invoke_graph outer < -",
            "execute_node nested < invoke_graph outer",
            "invoke_graph inner < execute_node nested",
            "execute_node leaf < invoke_graph inner",
        ]
    );
}

#[tokio::test]
async fn interrupts_cancellations_and_drops_end_the_spans() {
    let asks = || function(|ctx: NodeContext, _: NodeInput| async move { ctx.interrupt("sure", "?").map(|_| "yes") });
    let rig = Rig::new();
    let graph = Graph::builder("asking").node("ask", asks()).hook(rig.telemetry.clone()).build().unwrap();
    graph.run("go").await.unwrap();
    assert_eq!(event_names(&rig.span("execute_node ask")), [semconv::INTERRUPT_EVENT]);

    let never =
        || function(|_: NodeContext, _: NodeInput| async { std::future::pending::<Result<&str, NodeError>>().await });
    for cancels in [true, false] {
        let rig = Rig::new();
        let graph = Graph::builder("waiting").node("wait", never()).hook(rig.telemetry.clone()).build().unwrap();
        let token = CancellationToken::new();
        let mut events = graph.stream(strands_core::PromptRequest::new("go").cancel_with(token.clone()));
        // The start of the run, and that of the node.
        for _ in 0..2 {
            futures_util::StreamExt::next(&mut events).await.unwrap().unwrap();
        }
        // Begins the attempt.
        assert!(futures_util::FutureExt::now_or_never(futures_util::StreamExt::next(&mut events)).is_none());
        if cancels {
            token.cancel();
            futures_util::StreamExt::count(events).await;
        } else {
            drop(events);
        }
        let expected = if cancels { "cancelled" } else { "dropped" };
        for name in ["execute_node wait", "invoke_graph waiting"] {
            assert_eq!(attribute(&rig.span(name), semconv::CANCELLATION_TYPE).as_deref(), Some(expected), "{name}");
        }
    }
}

/// Denies the node `denied`, and asks before the node `asked`.
struct Guards;

#[strands::async_trait]
impl NodeHook for Guards {
    async fn before_node(&self, event: &mut BeforeNode<'_>) -> HookResult {
        match event.node {
            "denied" => event.deny = Some("not now".into()),
            "asked" => drop(event.interrupt("sure", "?")),
            _ => {}
        }
        Ok(())
    }
}

#[tokio::test]
async fn spans_of_nodes_that_later_hooks_stop_end_with_the_attempt() {
    let rig = Rig::new();
    let leaf = || function(|_: NodeContext, _: NodeInput| async { Ok::<_, Infallible>("done") });
    let slow = function(|_: NodeContext, _: NodeInput| async {
        // Until all others have ended.
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        Ok::<_, Infallible>("done")
    });
    let graph = Graph::builder("guarded").node("denied", leaf().on_failure(Failure::Skip)).node("asked", leaf());
    let graph = graph.node("slow", slow).hook(rig.telemetry.clone()).hook(Guards).build().unwrap();
    graph.run("go").await.unwrap();
    let slow = rig.span("execute_node slow");
    for (name, status) in [("denied", "failed"), ("asked", "interrupted")] {
        let span = rig.span(&format!("execute_node {name}"));
        assert!(span.end_time < slow.end_time, "{name}");
        assert_eq!(attribute(&span, semconv::NODE_STATUS).as_deref(), Some(status));
    }
}

#[tokio::test]
async fn spans_of_items_are_named_by_the_node_and_the_index() {
    let rig = Rig::new();
    let each = function(|_: NodeContext, _: NodeInput| async { Ok::<_, Infallible>("done") });
    let graph = Graph::builder("list").node("each", each.for_each(2, |(), _| vec!["a", "b"]));
    graph.hook(rig.telemetry.clone()).build().unwrap().run("go").await.unwrap();
    for name in ["each[0]", "each[1]"] {
        let span = rig.span(&format!("execute_node {name}"));
        assert_eq!((attribute(&span, semconv::NODE_ID).as_deref(), span.status), (Some(name), Status::Ok));
    }
}

#[tokio::test]
async fn a_swarm_that_its_limit_of_handoffs_stops_is_not_ok() {
    let arguments = strands::serde_json::json!({"agent_name": "b", "message": "go", "context": {}});
    let turn = ScriptedTurn::tool_use("handoff_to_agent", arguments);
    let (rig, first) = (Rig::new(), Agent::builder().name("a").model(ScriptedModel::new([turn])));
    let second = Agent::builder().name("b").model(ScriptedModel::responding("never"));
    let swarm = Swarm::builder("team").member(first).member(second).max_handoffs(0).hook(rig.telemetry.clone());
    let response = swarm.build().unwrap().run("go").await.unwrap();
    assert_eq!(response.response.stop_reason, StopReason::LimitSteps);
    assert_eq!(rig.span("invoke_swarm team").status, Status::Unset);
}

#[tokio::test]
async fn a_second_hook_on_the_same_graph_records_nothing_twice() {
    let rig = Rig::new();
    let node = Node::new(Agent::builder().name("a").model(ScriptedModel::new([ScriptedTurn::text("hi")])));
    let graph = Graph::builder("g").node("a", node).hook(rig.telemetry.clone()).hook(rig.telemetry.clone());
    graph.build().unwrap().run("go").await.unwrap();
    assert_eq!(rig.spans().len(), 2);
}
