//! Cancellation and failures of hooks, at moments at which something else is in progress.

use std::convert::Infallible;
use std::sync::mpsc;
use std::time::Duration;

use strands::async_trait;
use strands::hook::HookResult;
use strands::models::StopReason;
use strands::multiagent::{
    AfterRun, BeforeNode, Graph, GraphBuilder, GraphResponse, Node, NodeContext, NodeHook, NodeInput, function,
};
use strands::{AgentError, CancellationToken, Limits, Prompt, PromptRequest};
use tokio::time::Instant;

use crate::steps::{Calls, says, text};
use crate::store::Store;

/// Time in which a stopped run ends.
const END: Duration = Duration::from_millis(50);

/// Runs work in paused time, and panics if it does not end: a run that spins would never let the paused time go on.
fn ends<F: Future<Output = ()>>(work: impl FnOnce() -> F + Send + 'static) {
    let (ended, end) = mpsc::channel();
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(work());
        ended.send(()).unwrap();
    });
    match end.recv_timeout(Duration::from_secs(60)) {
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("it does not end"),
        _ => thread.join().unwrap(),
    }
}

/// Runs a graph that is cancelled after a while. Returns the time from then on as well.
async fn cancelled(graph: &Graph, after: Duration) -> (Result<GraphResponse, AgentError>, Duration) {
    let token = CancellationToken::new();
    let run = graph.run(PromptRequest::new("go").cancel_with(token.clone()));
    let cancel = async {
        tokio::time::sleep(after).await;
        token.cancel();
        Instant::now()
    };
    let ended = async { (run.await, Instant::now()) };
    let ((response, end), cancelled) = tokio::join!(ended, cancel);
    assert!(end >= cancelled, "it ended before");
    (response, end - cancelled)
}

fn counts(calls: &Calls) -> Node {
    let calls = calls.clone();
    function(move |_: NodeContext, _: NodeInput| {
        calls.add();
        async { Ok::<_, Infallible>("counted") }
    })
}

fn ignores_cancellation() -> Node {
    function(|_: NodeContext, _: NodeInput| async {
        tokio::time::sleep(Duration::from_secs(60)).await;
        Ok::<_, Infallible>("late")
    })
}

fn graph(store: &Store) -> GraphBuilder {
    Graph::builder("stopped").session_manager(store.clone())
}

#[test]
fn a_run_that_is_cancelled_during_a_save_ends_and_goes_on_later() {
    for after in [10, 130, 250] {
        ends(move || async move {
            let (store, calls) = (Store::slow(Duration::from_millis(120)), Calls::default());
            let build = || graph(&store).node("a", says("a")).node("b", counts(&calls)).edge("a", "b").build().unwrap();
            let (response, time) = cancelled(&build(), Duration::from_millis(after)).await;
            assert!(time <= END, "{time:?}");
            assert_eq!(response.unwrap().response.stop_reason, StopReason::Cancelled);
            let task = if store.document().is_some() { Prompt::none() } else { Prompt::from("go") };
            assert_eq!(build().run(task).await.unwrap().text(), "counted");
        });
    }
}

#[tokio::test(start_paused = true)]
async fn a_node_that_runs_once_and_never_began_runs_later() {
    let (store, calls) = (Store::slow(Duration::from_millis(10)), Calls::default());
    let graph = graph(&store).node("a", counts(&calls).runs_once()).build().unwrap();
    let (response, _) = cancelled(&graph, Duration::from_millis(5)).await;
    assert_eq!(response.unwrap().response.stop_reason, StopReason::Cancelled);
    assert_eq!((store.writes(), calls.get()), (2, 0));
    assert_eq!(graph.run(Prompt::none()).await.unwrap().text(), "counted");
    assert_eq!(calls.get(), 1);
}

/// Fails before nodes, as often as it is told.
struct FailsBefore(u32, Calls);

#[async_trait]
impl NodeHook for FailsBefore {
    async fn before_node(&self, event: &mut BeforeNode<'_>) -> HookResult {
        if event.node == "a" && self.1.add() <= self.0 {
            return Err("the hook failed".into());
        }
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn a_node_that_runs_once_runs_after_a_failure_of_a_hook_before_it() {
    let (store, calls) = (Store::default(), Calls::default());
    let graph = graph(&store).node("a", counts(&calls).runs_once()).hook(FailsBefore(1, Calls::default()));
    let graph = graph.build().unwrap();
    assert!(text(&graph.run("go").await.unwrap_err()).contains("the hook failed"));
    assert_eq!(graph.run(Prompt::none()).await.unwrap().text(), "counted");
    assert_eq!(calls.get(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_failed_hook_ends_the_run_while_other_nodes_run() {
    for store in [None, Some(Store::default())] {
        let mut graph = Graph::builder("stopped").node("b", ignores_cancellation()).node("a", says("a"));
        graph = graph.hook(FailsBefore(9, Calls::default()));
        if let Some(store) = store {
            graph = graph.session_manager(store);
        }
        let (graph, began) = (graph.build().unwrap(), Instant::now());
        assert!(text(&graph.run("go").await.unwrap_err()).contains("the hook failed"));
        assert!(began.elapsed() <= END, "{:?}", began.elapsed());
    }
}

/// Counts runs, some time after they have ended.
struct SlowAfterRun(Calls);

#[async_trait]
impl NodeHook for SlowAfterRun {
    async fn after_run(&self, _: &mut AfterRun<'_>) -> HookResult {
        tokio::time::sleep(Duration::from_secs(10)).await;
        self.0.add();
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_cancelled_during_a_hook_after_it_ends() {
    let calls = Calls::default();
    let graph = Graph::builder("stopped").node("a", says("a")).hook(SlowAfterRun(calls.clone())).build().unwrap();
    let (response, time) = cancelled(&graph, Duration::from_secs(1)).await;
    assert!(time <= END, "{time:?}");
    assert_eq!((response.unwrap().text().as_str(), calls.get()), ("a", 0));
    graph.run("go").await.unwrap();
    assert_eq!(calls.get(), 1, "a run waits for the hook");
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_out_of_time_during_a_hook_after_it_ends() {
    let calls = Calls::default();
    let graph = Graph::builder("stopped").node("a", says("a")).hook(SlowAfterRun(calls.clone())).build().unwrap();
    let (began, limits) = (Instant::now(), Limits::new().duration(Duration::from_secs(1)));
    let response = graph.run(PromptRequest::new("go").limits(limits)).await.unwrap();
    assert!(began.elapsed() <= Duration::from_secs(1) + END, "{:?}", began.elapsed());
    assert_eq!((response.text().as_str(), calls.get()), ("a", 0));
}
