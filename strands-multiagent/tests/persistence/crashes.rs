//! Crashes between any two saves, and in a node.

use std::convert::Infallible;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use strands::multiagent::{Graph, NodeContext, NodeError, NodeInput, NodeOutput, RunError, function};
use strands::testing::InMemorySessionManager;
use strands::{AgentError, Prompt, Promptable, StreamExt};
use tokio::sync::watch;

use super::{DIAMOND, DIAMOND_EDGES, Ledger, graph, ids};

#[tokio::test(start_paused = true)]
async fn a_node_runs_only_once_it_is_recorded_as_started() {
    let session = InMemorySessionManager::new("s-1");
    let node = || {
        let session = session.clone();
        function(move |ctx: NodeContext, input: NodeInput| {
            let stored = session.multi_agent("news").unwrap();
            async move {
                assert_eq!(stored["status"], "executing");
                assert!(ids(&stored, "next_nodes_to_execute").iter().any(|id| id == ctx.node()), "{stored}");
                for source in &input.from {
                    assert_eq!(stored["node_results"][&*source.node]["status"], "completed", "{stored}");
                }
                Ok::<_, Infallible>(NodeOutput::text("done"))
            }
        })
    };
    let graph = DIAMOND.iter().fold(Graph::builder("news"), |graph, id| graph.node(*id, node()));
    let graph = DIAMOND_EDGES.iter().fold(graph, |graph, (from, to)| graph.edge(*from, *to));
    let response = graph.session_manager(session.clone()).build().unwrap().run("bees").await.unwrap();
    assert_eq!(response.order.len(), 4);
    let stored = session.multi_agent("news").unwrap();
    assert_eq!(stored["status"], "completed");
    assert_eq!(ids(&stored, "next_nodes_to_execute"), [""; 0]);
    assert_eq!(ids(&stored, "execution_order"), ["a", "b", "c", "d"]);
    assert_eq!(stored["current_task"], "bees");
}

/// Ends a process at the save with this number, and continues the run in others that are not ended.
async fn crash_at(save: usize, is_dropped: bool) -> bool {
    let session = InMemorySessionManager::new("s-1");
    let ledger = Ledger::default();
    let build = || graph(&ledger, &DIAMOND, &DIAMOND_EDGES, &session).build().unwrap();
    session.fail_after(Some(save));
    let has_ended = if is_dropped {
        let graph = build();
        let mut events = graph.stream("bees".into());
        let mut ended = false;
        while let Some(event) = events.next().await {
            let Ok(event) = event else { break };
            ended |= matches!(event, strands::AgentEvent::Result { .. });
        }
        ended
    } else {
        build().run("bees").await.is_ok()
    };
    session.fail_after(None);
    let before = ledger.take();
    let stored = session.multi_agent("news");
    let recorded = |node: &String| {
        let results = stored.as_ref().and_then(|stored| stored["node_results"].as_object());
        results.is_some_and(|results| results.contains_key(node))
    };
    if has_ended {
        return true;
    }
    let request = if stored.is_some() { Prompt::none() } else { "bees".into() };
    let response = build().run(request).await.unwrap();
    let after = ledger.take();
    for node in DIAMOND.map(str::to_owned) {
        let expected = usize::from(!recorded(&node));
        assert_eq!(
            after.iter().filter(|ran| **ran == node).count(),
            expected,
            "{save}: {node} of {before:?}, {after:?}"
        );
    }
    assert_eq!(response.text(), "d of 2");
    assert_eq!(response.results["b"].text(), "b of 1");
    assert_eq!(session.multi_agent("news").unwrap()["status"], "completed");
    false
}

#[tokio::test(start_paused = true)]
async fn recorded_nodes_never_run_again_after_a_crash_at_any_save() {
    for is_dropped in [false, true] {
        let mut saves = 0;
        while !crash_at(saves, is_dropped).await {
            saves += 1;
        }
        assert!((4..=12).contains(&saves), "{saves} saves of four nodes");
    }
}

/// Returns a graph of three nodes, the second of which waits until `open` is true.
fn waiting(ledger: &Ledger, session: &InMemorySessionManager, open: &watch::Receiver<bool>, runs_once: bool) -> Graph {
    let (record, open) = (ledger.clone(), open.clone());
    let waits = function(move |ctx: NodeContext, _: NodeInput| {
        record.write(ctx.node());
        let mut open = open.clone();
        async move {
            open.wait_for(|open| *open).await.map_err(|error| NodeError::new(error.to_string()))?;
            Ok::<_, NodeError>(NodeOutput::text("b"))
        }
    });
    let waits = if runs_once { waits.runs_once() } else { waits };
    let graph = Graph::builder("news").node("a", ledger.node()).node("b", waits).node("c", ledger.node());
    graph.edge("a", "b").edge("b", "c").session_manager(session.clone()).build().unwrap()
}

