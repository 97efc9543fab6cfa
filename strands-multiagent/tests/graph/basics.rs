//! Nodes, edges, joins, loops and the state.

use std::sync::{Arc, Mutex};

use serde::{Deserialize, Serialize};
use strands::multiagent::{Graph, Join, NodeContext, NodeError, NodeInput, NodeOutput, function};
use strands::testing::ScriptedModel;
use strands::{Agent, AgentError, AgentEvent, BuildError, Promptable, StreamExt, Tool, tools};

use crate::store::Store;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Draft {
    facts: u32,
    revisions: u32,
}

#[tokio::test(start_paused = true)]
async fn three_nodes_run_in_order() {
    let researcher = Agent::builder().name("researcher").model(ScriptedModel::responding("Oslo has 700,000 people."));
    let writer = Agent::builder().name("writer").model(ScriptedModel::from_fn(|request| {
        let text = request.messages[0].text();
        strands::testing::ScriptedTurn::text(format!("[{text}]"))
    }));
    let graph = Graph::with_state("newsroom", Draft::default())
        .node("research", researcher)
        .node("write", writer)
        .node(
            "count",
            function(|_: NodeContext<Draft>, input: NodeInput| async move {
                Ok::<_, std::convert::Infallible>(
                    NodeOutput::text(input.text()).update(|draft: &mut Draft| draft.facts += 1),
                )
            }),
        )
        .edge("research", "write")
        .edge("write", "count")
        .build()
        .unwrap();
    let response = graph.run("Write about Oslo.").await.unwrap();
    assert_eq!(
        response.text(),
        "[Original Task: Write about Oslo.\n\nInputs from previous nodes:\n\nFrom research:\nOslo has 700,000 people.]"
    );
    assert_eq!(response.state.facts, 1);
    let ids: Vec<_> = response.order.iter().map(|id| &**id).collect();
    assert_eq!(ids, ["research", "write", "count"]);
    let events: Vec<AgentEvent> = graph.stream("hi".into()).map(Result::unwrap).collect().await;
    let is_own = |event: &&AgentEvent| event.path().is_empty();
    let own: Vec<_> =
        events.iter().filter(is_own).map(|event| serde_json::to_value(event).unwrap()["type"].clone()).collect();
    let types = ["start", "node_start", "node_end", "node_start", "node_end", "node_start", "node_end", "result"];
    assert_eq!(own, types);
}

#[tokio::test(start_paused = true)]
async fn a_loop_runs_until_its_condition_is_false() {
    let count = |node: &'static str| {
        function(move |_: NodeContext<Draft>, _: NodeInput| async move {
            Ok::<_, std::convert::Infallible>(NodeOutput::text(node).update(move |draft: &mut Draft| {
                if node == "write" {
                    draft.revisions += 1;
                }
            }))
        })
    };
    for (rounds, max, expected) in [(3, 9, 3), (100, 4, 4)] {
        let graph = Graph::with_state("newsroom", Draft::default())
            .node("research", count("research"))
            .node("write", count("write"))
            .node("judge", count("judge"))
            .node("publish", count("publish"))
            .edge("research", "write")
            .edge("write", "judge")
            .edge("judge", "publish")
            .loop_if("judge", "write", max, move |draft: &Draft| draft.revisions < rounds)
            .join("write", Join::All)
            .build()
            .unwrap();
        let response = graph.run("go").await.unwrap();
        assert_eq!(response.state.revisions, expected);
        assert_eq!(response.text(), "publish");
        assert_eq!(response.order.len(), 2 + 2 * expected as usize);
    }
}

fn draft_graph(rounds: u32) -> Graph<Draft> {
    let write = function(|ctx: NodeContext<Draft>, _: NodeInput| async move {
        NodeOutput::text(format!("draft {}", ctx.state().revisions + 1))
            .update(|draft: &mut Draft| draft.revisions += 1)
    });
    let judge = function(|_: NodeContext<Draft>, _: NodeInput| async { "verdict" });
    let publish = function(|_: NodeContext<Draft>, input: NodeInput| async move { input.text() });
    Graph::with_state("loop", Draft::default())
        .node("write", write)
        .node("judge", judge)
        .node("publish", publish)
        .edge("write", "judge")
        .edge("write", "publish")
        .loop_if("judge", "write", 5, move |draft: &Draft| draft.revisions < rounds)
        .build()
        .unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_response_has_nothing_of_a_loop_that_the_run_has_left() {
    assert_eq!(draft_graph(3).run("go").await.unwrap().text(), "draft 3");
}

#[tokio::test(start_paused = true)]
async fn events_of_a_run_come_beside_its_typed_response() {
    let (mut started, mut last) = (Vec::new(), None);
    let response = draft_graph(1)
        .run_with_events("go", |event| {
            if let AgentEvent::NodeStart { node, .. } = &event {
                started.push(node.to_string());
            }
            last = Some(event);
        })
        .await
        .unwrap();
    assert!(matches!(last, Some(AgentEvent::Result { .. })), "{last:?}");
    assert_eq!((response.state.revisions, started), (1, vec!["write".into(), "judge".into(), "publish".to_owned()]));
}

#[tokio::test(start_paused = true)]
async fn a_graph_is_a_tool() {
    let model = ScriptedModel::from_fn(|request| match request.messages.len() {
        1 => strands::testing::ScriptedTurn::tool_use("loop", serde_json::json!({"input": "go"})),
        _ => strands::testing::ScriptedTurn::text(crate::steps::result_text(request)),
    });
    let agent = Agent::builder().model(model).tools(tools![draft_graph(2)]);
    assert_eq!(agent.respond("go".into()).await.unwrap().text(), "draft 2");
    assert_eq!(draft_graph(2).as_tool().name("drafts").spec().name, "drafts");
}

#[tokio::test(start_paused = true)]
async fn functions_have_a_key_for_each_visit_and_item() {
    let (keys, store) = (Arc::new(Mutex::new(Vec::new())), Store::default());
    for task in ["one", "two"] {
        let seen = Arc::clone(&keys);
        let call = function(move |ctx: NodeContext, _: NodeInput| {
            seen.lock().unwrap().push(ctx.idempotency_key().to_owned());
            let attempt = ctx.attempt();
            async move { if attempt % 2 == 1 { Err(NodeError::new("again")) } else { Ok("") } }
        });
        let call = call.retry(strands::RetryPolicy::new().max_attempts(2)).for_each(2, |_, _| vec![1, 2]);
        let graph = Graph::builder("g").node("call", call).loop_if("call", "call", 2, |()| true);
        graph.session_manager(store.clone()).build().unwrap().run(task).await.unwrap();
    }
    // Two runs of two iterations of two items, with two attempts each.
    let keys = keys.lock().unwrap();
    let different: std::collections::BTreeSet<_> = keys.iter().collect();
    assert_eq!((keys.len(), different.len()), (16, 8), "{keys:?}");
}

#[test]
fn a_runtime_without_timers_is_an_error() {
    let graph = Graph::builder("g").node("a", Agent::builder().model(ScriptedModel::responding("a"))).build().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let error = runtime.block_on(graph.run("go")).unwrap_err();
    assert!(matches!(error, AgentError::Build(BuildError::NoTimers)), "{error}");
}
