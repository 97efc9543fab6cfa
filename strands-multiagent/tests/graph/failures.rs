//! Failures of nodes: retries, timeouts, panics, and their policies.

use std::convert::Infallible;
use std::time::Duration;

use strands::hook::HookResult;
use strands::models::StopReason;
use strands::multiagent::{
    AfterNode, Failure, Graph, Node, NodeContext, NodeError, NodeHook, NodeInput, NodeOutput, NodeStatus, RunError,
    function,
};
use strands::serde_json::json;
use strands::{AgentError, AgentEvent, Prompt, PromptRequest, Promptable, RetryPolicy, StreamExt, async_trait};

use crate::steps::{Calls, agent, echoes, events, fails, graph, says, text};
use crate::store::Store;

fn quickly(attempts: u32) -> RetryPolicy {
    RetryPolicy::new().max_attempts(attempts).initial_delay(Duration::from_millis(10))
}

#[tokio::test(start_paused = true)]
async fn a_failed_node_ends_the_run_with_a_typed_error() {
    let calls = Calls::default();
    let graph = graph().node("a", fails(1, calls.clone())).node("b", says("b")).edge("a", "b").build().unwrap();
    let error = graph.run("go").await.unwrap_err();
    let AgentError::Promptable { name, source } = &error else { panic!("{error:?}") };
    assert_eq!(name, "test");
    let Some(RunError::Node { node, source }) = source.downcast_ref() else { panic!("{source:?}") };
    assert_eq!((&**node, source.to_string().as_str()), ("a", "failure 1"));
    assert_eq!(text(&error), "`test` failed: the node `a` failed: failure 1");
    assert_eq!(calls.get(), 1);
}

#[tokio::test(start_paused = true)]
async fn failed_attempts_are_repeated_with_backoff() {
    let calls = Calls::default();
    let graph = graph().node("a", fails(2, calls.clone()).retry(quickly(3))).build().unwrap();
    let events = events(&graph, "go").await;
    let kinds: Vec<String> = events
        .iter()
        .filter_map(|event| match event {
            AgentEvent::NodeStart { attempt, .. } => Some(format!("start {attempt}")),
            AgentEvent::NodeRetry { attempt, error, .. } => Some(format!("retry {attempt}: {error}")),
            AgentEvent::NodeEnd { attempt, status, .. } => Some(format!("end {attempt}: {status}")),
            _ => None,
        })
        .collect();
    assert_eq!(
        kinds,
        ["start 1", "retry 1: failure 1", "start 2", "retry 2: failure 2", "start 3", "end 3: completed"]
    );

    let graph = graph_with_retries(Calls::default());
    assert!(text(&graph.run("go").await.unwrap_err()).ends_with("the node `a` failed: failure 2"));
}

