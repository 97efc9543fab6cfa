//! Streams of tasks that wait for input.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use strands::a2a::{A2aLimits, A2aServer, RecordKey, RecordKind};

use crate::client::{Client, URL, message, server, short, with_users};
use crate::controlled::{Controlled, Step, question};
use crate::watched_store::{Watch, Watched};

fn response_to(task: &Value) -> Value {
    let mut params = message(json!([{"text": "yes"}]), json!({"taskId": task["id"]}));
    params["configuration"] = json!({"returnImmediately": true});
    params
}

#[tokio::test]
async fn a_stream_gets_each_artifact_and_each_question_once() {
    let (controlled, prompts) = Controlled::new();
    let client = Client::of(&server(controlled));
    let task = client.start("x").await;
    prompts.next().await.step(Step::End(question()));
    client.until(&task["id"], "input_required").await;
    let mut events = client.stream("SubscribeToTask", json!({"id": task["id"]})).await;
    assert_eq!(short(&events.next().await.unwrap()), "task input_required");
    let mut seen = Vec::new();
    for round in 0..2 {
        client.call("SendMessage", response_to(&task)).await.unwrap();
        let prompt = prompts.next().await;
        prompt.step(Step::Text(["Booked?", "Booked!"][round]));
        if round == 0 {
            prompt.step(Step::End(question()));
        } else {
            prompt.end("done");
        }
        while !seen.iter().any(|event| event == ["input_required", "completed"][round]) {
            seen.push(short(&events.next().await.unwrap()));
        }
    }
    // A stream may miss the first states of a run.
    seen.retain(|event| !["submitted", "working"].contains(&event.as_str()));
    assert_eq!(seen, ["=Booked?", "input_required", "=Booked!", "=done.", "completed"]);
    assert_eq!(events.next().await, None);
}

/// Counts how often a task is read.
#[derive(Default)]
struct Counting {
    reads: AtomicUsize,
}

impl Watch for Counting {
    fn read(&self, key: &RecordKey) {
        if key.kind == RecordKind::Task {
            self.reads.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_task_that_many_streams_follow_is_read_once_in_a_while() {
    let store = Arc::new(Watched::<Counting>::default());
    let (controlled, prompts) = Controlled::new();
    let client = Client::of(&A2aServer::builder(controlled, URL).task_store(Arc::clone(&store)).build().unwrap());
    let task = client.start("x").await;
    prompts.next().await.step(Step::End(question()));
    client.until(&task["id"], "input_required").await;
    let mut streams = Vec::new();
    for _ in 0..20 {
        let mut events = client.stream("SubscribeToTask", json!({"id": task["id"]})).await;
        events.next().await.unwrap();
        streams.push(events);
    }
    let before = store.reads.load(Ordering::Relaxed);
    let changes = join_all(streams.iter_mut().map(|events| events.next()));
    tokio::time::timeout(Duration::from_millis(10_500), changes).await.unwrap_err();
    // Each stream reads it when it begins, and one of them does every second.
    let reads = store.reads.load(Ordering::Relaxed) - before;
    assert!((20..40).contains(&reads), "{reads}");
    // All of them get the change.
    client.call("CancelTask", json!({"id": task["id"]})).await.unwrap();
    for events in &mut streams {
        assert_eq!(short(&events.next().await.unwrap()), "canceled");
    }
}

#[tokio::test]
async fn a_stream_with_a_message_counts_until_the_client_has_it() {
    let (controlled, prompts) = Controlled::new();
    let limits = A2aLimits::new().streams_per_caller(1);
    let builder = A2aServer::builder(controlled, URL).message_responses(|_| true).limits(limits);
    let client = Client::of(&with_users(builder)).user("alice");
    let params = || message(json!([{"text": "x"}]), json!({}));
    let mut first = client.stream("SendStreamingMessage", params()).await;
    prompts.next().await.end("hi");
    assert!(first.next().await.unwrap()["message"].is_object());
    let second = client.call("SendStreamingMessage", params());
    let refused = tokio::time::timeout(Duration::from_secs(10), second).await.expect("a refusal").unwrap_err();
    assert_eq!(crate::client::reason(&refused), "OVERLOADED");
    assert_eq!(first.next().await, None);
    drop(first);
    client.stream("SendStreamingMessage", params()).await;
}
