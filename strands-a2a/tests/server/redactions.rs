//! Content that a guardrail has voided.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use strands::a2a::{A2aLimits, A2aServer, MemoryTaskStore, RecordKey, RecordKind, TaskStore};
use strands::message::Message;
use strands::models::StopReason;
use strands::{AgentEvent, AgentResponse};

use crate::client::{Client, URL, message, parts_of, server, short, status_text};
use crate::controlled::{Controlled, Step};

fn redacted(user: Option<&str>, assistant: Option<&str>) -> Step {
    Step::Event(AgentEvent::Redacted { user: user.map(str::to_owned), assistant: assistant.map(str::to_owned) })
}

#[tokio::test]
async fn a_rejected_task_keeps_neither_the_prompt_nor_the_text_that_a_guardrail_has_replaced() {
    let (controlled, prompts) = Controlled::new();
    let store = Arc::new(MemoryTaskStore::new());
    let client = Client::of(&A2aServer::builder(controlled, URL).task_store(Arc::clone(&store)).build().unwrap());
    let prompt_text = json!([{"text": "my card is 4111"}]);
    let mut events = client.stream("SendStreamingMessage", message(prompt_text, json!({}))).await;
    let prompt = prompts.next().await;
    prompt.step(Step::Text("the key is "));
    prompt.step(Step::Text("hunter2"));
    prompt.step(redacted(Some("[removed]"), Some("blocked")));
    let intervened = AgentResponse::new(Message::assistant("blocked"), StopReason::GuardrailIntervened);
    prompt.step(Step::End(intervened));
    let all = events.rest().await;
    let short: Vec<_> = all.iter().map(short).collect();
    assert_eq!(short, ["task submitted", "working", "=the key is ", "+hunter2", "=blocked", "rejected"]);

    let id = &all[0]["task"]["id"];
    let task = client.get(id).await.unwrap();
    assert_eq!((parts_of(&task), status_text(&task).as_str()), (&json!([{"text": "blocked"}]), "blocked"));
    assert_eq!(task["history"][0]["parts"], json!([{"text": "[removed]"}]));
    let key = RecordKey::new("anonymous", RecordKind::Task, id.as_str().unwrap());
    let stored = store.get(&key).await.unwrap().unwrap();
    let stored = std::str::from_utf8(&stored.content).unwrap();
    assert!(!stored.contains("hunter2") && !stored.contains("4111"), "{stored}");
}

#[tokio::test]
async fn text_after_a_replacement_takes_its_place() {
    let (controlled, prompts) = Controlled::new();
    let client = Client::of(&server(controlled));
    let mut events = client.stream("SendStreamingMessage", message(json!([{"text": "x"}]), json!({}))).await;
    let prompt = prompts.next().await;
    // Nothing has been sent that it could replace.
    prompt.step(redacted(None, Some("blocked")));
    prompt.step(Step::Text("a"));
    prompt.step(redacted(None, Some("blocked")));
    prompt.step(Step::Text("b"));
    prompt.end("b");
    let short: Vec<_> = events.rest().await.iter().map(short).collect();
    assert_eq!(short, ["task submitted", "working", "=a", "=blocked", "=b", "=b.", "completed"]);
}

#[tokio::test]
async fn a_prompt_that_is_replaced_leaves_the_store_while_its_task_runs() {
    let (controlled, prompts) = Controlled::new();
    let store = Arc::new(MemoryTaskStore::new());
    let limits = A2aLimits::new().lease(Duration::from_secs(1));
    let builder = A2aServer::builder(controlled, URL).task_store(Arc::clone(&store)).limits(limits);
    let client = Client::of(&builder.build().unwrap());
    let task = client.start("my card is 4111").await;
    let prompt = prompts.next().await;
    prompt.step(redacted(Some("[removed]"), None));
    let key = RecordKey::new("anonymous", RecordKind::Task, task["id"].as_str().unwrap());
    let removed = async {
        loop {
            let stored = store.get(&key).await.unwrap().unwrap();
            let content = std::str::from_utf8(&stored.content).unwrap();
            if !content.contains("4111") {
                break assert!(content.contains("[removed]"), "{content}");
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), removed).await.expect("the next renewal of the lease removes it");
    prompt.end("done");
    client.until(&task["id"], "completed").await;
}