/// Polls a run until its second node waits, and drops it.
async fn drop_in_node(graph: &Graph, ledger: &Ledger) {
    let mut events = graph.stream("bees".into());
    while ledger.0.lock().unwrap().len() < 2 {
        events.next().await.unwrap().unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_node_that_was_running_at_the_crash_runs_again() {
    let (session, ledger) = (InMemorySessionManager::new("s-1"), Ledger::default());
    let (open, is_open) = watch::channel(false);
    drop_in_node(&waiting(&ledger, &session, &is_open, false), &ledger).await;
    assert_eq!(ledger.take(), ["a", "b"]);
    open.send(true).unwrap();
    // The same task again, as by a client that repeats its request.
    let response = waiting(&ledger, &session, &is_open, false).run("bees").await.unwrap();
    assert_eq!(ledger.take(), ["b", "c"]);
    assert_eq!(response.results["b"].attempts, 2);
}

#[tokio::test(start_paused = true)]
async fn a_node_that_runs_once_fails_after_a_crash() {
    let (session, ledger) = (InMemorySessionManager::new("s-1"), Ledger::default());
    let (open, is_open) = watch::channel(false);
    drop_in_node(&waiting(&ledger, &session, &is_open, true), &ledger).await;
    open.send(true).unwrap();
    ledger.take();
    let error = waiting(&ledger, &session, &is_open, true).run(Prompt::none()).await.unwrap_err();
    let AgentError::Promptable { source, .. } = &error else { panic!("{error}") };
    let Some(RunError::Node { node, source }) = source.downcast_ref::<RunError>() else { panic!("{error}") };
    assert_eq!(&**node, "b");
    assert!(matches!(**source, NodeError::OutcomeUnknown), "{source}");
    assert_eq!(ledger.take(), [""; 0]);
    assert_eq!(session.multi_agent("news").unwrap()["status"], "failed");
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Draft {
    facts: u32,
}

#[tokio::test(start_paused = true)]
async fn the_state_is_stored_with_the_result_that_changed_it() {
    let session = InMemorySessionManager::new("s-1");
    let counts = || {
        function(|_: NodeContext<Draft>, _: NodeInput| async {
            Ok::<_, Infallible>(NodeOutput::text("fact").update(|draft: &mut Draft| draft.facts += 1))
        })
    };
    let fails = |fails: bool| {
        function(move |_: NodeContext<Draft>, _: NodeInput| async move {
            if fails { Err(NodeError::new("disk full")) } else { Ok(NodeOutput::text("written")) }
        })
    };
    let build = |is_failing: bool| {
        let graph =
            Graph::with_state("news", Draft::default()).node("count", counts()).node("write", fails(is_failing));
        let graph = graph.edge_if("count", "write", |draft: &Draft| draft.facts == 1);
        graph.session_manager(session.clone()).build().unwrap()
    };
    build(true).run("bees").await.unwrap_err();
    let stored = session.multi_agent("news").unwrap();
    assert_eq!(stored["_internal_state"]["run"]["state"]["state"], serde_json::json!({"facts": 1}));
    assert_eq!(ids(&stored, "failed_nodes"), ["write"]);
    assert_eq!(stored["node_results"]["write"]["result"]["type"], "exception");
    let response = build(false).run(Prompt::none()).await.unwrap();
    assert_eq!(response.state, Draft { facts: 1 });
    assert_eq!(response.text(), "written");
}

#[tokio::test(start_paused = true)]
async fn of_two_workers_that_continue_one_run_one_gets_a_conflict() {
    let (session, ledger) = (InMemorySessionManager::new("s-1"), Ledger::default());
    let (open, is_open) = watch::channel(false);
    drop_in_node(&waiting(&ledger, &session, &is_open, false), &ledger).await;
    ledger.take();
    open.send(true).unwrap();
    session.set_latency(Some(std::time::Duration::from_millis(1)));
    let (one, other) = (waiting(&ledger, &session, &is_open, false), waiting(&ledger, &session, &is_open, false));
    let (one, other) = tokio::join!(one.run(Prompt::none()), other.run(Prompt::none()));
    let (done, refused) = if one.is_ok() { (one, other) } else { (other, one) };
    assert_eq!(done.unwrap().text(), "c of 1");
    let error = refused.unwrap_err();
    assert!(matches!(&error, AgentError::Session(error) if error.is_conflict()), "{error}");
    assert_eq!(ledger.take(), ["b", "c"]);
}

#[tokio::test(start_paused = true)]
async fn results_are_stored_once() {
    let (session, ledger) = (InMemorySessionManager::new("s-1"), Ledger::default());
    graph(&ledger, &DIAMOND, &DIAMOND_EDGES, &session).build().unwrap().run("a task about bees").await.unwrap();
    let stored = session.multi_agent("news").unwrap();
    let of_strands = stored["node_results"].to_string();
    assert!(of_strands.contains("c of 1"));
    let own: &Value = &stored["_internal_state"]["run"];
    assert!(!own.to_string().contains("c of 1") && !own.to_string().contains("about bees"), "{own}");
}
