//! Interrupts of a run that are discarded: agents elsewhere that wait for responses are told.

use std::sync::{Arc, Mutex};

use serde_json::json;
use strands::message::Message;
use strands::models::StopReason;
use strands::multiagent::{Graph, Swarm};
use strands::{
    AgentError, AgentEvent, AgentResponse, BoxFuture, Continuation, Interrupt, Prompt, PromptRequest, PromptStream,
    Promptable,
};

use crate::store::Store;

/// An agent elsewhere that waits for an approval.
#[derive(Clone)]
struct Waiting(&'static str, Arc<Mutex<Vec<String>>>);

impl Promptable for Waiting {
    fn name(&self) -> &str {
        self.0
    }

    fn stream(&self, _: PromptRequest) -> PromptStream {
        let mut response = AgentResponse::new(Message::assistant(""), StopReason::Interrupt);
        response.interrupts = vec![Interrupt::new("pay", "approval", json!(9_000))];
        response.continuation = Some(Continuation::new(json!({"task": self.0})));
        let start = AgentEvent::start("1", "elsewhere", "elsewhere");
        Box::pin(futures_util::stream::iter([Ok(start), Ok(AgentEvent::Result { response: Box::new(response) })]))
    }

    fn discard(&self, request: PromptRequest) -> BoxFuture<'static, Result<(), AgentError>> {
        let Self(_, log) = self.clone();
        Box::pin(async move {
            log.lock().unwrap().push(request.continuation.unwrap().value()["task"].to_string());
            Ok(())
        })
    }
}

/// Prompts, and returns the continuation of the run that waits.
async fn suspended(promptable: &dyn Promptable) -> Continuation {
    let response = promptable.respond("go".into()).await.unwrap();
    assert_eq!(response.stop_reason, StopReason::Interrupt);
    // As another process reads it.
    let stored = serde_json::to_string(&response.continuation.unwrap()).unwrap();
    serde_json::from_str(&stored).unwrap()
}

#[tokio::test(start_paused = true)]
async fn agents_elsewhere_are_told_that_the_run_is_discarded() {
    let log: Arc<Mutex<Vec<String>>> = Arc::default();
    let agent = |name| Waiting(name, Arc::clone(&log));
    let told = || std::mem::take(&mut *log.lock().unwrap());

    let graph = || Graph::builder("g").node("a", agent("a")).node("b", agent("b")).entry("a").entry("b");
    let request = PromptRequest::new(Prompt::none()).continue_from(suspended(&graph().build().unwrap()).await);
    graph().build().unwrap().discard(request).await.unwrap();
    assert_eq!(told(), [r#""a""#, r#""b""#]);

    let swarm = Swarm::builder("s").member(agent("c")).build().unwrap();
    let request = PromptRequest::new(Prompt::none()).continue_from(suspended(&swarm).await);
    swarm.discard(request).await.unwrap();
    assert_eq!(told(), [r#""c""#]);
    swarm.discard(PromptRequest::default()).await.unwrap();

    let store = Store::default();
    let stored = || graph().session_manager(store.clone()).build().unwrap();
    stored().run("go").await.unwrap();
    assert!(stored().discard_run().await.unwrap());
    assert_eq!(told(), [r#""a""#, r#""b""#]);
}
