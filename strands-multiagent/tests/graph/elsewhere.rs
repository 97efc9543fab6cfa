//! Nodes whose work is elsewhere: the keys by which it is recognized. And the output that others request of a graph.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use strands::multiagent::Graph;
use strands::testing::ScriptedModel;
use strands::{Agent, AgentError, AgentEvent, Prompt, PromptRequest, PromptStream, Promptable, StreamExt};
use tokio::sync::Notify;

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
