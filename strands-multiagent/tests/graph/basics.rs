//! Nodes, edges, joins, loops and the state.

use serde::{Deserialize, Serialize};
use strands::multiagent::{Graph, Join, NodeContext, NodeInput, NodeOutput, function};
use strands::testing::ScriptedModel;
use strands::{Agent, AgentEvent, Promptable, StreamExt};

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
