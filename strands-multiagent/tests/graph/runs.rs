//! Whole runs: the contract of promptables, concurrency, limits, cancellation, crashes and nesting.

use std::convert::Infallible;
use std::time::Duration;

use strands::models::StopReason;
use strands::multiagent::{Graph, Join, Node, NodeContext, NodeError, NodeInput, NodeStatus, RunError, function};
use strands::testing::contract::check_promptable;
use strands::testing::{ScriptedModel, ScriptedTurn};
use strands::{Agent, AgentError, AgentEvent, CancellationToken, Limits, Prompt, PromptRequest, Promptable, StreamExt};
use tokio::time::Instant;

use crate::steps::{Calls, Delay, agent, echoes, events, fails, graph, says, text};
use crate::store::Store;

#[tokio::test(start_paused = true)]
async fn graphs_keep_the_contract_of_promptables() {
    let slow = function(|_: NodeContext, _: NodeInput| async {
        tokio::time::sleep(Duration::from_millis(20)).await;
        Ok::<_, Infallible>("slow")
    });
    let graph = graph()
        .node("a", agent("a", "A."))
        .node("b", slow)
        .node("c", Graph::builder("inner").node("d", agent("d", "D.")).build().unwrap())
        .edge("a", "c")
        .edge("b", "c")
        .build()
        .unwrap();
    check_promptable(&graph, || PromptRequest::new("go")).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn sixty_four_agents_run_at_the_same_time() {
    let model = ScriptedModel::from_fn(|_| ScriptedTurn::text("done"));
    let mut builder = graph().node("start", says("go"));
    for index in 0..64 {
        let id = format!("agent-{index}");
        builder = builder
            .node(id.clone(), Agent::builder().model(model.clone()).hook(Delay(Duration::from_millis(50))))
            .edge("start", id);
    }
    let graph = builder.build().unwrap();
    let began = Instant::now();
    assert_eq!(graph.run("go").await.unwrap().order.len(), 65);
    assert!(began.elapsed() < Duration::from_millis(60), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn no_more_nodes_run_at_once_than_allowed() {
    let mut builder = graph().concurrency(2);
    for index in 0..5 {
        let wait = function(|_: NodeContext, _: NodeInput| async {
            tokio::time::sleep(Duration::from_millis(10)).await;
            Ok::<_, Infallible>("")
        });
        builder = builder.node(format!("n{index}"), wait);
    }
    let began = Instant::now();
    builder.build().unwrap().run("go").await.unwrap();
    assert_eq!(began.elapsed(), Duration::from_millis(30));
}

#[tokio::test(start_paused = true)]
async fn a_node_starts_while_others_are_running() {
    let wait = |millis| {
        function(move |_: NodeContext, _: NodeInput| async move {
            tokio::time::sleep(Duration::from_millis(millis)).await;
            Ok::<_, Infallible>("")
        })
    };
    let graph = graph().node("slow", wait(1000)).node("fast", wait(10)).node("next", wait(10)).edge("fast", "next");
    let response = graph.build().unwrap().run("go").await.unwrap();
    assert_eq!(response.order.iter().map(|id| &**id).collect::<Vec<_>>(), ["fast", "next", "slow"]);
}

#[tokio::test(start_paused = true)]
async fn joins_decide_what_a_node_gets_in_the_order_of_the_edges() {
    for (join, expected) in [
        (Join::All, "Original Task: go\n\nInputs from previous nodes:\n\nFrom slow:\nslow\n\nFrom fast:\nfast"),
        (Join::Any, "Original Task: go\n\nInputs from previous nodes:\n\nFrom fast:\nfast"),
        (Join::AtLeast(2), "Original Task: go\n\nInputs from previous nodes:\n\nFrom slow:\nslow\n\nFrom fast:\nfast"),
    ] {
        let wait = |text: &'static str, millis| {
            function(move |_: NodeContext, _: NodeInput| async move {
                tokio::time::sleep(Duration::from_millis(millis)).await;
                Ok::<_, Infallible>(text)
            })
        };
        let shows =
            function(|_: NodeContext, input: NodeInput| async move { Ok::<_, Infallible>(input.prompt().text()) });
        let graph = graph()
            .node("fast", wait("fast", 1))
            .node("slow", wait("slow", 50))
            .node("join", shows)
            .edge("slow", "join")
            .edge("fast", "join")
            .join("join", join);
        let response = graph.build().unwrap().run("go").await.unwrap();
        assert_eq!(response.results["join"].text(), expected, "{join:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn events_have_the_paths_of_their_nodes() {
    let inner = Graph::builder("inner").node("leaf", agent("leaf", "hi")).build().unwrap();
    let events = events(&graph().node("nested", inner).build().unwrap(), "go").await;
    let paths: Vec<String> = events
        .iter()
        .filter(|event| matches!(event.leaf(), AgentEvent::TextDelta { .. } | AgentEvent::NodeStart { .. }))
        .map(|event| event.path().join("/"))
        .collect();
    assert_eq!(paths, ["", "nested", "nested/leaf"]);
}

#[tokio::test(start_paused = true)]
async fn a_function_prompts_agents_within_the_run() {
    let expert = agent("expert", "42");
    let asks = function(move |ctx: NodeContext, input: NodeInput| {
        let expert = expert.clone();
        async move { Ok::<_, NodeError>(ctx.prompt(&expert, input.task).await?.text()) }
    });
    let graph = graph().node("ask", asks).build().unwrap();
    let response = graph.run("What is it?").await.unwrap();
    assert_eq!((response.text().as_str(), response.response.turns), ("42", 1));
    let events = events(&graph, "What is it?").await;
    let text = events.iter().find(|event| matches!(event.leaf(), AgentEvent::TextDelta { .. })).unwrap();
    assert_eq!(text.path().join("/"), "ask/expert");
}

#[tokio::test(start_paused = true)]
async fn agents_that_keep_their_conversation_go_on_with_it() {
    let counts = |keeps: bool| {
        let model = ScriptedModel::from_fn(|request| ScriptedTurn::text(request.messages.len().to_string()));
        let node = Node::new(Agent::builder().model(model)).keeps_conversation(keeps);
        let node = node.then(|count: &mut u32, _| *count += 1);
        Graph::with_state("loop", 0)
            .node("a", node)
            .node("b", function(|_, _| async { Ok::<_, Infallible>("") }))
            .edge("a", "b")
            .loop_if("b", "a", 3, |_| true)
            .build()
            .unwrap()
    };
    assert_eq!(counts(false).run("go").await.unwrap().results["a"].text(), "1");
    let graph = counts(true);
    let request = PromptRequest::new("go").keep_conversation();
    let response = graph.run(request).await.unwrap();
    assert_eq!(response.results["a"].text(), "5");
    // The next run as well.
    let request = PromptRequest::new("go").continue_from(response.response.continuation.unwrap());
    assert_eq!(graph.run(request).await.unwrap().results["a"].text(), "11");
}

#[tokio::test(start_paused = true)]
async fn limits_hold_over_all_nodes_and_a_run_goes_on_with_others() {
    let store = Store::default();
    let graph = graph()
        .node("a", agent("a", "A"))
        .node("b", agent("b", "B"))
        .node("c", agent("c", "C"))
        .edge("a", "b")
        .edge("b", "c")
        .limits(Limits::new().turns(2))
        .session_manager(store.clone())
        .build()
        .unwrap();
    let stopped = graph.run("go").await.unwrap();
    assert_eq!((stopped.response.stop_reason, stopped.response.turns), (StopReason::LimitTurns, 2));
    let again = graph.run(Prompt::none()).await.unwrap().response;
    assert_eq!((again.stop_reason, again.turns), (StopReason::LimitTurns, 2), "the limit is that of the whole run");
    let request = PromptRequest::new(Prompt::none()).limits(Limits::new().turns(3));
    let ended = graph.run(request).await.unwrap();
    assert_eq!((ended.text().as_str(), ended.response.turns), ("C", 3));
    assert_eq!(ended.results["a"].attempts, 1);
}

#[tokio::test(start_paused = true)]
async fn a_time_limit_ends_a_run_of_functions() {
    let never =
        function(|_: NodeContext, _: NodeInput| async { std::future::pending::<Result<&str, NodeError>>().await });
    let graph = graph().node("never", never).limits(Limits::new().duration(Duration::from_secs(1))).build().unwrap();
    let began = Instant::now();
    assert_eq!(graph.run("go").await.unwrap().response.stop_reason, StopReason::LimitDuration);
    assert!(began.elapsed() < Duration::from_millis(1050), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_run_ends_in_time_and_goes_on_later() {
    let (store, calls) = (Store::default(), Calls::default());
    let counted = calls.clone();
    let slow = function(move |ctx: NodeContext, _: NodeInput| {
        counted.add();
        async move {
            if ctx.attempt() == 1 {
                std::future::pending::<()>().await;
            }
            Ok::<_, NodeError>("second attempt")
        }
    });
    let graph =
        graph().node("a", says("a")).node("slow", slow).edge("a", "slow").session_manager(store).build().unwrap();
    let token = CancellationToken::new();
    let cancelling = token.clone();
    let mut events = graph.stream(PromptRequest::new("go").cancel_with(token));
    let mut cancelled = None;
    let mut reason = None;
    while let Some(event) = events.next().await {
        match event.unwrap() {
            AgentEvent::NodeStart { node, .. } if &*node == "slow" => {
                cancelling.cancel();
                cancelled = Some(Instant::now());
            }
            AgentEvent::Result { response } => reason = Some(response.stop_reason),
            _ => {}
        }
    }
    assert_eq!(reason, Some(StopReason::Cancelled));
    assert!(cancelled.unwrap().elapsed() < Duration::from_millis(50));
    let response = graph.run(Prompt::none()).await.unwrap();
    assert_eq!(response.text(), "second attempt");
    assert_eq!(response.results["a"].attempts, 1);
}

/// Runs a graph until one of its nodes is running, and drops it there.
async fn crash(graph: &Graph, node: &str) {
    let mut events = graph.stream("go".into());
    loop {
        match events.next().await.unwrap().unwrap() {
            AgentEvent::NodeStart { node: started, .. } if &*started == node => break,
            _ => {}
        }
    }
    assert!(futures_util::FutureExt::now_or_never(events.next()).is_none());
}

fn pending_once(calls: Calls) -> Node {
    function(move |_: NodeContext, _: NodeInput| {
        let call = calls.add();
        async move {
            if call == 1 {
                std::future::pending::<()>().await;
            }
            Ok::<_, Infallible>("done")
        }
    })
}

#[tokio::test(start_paused = true)]
async fn a_started_node_runs_again_after_a_crash_unless_it_runs_once() {
    for once in [false, true] {
        let (store, calls) = (Store::default(), Calls::default());
        let node = pending_once(calls.clone());
        let node = if once { node.runs_once() } else { node };
        let graph = graph().node("a", node).session_manager(store.clone()).build().unwrap();
        crash(&graph, "a").await;
        let continued = graph.run(Prompt::none()).await;
        if once {
            let error = continued.unwrap_err();
            let AgentError::Promptable { source, .. } = &error else { panic!("{error:?}") };
            let Some(RunError::Node { source, .. }) = source.downcast_ref() else { panic!("{source:?}") };
            assert!(matches!(**source, NodeError::OutcomeUnknown));
            // It stays so.
            assert!(text(&graph.run(Prompt::none()).await.unwrap_err()).contains("may run only once"));
            assert_eq!(calls.get(), 1);
        } else {
            let response = continued.unwrap();
            assert_eq!((response.text().as_str(), response.results["a"].attempts), ("done", 2));
            assert_eq!(calls.get(), 2);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_unfinished_run_takes_no_other_task() {
    let (store, calls) = (Store::default(), Calls::default());
    let graph = graph().node("a", pending_once(calls)).session_manager(store.clone()).build().unwrap();
    crash(&graph, "a").await;
    let before = store.document();
    let error = graph.run("another task").await.unwrap_err();
    let AgentError::Promptable { source, .. } = &error else { panic!("{error:?}") };
    assert!(matches!(source.downcast_ref(), Some(RunError::Unfinished)));
    assert_eq!(store.document(), before);
    // The same request again continues it.
    assert_eq!(graph.run("go").await.unwrap().text(), "done");
    // A run that has ended returns its response again, and another one can start.
    assert_eq!(graph.run(Prompt::none()).await.unwrap().text(), "done");
    assert_eq!(graph.run("another task").await.unwrap().results["a"].attempts, 1);
}

#[tokio::test(start_paused = true)]
async fn a_failed_run_makes_another_attempt_with_an_empty_prompt() {
    let (store, calls) = (Store::default(), Calls::default());
    let graph = graph()
        .node("a", says("a"))
        .node("b", fails(1, calls.clone()))
        .node("c", echoes())
        .edge("a", "b")
        .edge("b", "c")
        .session_manager(store)
        .build()
        .unwrap();
    graph.run("go").await.unwrap_err();
    let response = graph.run(Prompt::none()).await.unwrap();
    assert_eq!(response.text(), "recovered");
    assert_eq!((response.results["a"].attempts, response.results["b"].attempts), (1, 2));
}

#[tokio::test(start_paused = true)]
async fn a_run_of_another_graph_is_not_restored_and_stays() {
    let store = Store::default();
    let one = graph().node("a", fails(1, Calls::default())).session_manager(store.clone()).build().unwrap();
    one.run("go").await.unwrap_err();
    let before = store.document();
    let other = graph()
        .node("a", says("a"))
        .node("b", says("b"))
        .edge("a", "b")
        .session_manager(store.clone())
        .build()
        .unwrap();
    let error = other.run(Prompt::none()).await.unwrap_err();
    assert!(text(&error).contains("the nodes or the edges of the graph have changed"), "{}", text(&error));
    assert_eq!(store.document(), before);
}

/// Returns the error within nested graphs.
fn innermost(error: &AgentError) -> &AgentError {
    if let AgentError::Promptable { source, .. } = error
        && let Some(RunError::Node { source, .. }) = source.downcast_ref()
        && let NodeError::Agent(inner) = &**source
    {
        return innermost(inner);
    }
    error
}

#[tokio::test(start_paused = true)]
async fn nesting_without_end_is_an_error() {
    let mut nested = Graph::builder("level-0").node("leaf", says("deep")).build().unwrap();
    for level in 1..200 {
        nested = Graph::builder(format!("level-{level}")).node("inner", nested).build().unwrap();
    }
    let error = nested.run("go").await.unwrap_err();
    assert!(matches!(innermost(&error), AgentError::NestedTooDeep { limit: 10, .. }), "{error:?}");
    drop(nested);
}

#[tokio::test(start_paused = true)]
async fn usage_and_status_of_each_node_are_in_its_result() {
    let graph = graph().node("a", agent("a", "A")).node("b", says("b")).build().unwrap();
    let response = graph.run("go").await.unwrap();
    assert_eq!(response.response.usage.total_tokens, response.results["a"].usage.total_tokens);
    assert!(response.response.usage.total_tokens > 0);
    assert_eq!((response.results["a"].turns, response.results["b"].turns), (1, 0));
    assert_eq!(response.results["a"].status, NodeStatus::Completed);
    assert_eq!(response.results["a"].stop_reason, Some(StopReason::EndTurn));
}

#[tokio::test(start_paused = true)]
async fn nodes_that_end_together_share_a_write() {
    let store = Store::default();
    let mut builder = graph().session_manager(store.clone());
    for index in 0..40 {
        builder = builder.node(format!("n{index}"), says("x"));
    }
    builder.build().unwrap().run("go").await.unwrap();
    assert!(store.writes() < 10, "{} writes", store.writes());
}
