//! Interrupts of tasks that end without a response.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::{BoxFuture, ready};
use serde_json::{Value, json};
use strands::a2a::{
    A2aContext, A2aLimits, A2aServer, DiscardInterrupts, MemoryTaskStore, RecordKey, RecordKind, TaskStore,
};
use strands::{AgentError, Continuation, Interrupt, PromptRequest, PromptStream, Promptable, async_trait};

use crate::client::{Client, URL, state_of, status_text};
use crate::controlled::{Controlled, Prompts, Step, question};

/// The ids of the interrupts that were discarded.
#[derive(Clone, Default)]
struct Discarded(Arc<Mutex<Vec<String>>>);

#[async_trait]
impl DiscardInterrupts for Discarded {
    async fn discard(&self, _: PromptRequest, interrupts: &[Interrupt]) -> Result<(), AgentError> {
        self.0.lock().unwrap().extend(interrupts.iter().map(|interrupt| interrupt.id.clone()));
        Ok(())
    }
}

impl Discarded {
    fn ids(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

fn process(limits: A2aLimits) -> (Client, Prompts, Arc<MemoryTaskStore>, Discarded) {
    let (controlled, prompts) = Controlled::new();
    let (store, discarded) = (Arc::new(MemoryTaskStore::new()), Discarded::default());
    let builder = A2aServer::builder(controlled, URL).limits(limits).task_store(Arc::clone(&store));
    let server = builder.discard_interrupts(discarded.clone()).build().unwrap();
    (Client::of(&server), prompts, store, discarded)
}

#[tokio::test]
async fn a_suspended_agent_that_is_too_large_fails_its_task() {
    let (client, prompts, _, discarded) = process(A2aLimits::new().context_bytes(1_000));
    let task = client.start("x").await;
    let mut large = question();
    large.continuation = Some(Continuation::new(json!("x".repeat(1_000))));
    prompts.next().await.step(Step::End(large));
    let failed = client.until(&task["id"], "failed").await;
    assert_eq!(status_text(&failed), "the agent waits for input, and its state is larger than 1000 bytes");
    assert_eq!(discarded.ids(), ["a"]);
    // The context does not wait.
    let next = tokio::spawn({
        let (client, context) = (client.clone(), task["contextId"].clone());
        async move { client.send_in(&context, "again").await.unwrap() }
    });
    let mut small = question();
    small.continuation = Some(Continuation::new(json!("x".repeat(100))));
    prompts.next().await.step(Step::End(small));
    assert_eq!(state_of(&next.await.unwrap()), "input_required");
    assert_eq!(discarded.ids(), ["a"]);
}

#[tokio::test]
async fn a_task_that_expires_leaves_nothing_to_respond_to() {
    for by_its_context in [false, true] {
        let (client, prompts, store, discarded) = process(A2aLimits::new().task_age(Duration::from_secs(3_600)));
        let task = client.start("x").await;
        prompts.next().await.step(Step::End(question()));
        client.until(&task["id"], "input_required").await;
        for (kind, id) in [(RecordKind::Task, &task["id"]), (RecordKind::Context, &task["contextId"])] {
            let key = RecordKey::new("anonymous", kind, id.as_str().unwrap());
            let stored = store.get(&key).await.unwrap().unwrap();
            let mut record: Value = serde_json::from_slice(&stored.content).unwrap();
            record["updated"] = json!("2020-01-01T00:00:00Z");
            store.put(&key, Bytes::from(record.to_string()), Some(&stored)).await.unwrap();
        }
        if by_its_context {
            let next = tokio::spawn({
                let (client, context) = (client.clone(), task["contextId"].clone());
                async move { client.send_in(&context, "again").await.unwrap() }
            });
            prompts.next().await.end("done");
            assert_eq!(state_of(&next.await.unwrap()), "completed");
        } else {
            assert_eq!(client.get(&task["id"]).await.unwrap_err()["code"], -32001);
        }
        assert_eq!(discarded.ids(), ["a"], "{by_its_context}");
        let key = RecordKey::new("anonymous", RecordKind::Task, task["id"].as_str().unwrap());
        assert_eq!(store.get(&key).await.unwrap(), None);
    }
}

/// An agent that remembers the states whose interrupts are discarded.
struct Remembering {
    agent: Controlled,
    discarded: Arc<Mutex<Vec<Value>>>,
}

impl Promptable for Remembering {
    fn name(&self) -> &str {
        self.agent.name()
    }

    fn description(&self) -> &str {
        self.agent.description()
    }

    fn stream(&self, request: PromptRequest) -> PromptStream {
        self.agent.stream(request)
    }

    fn discard(&self, request: PromptRequest) -> BoxFuture<'static, Result<(), AgentError>> {
        assert!(request.injected::<A2aContext>().is_some());
        self.discarded.lock().unwrap().extend(request.continuation.map(|state| state.value().clone()));
        Box::pin(ready(Ok(())))
    }
}

#[tokio::test]
async fn an_agent_discards_the_interrupts_of_its_state_in_the_task() {
    for is_configured in [false, true] {
        let (agent, prompts) = Controlled::new();
        let (states, discarded) = (Arc::new(Mutex::new(Vec::new())), Discarded::default());
        let agent = Remembering { agent, discarded: Arc::clone(&states) };
        let mut builder = A2aServer::builder(agent, URL).limits(A2aLimits::new().context_bytes(1_000));
        if is_configured {
            builder = builder.discard_interrupts(discarded.clone());
        }
        let client = Client::of(&builder.build().unwrap());
        let large = "x".repeat(1_000);
        for state in ["small", &large] {
            let task = client.start("x").await;
            let mut asking = question();
            asking.continuation = Some(Continuation::new(json!(state)));
            prompts.next().await.step(Step::End(asking));
            if state == large {
                client.until(&task["id"], "failed").await;
                continue;
            }
            client.until(&task["id"], "input_required").await;
            assert!(states.lock().unwrap().is_empty() && discarded.ids().is_empty());
            let canceled = client.call("CancelTask", json!({"id": task["id"]})).await.unwrap();
            assert_eq!(state_of(&canceled), "canceled");
        }
        if is_configured {
            assert_eq!((states.lock().unwrap().len(), discarded.ids()), (0, vec!["a".to_owned(), "a".to_owned()]));
        } else {
            assert_eq!(*states.lock().unwrap(), [json!("small"), json!(large)]);
        }
    }
}
