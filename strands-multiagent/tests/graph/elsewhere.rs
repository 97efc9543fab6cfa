//! Nodes whose work is elsewhere: the keys by which it is recognized. And the output that others request of a graph.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use strands::multiagent::{Graph, Node};
use strands::testing::ScriptedModel;
use strands::{Agent, AgentError, AgentEvent, Prompt, PromptRequest, PromptStream, Promptable, StreamExt};
use tokio::sync::Notify;

use crate::steps::text;
use crate::store::Store;

/// An agent that records the keys of its requests, and never responds to the first ones.
#[derive(Clone, Default)]
struct Elsewhere {
    keys: Arc<Mutex<Vec<Option<String>>>>,
    stuck: Arc<AtomicUsize>,
    prompted: Arc<Notify>,
}

impl Promptable for Elsewhere {
    fn name(&self) -> &str {
        "elsewhere"
    }

    fn is_idempotent(&self) -> bool {
        true
    }

    fn stream(&self, request: PromptRequest) -> PromptStream {
        self.keys.lock().unwrap().push(request.idempotency_key.clone());
        self.prompted.notify_one();
        if self.stuck.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok() {
            return Box::pin(futures_util::stream::pending());
        }
        Agent::builder().model(ScriptedModel::responding("done")).stream(request)
    }
}

#[tokio::test(start_paused = true)]
async fn a_start_that_is_repeated_after_a_crash_has_the_same_key() {
    let (agent, store) = (Elsewhere::default(), Store::default());
    agent.stuck.store(2, Ordering::Relaxed);
    let graph = || Graph::builder("g").node("far", agent.clone()).session_manager(store.clone()).build().unwrap();
    for task in [Prompt::from("go"), Prompt::none()] {
        let graph = graph();
        let mut events = graph.stream(task.into());
        loop {
            tokio::select! {
                () = agent.prompted.notified() => break,
                event = events.next() => assert!(event.is_some()),
            }
        }
    }
    assert_eq!(graph().run(Prompt::none()).await.unwrap().text(), "done");
    graph().run("another task").await.unwrap();

    let keys = agent.keys.lock().unwrap().clone();
    assert!(keys[0].is_some() && keys[0] == keys[1] && keys[1] == keys[2], "{keys:?}");
    assert_ne!(keys[2], keys[3], "another run");
}

#[tokio::test(start_paused = true)]
async fn the_key_of_a_run_without_a_session_names_the_work() {
    let agent = Elsewhere::default();
    let graph = Graph::builder("g").node("far", agent.clone()).build().unwrap();
    for task in ["Oslo", "Oslo", "Paris"] {
        let mut request = PromptRequest::new(task);
        request.idempotency_key = Some("call-1".into());
        graph.run(request).await.unwrap();
    }
    let keys = agent.keys.lock().unwrap().clone();
    assert_eq!(keys[0], keys[1], "the run is repeated");
    assert_ne!(keys[1], keys[2], "it begins anew with another prompt");
}

/// An agent that never responds. Records whether its request was cancelled when its stream was dropped.
#[derive(Clone, Default)]
struct Silent(Arc<Mutex<Vec<bool>>>);

/// Records the state of a request when it is dropped.
struct OnDrop(Silent, PromptRequest);

impl Drop for OnDrop {
    fn drop(&mut self) {
        self.0.0.lock().unwrap().push(self.1.cancellation.is_cancelled());
    }
}

impl Promptable for Silent {
    fn name(&self) -> &str {
        "silent"
    }

    fn stream(&self, request: PromptRequest) -> PromptStream {
        let held = OnDrop(self.clone(), request);
        Box::pin(futures_util::stream::poll_fn(move |_| {
            let _ = &held;
            std::task::Poll::Pending
        }))
    }
}

#[tokio::test(start_paused = true)]
async fn a_node_that_is_out_of_time_is_cancelled_elsewhere() {
    let agent = Silent::default();
    let node = Node::new(agent.clone()).timeout(Duration::from_secs(1));
    let error = Graph::builder("g").node("far", node).build().unwrap().run("go").await.unwrap_err();
    assert!(text(&error).contains("timed out after 1s"), "{}", text(&error));
    assert_eq!(*agent.0.lock().unwrap(), [true]);

    // Work elsewhere outlives a run that is dropped, since another process goes on with it.
    let graph = Graph::builder("g").node("far", agent.clone()).session_manager(Store::default()).build().unwrap();
    let mut events = graph.stream("go".into());
    tokio::time::timeout(Duration::from_secs(1), async { while events.next().await.is_some() {} }).await.unwrap_err();
    drop(events);
    assert_eq!(*agent.0.lock().unwrap(), [true, false]);
}

async fn output_of(text: &'static str) -> Result<Option<Value>, AgentError> {
    let graph = Graph::builder("g").node("a", Agent::builder().model(ScriptedModel::responding(text))).build().unwrap();
    let mut events = graph.stream(PromptRequest::new("How many?").output::<u32>());
    while let Some(event) = events.next().await {
        if let AgentEvent::Result { response } = event? {
            return Ok(response.output);
        }
    }
    Ok(None)
}

#[tokio::test]
async fn a_graph_has_the_output_that_is_requested_of_it() {
    assert_eq!(output_of("42").await.unwrap(), Some(json!(42)));
    let error = output_of("many").await.unwrap_err();
    assert!(matches!(error, AgentError::InvalidOutput { .. }), "{error:?}");
}
