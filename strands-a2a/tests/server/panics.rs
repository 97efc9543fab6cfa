//! Runs whose task store, or what discards interrupts, panics.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::json;
use strands::a2a::{A2aServer, DiscardInterrupts, RecordKey, RecordKind};
use strands::{AgentError, Interrupt, PromptRequest, async_trait};

use crate::client::{Client, URL, message, short};
use crate::controlled::{Controlled, Step, question};
use crate::watched_store::{Watch, Watched};

/// Panics when a task is written, from a time on.
#[derive(Default)]
struct Panicking {
    panics: AtomicBool,
}

impl Watch for Panicking {
    fn write(&self, key: &RecordKey) {
        assert!(key.kind != RecordKind::Task || !self.panics.load(Ordering::Relaxed), "as the test asked");
    }
}

#[tokio::test]
async fn a_panic_of_the_store_ends_the_task() {
    let store = Arc::new(Watched::<Panicking>::default());
    let (controlled, prompts) = Controlled::new();
    let server = A2aServer::builder(controlled, URL).task_store(Arc::clone(&store)).build().unwrap();
    let client = Client::of(&server);
    let mut events = client.stream("SendStreamingMessage", message(json!([{"text": "x"}]), json!({}))).await;
    let prompt = prompts.next().await;
    store.panics.store(true, Ordering::Relaxed);
    prompt.end("done");
    let all = tokio::time::timeout(Duration::from_secs(10), events.rest()).await.expect("an end");
    assert_eq!(all.iter().map(short).collect::<Vec<_>>(), ["task submitted", "working", "failed"]);
    assert_eq!(server.running_tasks(), 0);
    // The context goes on.
    store.panics.store(false, Ordering::Relaxed);
    let context = all[0]["task"]["contextId"].clone();
    let next = tokio::spawn(async move { client.send_in(&context, "again").await });
    prompts.next().await.end("done");
    next.await.unwrap().unwrap();
}

struct PanickingDiscard;

#[async_trait]
impl DiscardInterrupts for PanickingDiscard {
    async fn discard(&self, _: PromptRequest, _: &[Interrupt]) -> Result<(), AgentError> {
        panic!("as the test asked")
    }
}

#[tokio::test]
async fn a_panic_of_what_discards_interrupts_ends_the_task() {
    let (controlled, prompts) = Controlled::new();
    let server = A2aServer::builder(controlled, URL).discard_interrupts(PanickingDiscard).build().unwrap();
    let client = Client::of(&server);
    let task = client.start("x").await;
    prompts.next().await.step(Step::End(question()));
    client.until(&task["id"], "input_required").await;
    let response = message(json!([{"text": "yes"}]), json!({"taskId": task["id"]}));
    let sent = tokio::spawn(async move { client.call("SendMessage", response).await });
    prompts.next().await.step(Step::Stop);
    let sent = tokio::time::timeout(Duration::from_secs(20), sent).await.expect("an end");
    let failed = sent.unwrap().unwrap();
    assert_eq!(short(&json!({"statusUpdate": failed["task"]})), "failed");
    assert_eq!(server.running_tasks(), 0);
}