fn graph_with_retries(calls: Calls) -> Graph {
    graph().node("a", fails(9, calls).retry(quickly(2))).build().unwrap()
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_takes_too_long_fails() {
    let slow = function(|_: NodeContext, _: NodeInput| async {
        tokio::time::sleep(Duration::from_secs(60)).await;
        Ok::<_, Infallible>("late")
    });
    let graph = graph().node("slow", slow.timeout(Duration::from_secs(2))).build().unwrap();
    let began = tokio::time::Instant::now();
    assert!(text(&graph.run("go").await.unwrap_err()).ends_with("the node `slow` failed: timed out after 2s"));
    assert_eq!(began.elapsed(), Duration::from_secs(2));
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_a_failure_of_its_node() {
    let panics = function(|_: NodeContext, _: NodeInput| async {
        if true {
            panic!("oh no");
        }
        Ok::<_, Infallible>("")
    });
    let graph = graph().node("a", panics.on_failure(Failure::Skip)).node("b", says("b")).build().unwrap();
    let response = graph.run("go").await.unwrap();
    assert_eq!(response.text(), "b");
    assert_eq!(response.results["a"].error.as_deref(), Some("panicked: oh no"));
}

#[tokio::test(start_paused = true)]
async fn a_skipped_failure_skips_only_its_branch() {
    let failing = || fails(9, Calls::default()).on_failure(Failure::Skip);
    let graph = graph()
        .node("a", failing())
        .node("after a", says("no"))
        .node("b", says("b"))
        .node("join", echoes())
        .edge("a", "after a")
        .edge("after a", "join")
        .edge("b", "join");
    assert!(graph.build().is_err(), "an id can't have a blank");
    let graph = crate::steps::graph()
        .node("a", failing())
        .node("after", says("no"))
        .node("b", says("b"))
        .node("join", echoes())
        .edge("a", "after")
        .edge("after", "join")
        .edge("b", "join")
        .build()
        .unwrap();
    let response = graph.run("go").await.unwrap();
    assert_eq!(response.text(), "b");
    assert_eq!(response.results["a"].status, NodeStatus::Failed);
    assert!(!response.results.contains_key("after"));
    let events = events(&graph, "go").await;
    assert!(events.iter().any(|event| matches!(event, AgentEvent::NodeSkip { node } if &**node == "after")));
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_routed_to_an_error_node() {
    let graph = |times| {
        graph()
            .node("work", fails(times, Calls::default()).on_failure(Failure::route("repair")))
            .node("repair", echoes())
            .node("done", echoes())
            .edge("work", "done")
            .build()
            .unwrap()
    };
    let failed = graph(1).run("go").await.unwrap();
    assert_eq!(failed.text(), "work failed: failure 1");
    assert!(!failed.results.contains_key("done"));
    let completed = graph(0).run("go").await.unwrap();
    assert_eq!(completed.text(), "recovered");
    assert!(!completed.results.contains_key("repair"));
}

#[tokio::test(start_paused = true)]
async fn others_go_on_to_their_end_after_a_failure_and_no_more_start() {
    let (ended, started) = (Calls::default(), Calls::default());
    let (end, start) = (ended.clone(), started.clone());
    let slow = function(move |_: NodeContext, _: NodeInput| {
        let end = end.clone();
        async move {
            tokio::time::sleep(Duration::from_secs(1)).await;
            end.add();
            Ok::<_, Infallible>("slow")
        }
    });
    let late = function(move |_: NodeContext, _: NodeInput| {
        start.add();
        async { Ok::<_, Infallible>("late") }
    });
    let graph =
        graph().node("slow", slow).node("bad", fails(1, Calls::default())).node("late", late).edge("slow", "late");
    assert!(graph.build().unwrap().run("go").await.is_err());
    assert_eq!((ended.get(), started.get()), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_reaches_its_own_limits_fails_its_node() {
    let limited = agent("a", "hi").limits(strands::Limits::new().turns(0));
    let graph = graph().node("a", limited).build().unwrap();
    let error = text(&graph.run("go").await.unwrap_err());
    assert!(error.ends_with("the node `a` failed: it ended with `limit_turns`"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn an_output_of_another_type_fails_the_node() {
    let node = Node::<u32>::new(agent("a", "no tool call")).output_into(|state, value: u32| *state = value);
    let graph = Graph::with_state("typed", 0_u32).node("a", node).build().unwrap();
    let error = graph.run("go").await.unwrap_err();
    assert!(text(&error).contains("the node `a` failed"), "{}", text(&error));
}

#[tokio::test(start_paused = true)]
async fn errors_in_boxes_keep_their_kind() {
    let boxed: Box<dyn std::error::Error + Send + Sync> = NodeError::OutcomeUnknown.into();
    assert!(matches!(NodeError::from(boxed), NodeError::OutcomeUnknown));
}

/// Fails after the first node.
struct FailsOnce(Calls);

#[async_trait]
impl NodeHook for FailsOnce {
    async fn after_node(&self, _: &mut AfterNode<'_>) -> HookResult {
        if self.0.add() == 1 { Err("the audit log is full".into()) } else { Ok(()) }
    }
}

#[tokio::test(start_paused = true)]
async fn a_node_that_has_ended_does_not_run_again_for_the_sake_of_a_hook() {
    let (calls, hook, store) = (Calls::default(), Calls::default(), Store::default());
    let graph = || {
        let graph = graph().node("pay", fails(0, calls.clone())).node("say", echoes()).edge("pay", "say");
        graph.hook(FailsOnce(hook.clone())).session_manager(store.clone()).build().unwrap()
    };
    let error = graph().run("go").await.unwrap_err();
    assert!(matches!(error, AgentError::Hook { event: "after_node", .. }), "{error}");
    assert_eq!(graph().run(Prompt::none()).await.unwrap().text(), "recovered");
    assert_eq!(calls.get(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_was_planned_is_made_after_the_error_of_a_hook() {
    let (calls, hook, store) = (Calls::default(), Calls::default(), Store::default());
    let graph = || {
        let pay = fails(1, calls.clone()).retry(quickly(2)).on_failure(Failure::Skip);
        graph().node("pay", pay).hook(FailsOnce(hook.clone())).session_manager(store.clone()).build().unwrap()
    };
    let error = graph().run("go").await.unwrap_err();
    assert!(matches!(error, AgentError::Hook { event: "after_node", .. }), "{error}");
    assert_eq!(graph().run(Prompt::none()).await.unwrap().text(), "recovered");
}

/// Runs a graph for a second, and drops it.
async fn cut_off(graph: &impl Promptable) {
    let mut events = graph.stream("go".into());
    tokio::time::timeout(Duration::from_secs(1), async { while events.next().await.is_some() {} }).await.unwrap_err();
}

#[tokio::test(start_paused = true)]
async fn an_item_that_has_failed_and_runs_once_does_not_run_again_after_a_crash() {
    let (failing, store) = (Calls::default(), Store::default());
    let graph = || {
        let failing = failing.clone();
        let each = function(move |_: NodeContext, input: NodeInput| {
            let failing = failing.clone();
            async move {
                if input.item == Some(0.into()) {
                    failing.add();
                    return Err(NodeError::new("no"));
                }
                std::future::pending::<Result<&str, NodeError>>().await
            }
        });
        let each = each.for_each(2, |_, _| vec![0, 1]).runs_once().on_failure(Failure::Skip);
        graph().node("each", each).session_manager(store.clone()).build().unwrap()
    };
    cut_off(&graph()).await;
    assert_eq!(graph().run(Prompt::none()).await.unwrap().results["each"].status, NodeStatus::Failed);
    assert_eq!(failing.get(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_list_that_a_crash_has_ended_counts_once() {
    let store = Store::default();
    let graph = || {
        let stuck = function(|_: NodeContext, _: NodeInput| std::future::pending::<Result<&str, NodeError>>());
        let list = stuck.for_each(3, |_, _| vec![0, 1, 2]).runs_once().on_failure(Failure::Skip);
        let asks = function(|ctx: NodeContext, _: NodeInput| async move {
            Ok::<_, NodeError>(ctx.interrupt("sure", "?")?.to_string())
        });
        let graph = graph().node("list", list).node("asks", asks).node("after", echoes());
        graph.edge("list", "after").edge("asks", "after").session_manager(store.clone()).build().unwrap()
    };
    cut_off(&graph()).await;
    let waiting = graph().run(Prompt::none()).await.unwrap().response;
    assert_eq!((waiting.stop_reason, waiting.interrupts.len()), (StopReason::Interrupt, 1));
    let request = PromptRequest::new(Prompt::none()).resume([waiting.interrupts[0].respond(true)]);
    assert_eq!(graph().run(request).await.unwrap().text(), "true");
}

#[tokio::test(start_paused = true)]
async fn a_run_that_a_crash_has_ended_takes_another_task() {
    let store = Store::default();
    let graph = || {
        let stuck = function(|_: NodeContext, input: NodeInput| async move {
            if input.text() == "go" { std::future::pending().await } else { Ok::<_, NodeError>("done") }
        });
        let stuck = stuck.runs_once().on_failure(Failure::Skip);
        graph().node("pay", stuck).session_manager(store.clone()).build().unwrap()
    };
    cut_off(&graph()).await;
    assert_eq!(graph().run(Prompt::none()).await.unwrap().results["pay"].status, NodeStatus::Failed);
    assert_eq!(graph().run("another task").await.unwrap().text(), "done");
}

#[tokio::test(start_paused = true)]
async fn an_output_that_nests_too_deep_to_be_stored_fails_the_node() {
    let deep = |levels: u32| (0..levels).fold(json!("leaf"), |value, _| json!([value]));
    for (levels, is_list) in [(100, false), (100, true), (101, false), (101, true)] {
        let store = Store::default();
        let nests = function(move |_: NodeContext, _: NodeInput| async move {
            NodeOutput::json(deep(levels)).map_err(|error| NodeError::new(error.to_string()))
        });
        let nests = if is_list { nests.for_each(1, |(), _| vec![0]) } else { nests };
        let graph = graph().node("a", nests).node("b", fails(1, Calls::default())).edge("a", "b");
        let graph = graph.session_manager(store.clone()).build().unwrap();
        let failed = text(&graph.run("go").await.unwrap_err());
        if levels == 100 {
            assert!(failed.ends_with("the node `b` failed: failure 1"), "{failed}");
            assert_eq!(graph.run(Prompt::none()).await.unwrap().text(), "recovered");
        } else {
            assert!(failed.contains("no valid `NodeOutput`: its JSON nests deeper than 100 levels"), "{failed}");
            assert!(graph.discard_run().await.unwrap());
        }
    }
}
