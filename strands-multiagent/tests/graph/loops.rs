//! Loops that are tied to each other.

use strands::models::StopReason;
use strands::multiagent::{
    Failure, Graph, GraphBuilder, Node, NodeContext, NodeError, NodeInput, NodeOutput, function,
};
use strands::serde_json::json;
use strands::{CancellationToken, Prompt, PromptRequest};

use crate::steps::{Calls, fails, says};
use crate::store::Store;

/// Ids of the nodes that have completed, in order.
type Ran = Vec<String>;

fn node(id: &str) -> Node<Ran> {
    let id = id.to_owned();
    function(move |_, _| {
        let id = id.clone();
        async move { Ok::<_, std::convert::Infallible>(NodeOutput::text("").update(move |ran: &mut Ran| ran.push(id))) }
    })
}

/// Makes a graph with an edge between each two neighbours of each path.
fn graph(paths: &[&[&str]]) -> GraphBuilder<Ran> {
    let (mut builder, mut nodes, mut edges) = (Graph::with_state("loops", Ran::new()), Vec::new(), Vec::new());
    for path in paths {
        for id in *path {
            if !nodes.contains(id) {
                nodes.push(id);
                builder = builder.node(*id, node(id));
            }
        }
        for pair in path.windows(2) {
            if !edges.contains(&pair) {
                edges.push(pair);
                builder = builder.edge(pair[0], pair[1]);
            }
        }
    }
    builder
}

async fn ran(builder: GraphBuilder<Ran>) -> Vec<String> {
    let mut ran = builder.build().unwrap().run("go").await.unwrap().state;
    ran.sort();
    ran
}

#[tokio::test]
async fn a_node_between_overlapping_loops_is_in_their_body() {
    // a -> b -> c and b -> c -> d overlap. The way over x leaves the one, and enters the other.
    let builder = graph(&[&["a", "b", "c", "d"], &["a", "x", "d"]]);
    let builder = builder.loop_if("c", "a", 2, |_| true).loop_if("d", "b", 2, |_| true);
    // Both loops fire after the first iteration of their common body, in which a and b begin again.
    assert_eq!(ran(builder).await, ["a", "a", "b", "b", "c", "c", "d", "d", "x", "x"]);
}

#[tokio::test]
async fn loops_that_wait_for_each_other_are_one() {
    // The first needs y of the second before it ends, and the second needs a of the first.
    let builder = graph(&[&["a", "b"], &["p", "y"], &["p", "q"], &["a", "q"], &["y", "b"]]);
    let builder = builder.loop_if("b", "a", 2, |_| true).loop_if("q", "p", 2, |_| true);
    assert_eq!(ran(builder).await, ["a", "a", "b", "b", "p", "p", "q", "q", "y", "y"]);
}

#[tokio::test]
async fn an_inner_loop_stays_within_loops_that_become_one() {
    let builder = graph(&[&["a", "i", "b"], &["p", "y"], &["p", "q"], &["a", "q"], &["y", "b"]]);
    let builder = builder.loop_if("b", "a", 2, |_| true).loop_if("q", "p", 2, |_| true).loop_if("i", "i", 3, |_| true);
    let ran = ran(builder).await;
    assert_eq!(ran.iter().filter(|id| *id == "i").count(), 6);
    assert_eq!(ran.len(), 6 + 10);
}

/// Runs a loop of two iterations that is cancelled before `work` starts for the second time, and then goes on.
async fn work_after_a_cancellation(work: impl Fn() -> Node) -> strands::multiagent::GraphResponse {
    let (store, starts) = (Store::default(), Calls::default());
    let graph = || {
        let starts = starts.clone();
        let start = function(move |ctx: NodeContext, _: NodeInput| {
            let starts = starts.clone();
            async move {
                if starts.add() == 2 {
                    ctx.injected::<CancellationToken>().unwrap().cancel();
                    // Until the run has stopped.
                    tokio::task::yield_now().await;
                }
                Ok::<_, NodeError>("started")
            }
        });
        let graph = Graph::builder("loop").node("start", start).node("work", work()).node("check", says("checked"));
        let graph = graph.edge("start", "work").edge("start", "check").edge("work", "check");
        graph.loop_if("check", "start", 2, |()| true).session_manager(store.clone()).build().unwrap()
    };
    let token = CancellationToken::new();
    let request = PromptRequest::new("go").cancel_with(token.clone()).inject(token);
    assert_eq!(graph().run(request).await.unwrap().response.stop_reason, StopReason::Cancelled);
    assert_eq!(starts.get(), 2);
    graph().run(Prompt::none()).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_failure_of_an_earlier_iteration_is_not_one_of_a_node_that_has_not_begun() {
    let calls = Calls::default();
    let response = work_after_a_cancellation(|| fails(1, calls.clone()).runs_once().on_failure(Failure::Skip)).await;
    assert_eq!((response.results["work"].text().as_str(), calls.get()), ("recovered", 2));
}

#[tokio::test(start_paused = true)]
async fn items_of_an_earlier_iteration_are_not_those_of_a_list_that_has_not_begun() {
    let calls = Calls::default();
    let each = || {
        let calls = calls.clone();
        let each = function(move |_: NodeContext, input: NodeInput| {
            let calls = calls.clone();
            async move {
                match input.item::<u32>()? {
                    2 if calls.add() == 1 => Err(NodeError::new("not yet")),
                    item => Ok(item.to_string()),
                }
            }
        });
        each.for_each(4, |(), _| vec![0, 1, 2, 3]).concurrency(1).on_failure(Failure::Skip)
    };
    let response = work_after_a_cancellation(each).await;
    assert_eq!(response.results["work"].output, Some(json!(["0", "1", "2", "3"])));
}
