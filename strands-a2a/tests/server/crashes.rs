//! Tasks of processes that are gone, and of other processes with the same store.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};
use strands::a2a::{A2aLimits, A2aServer, MemoryTaskStore, PutOutcome, RecordKey, RecordKind, TaskStore as _};
use strands::async_trait;
use tokio::sync::Notify;

use crate::client::{Client, URL, message, parts_of, reason, short, state_of, status_text};
use crate::controlled::{Controlled, Prompts, Step, question};
use crate::watched_store::{Watch, Watched};

/// A process with the store.
fn process(store: &Arc<MemoryTaskStore>, lease: Duration) -> (Client, Prompts) {
    let (controlled, prompts) = Controlled::new();
    let limits = A2aLimits::new().lease(lease);
    let builder = A2aServer::builder(controlled, URL).task_store(Arc::clone(store)).limits(limits);
    (Client::of(&builder.build().unwrap()), prompts)
}

#[test]
fn a_task_whose_process_has_died_is_reported_as_failed() {
    let store = Arc::new(MemoryTaskStore::new());
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let dying = runtime();
    let task = dying.block_on(async {
        let (client, prompts) = process(&store, Duration::from_secs(1));
        let task = client.start("x").await;
        prompts.next().await.step(Step::Text("never stored"));
        task
    });
    // All that the process does ends here, without a trace.
    drop(dying);
    runtime().block_on(async {
        let (client, prompts) = process(&store, Duration::from_secs(1));
        let failed = client.until(&task["id"], "failed").await;
        assert_eq!(status_text(&failed), "the server was restarted while the agent worked");
        let listed = client.call("ListTasks", json!({"status": "TASK_STATE_FAILED"})).await.unwrap();
        assert_eq!(listed["totalSize"], 1);
        // The context goes on.
        let next = tokio::spawn({
            let (client, context) = (client.clone(), task["contextId"].clone());
            async move { client.send_in(&context, "again").await.unwrap() }
        });
        prompts.next().await.end("done");
        assert_eq!(state_of(&next.await.unwrap()), "completed");
    });
}

#[tokio::test]
async fn a_task_that_runs_in_another_process_is_left_alone() {
    let store = Arc::new(MemoryTaskStore::new());
    let lease = Duration::from_secs(1);
    let (one, prompts) = process(&store, lease);
    let (two, _) = process(&store, lease);
    let task = one.start("x").await;
    let prompt = prompts.next().await;
    // For longer than the lease, which is renewed three times in it.
    let key = RecordKey::new("anonymous", RecordKind::Task, task["id"].as_str().unwrap());
    let renewals = async {
        let mut stored = store.get(&key).await.unwrap();
        for _ in 0..4 {
            let last = stored.clone();
            while stored == last {
                tokio::task::yield_now().await;
                stored = store.get(&key).await.unwrap();
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(10), renewals).await.expect("the lease is renewed");
    assert_eq!(state_of(&two.get(&task["id"]).await.unwrap()), "submitted");
    let message = message(json!([{"text": "x"}]), json!({"taskId": task["id"]}));
    assert_eq!(two.call("SendMessage", message).await.unwrap_err()["code"], -32000);

    let mut events = two.stream("SubscribeToTask", json!({"id": task["id"]})).await;
    assert_eq!(short(&events.next().await.unwrap()), "task submitted");
    prompt.end("done");
    one.until(&task["id"], "completed").await;
    let rest: Vec<_> = events.rest().await.iter().map(short).collect();
    assert_eq!(rest, ["=done", "completed"]);
    assert_eq!(parts_of(&two.get(&task["id"]).await.unwrap()), &json!([{"text": "done"}]));
}

#[tokio::test]
async fn a_task_can_be_canceled_by_another_process() {
    let store = Arc::new(MemoryTaskStore::new());
    let lease = Duration::from_secs(1);
    let (one, prompts) = process(&store, lease);
    let (two, _) = process(&store, lease);
    let task = one.start("x").await;
    let prompt = prompts.next().await;
    two.call("CancelTask", json!({"id": task["id"]})).await.unwrap();
    prompt.steps.closed().await;
    let task = two.until(&task["id"], "canceled").await;
    assert_eq!(status_text(&task), "the task was canceled");
}

/// A store whose next write of a task is done, and then waits for the test.
#[derive(Default)]
struct Slow {
    is_slow: AtomicBool,
    written: Notify,
    go_on: Notify,
}

#[async_trait]
impl Watch for Slow {
    async fn written(&self, key: &RecordKey) {
        if key.kind == RecordKind::Task && self.is_slow.swap(false, Ordering::Relaxed) {
            self.written.notify_one();
            self.go_on.notified().await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_task_goes_on_if_its_client_goes_away_while_its_response_is_stored() {
    let store = Arc::new(Watched::<Slow>::default());
    let (controlled, prompts) = Controlled::new();
    let client = Client::of(&A2aServer::builder(controlled, URL).task_store(Arc::clone(&store)).build().unwrap());
    let task = client.start("x").await;
    prompts.next().await.step(Step::End(question()));
    client.until(&task["id"], "input_required").await;

    store.is_slow.store(true, Ordering::Relaxed);
    let response = message(json!([{"text": "yes"}]), json!({"taskId": task["id"]}));
    tokio::select! {
        _ = client.call("SendMessage", response) => panic!("the store has not responded"),
        () = store.written.notified() => {}
    }
    store.go_on.notify_one();
    let resumed = tokio::time::timeout(Duration::from_secs(60), prompts.next()).await;
    resumed.expect("the agent gets the response").end("done");
    client.until(&task["id"], "completed").await;
}

#[tokio::test]
async fn a_task_that_another_process_has_ended_stays_ended() {
    let store = Arc::new(MemoryTaskStore::new());
    let (client, prompts) = process(&store, Duration::from_secs(1));
    let task = client.start("x").await;
    let prompt = prompts.next().await;
    // As another process does that believes this one to be gone.
    let key = RecordKey::new("anonymous", RecordKind::Task, task["id"].as_str().unwrap());
    loop {
        let stored = store.get(&key).await.unwrap().unwrap();
        let mut record: Value = serde_json::from_slice(&stored.content).unwrap();
        record.as_object_mut().unwrap().remove("run");
        record["task"]["status"]["state"] = json!("TASK_STATE_FAILED");
        let content = Bytes::from(record.to_string());
        if matches!(store.put(&key, content, Some(&stored)).await.unwrap(), PutOutcome::Done(_)) {
            break;
        }
    }
    // The run sees it, and ends.
    tokio::time::timeout(Duration::from_secs(10), prompt.steps.closed()).await.expect("the run is canceled");
    client.until(&task["id"], "failed").await;
    let stored = store.get(&key).await.unwrap().unwrap();
    let record: Value = serde_json::from_slice(&stored.content).unwrap();
    assert_eq!(state_of(&record["task"]), "failed");
}

fn in_context(context: &str) -> Value {
    let mut params = message(json!([{"text": "x"}]), json!({"contextId": context}));
    params["configuration"] = json!({"returnImmediately": true});
    params
}

#[tokio::test]
async fn one_task_at_a_time_runs_in_a_context_of_several_processes() {
    let store = Arc::new(MemoryTaskStore::new());
    let (one, prompts) = process(&store, Duration::from_secs(30));
    let (two, others) = process(&store, Duration::from_secs(30));
    let task = one.call("SendMessage", in_context("c")).await.unwrap()["task"].take();
    let prompt = prompts.next().await;
    assert_eq!(reason(&two.call("SendMessage", in_context("c")).await.unwrap_err()), "CONTEXT_BUSY");
    two.call("SendMessage", in_context("another")).await.unwrap();
    others.next().await.end("done");
    prompt.end("done");
    one.until(&task["id"], "completed").await;
    two.call("SendMessage", in_context("c")).await.unwrap();
    others.next().await.end("done");
}

#[tokio::test]
async fn of_two_processes_that_start_a_task_in_a_context_at_once_one_gives_up() {
    let (store, mut servers) = (Arc::new(Watched::<Slow>::default()), Vec::new());
    for _ in 0..2 {
        let (controlled, prompts) = Controlled::new();
        let server = A2aServer::builder(controlled, URL).task_store(Arc::clone(&store)).build().unwrap();
        servers.push((Client::of(&server), prompts));
    }
    let (one, two) = (&servers[0].0, &servers[1].0);
    store.is_slow.store(true, Ordering::Relaxed);
    let first = tokio::spawn({
        let one = one.clone();
        async move { one.call("SendMessage", in_context("c")).await }
    });
    store.written.notified().await;
    // The first has found the context free, and has not written that it runs there.
    let task = two.call("SendMessage", in_context("c")).await.unwrap()["task"].take();
    store.go_on.notify_one();
    assert_eq!(reason(&first.await.unwrap().unwrap_err()), "CONTEXT_BUSY");
    let listed = one.call("ListTasks", json!({})).await.unwrap();
    assert_eq!((&listed["totalSize"], &listed["tasks"][0]["id"]), (&json!(1), &task["id"]));
    servers[1].1.next().await.end("done");
    two.until(&task["id"], "completed").await;
}

#[tokio::test(start_paused = true)]
async fn a_task_that_is_canceled_before_its_run_begins_is_canceled_at_once() {
    let store = Arc::new(Watched::<Slow>::default());
    let (controlled, prompts) = Controlled::new();
    let client = Client::of(&A2aServer::builder(controlled, URL).task_store(Arc::clone(&store)).build().unwrap());
    store.is_slow.store(true, Ordering::Relaxed);
    let started = tokio::spawn({
        let client = client.clone();
        async move { client.start("x").await }
    });
    store.written.notified().await;
    let id = client.call("ListTasks", json!({})).await.unwrap()["tasks"][0]["id"].take();
    let canceling = tokio::spawn({
        let (client, id) = (client.clone(), id.clone());
        async move { client.call("CancelTask", json!({"id": id})).await }
    });
    // It finds the task in the store, and does not find its run.
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    store.go_on.notify_one();
    started.await.unwrap();
    let prompt = prompts.next().await;
    // Much less than the interval in which the lease is renewed.
    tokio::time::timeout(Duration::from_secs(2), prompt.steps.closed()).await.expect("the agent is canceled");
    let canceled = tokio::time::timeout(Duration::from_secs(2), canceling).await.expect("a response").unwrap();
    assert_eq!(state_of(&canceled.unwrap()), "canceled");
}

#[tokio::test]
async fn a_lease_of_any_length_is_kept_within_bounds() {
    for lease in [Duration::ZERO, Duration::MAX] {
        let store = Arc::new(MemoryTaskStore::new());
        let (client, prompts) = process(&store, lease);
        let task = client.start("x").await;
        let prompt = prompts.next().await;
        let key = RecordKey::new("anonymous", RecordKind::Task, task["id"].as_str().unwrap());
        let before = store.get(&key).await.unwrap();
        for _ in 0..1_000 {
            tokio::task::yield_now().await;
        }
        assert_eq!(store.get(&key).await.unwrap(), before, "the lease is not renewed all the time");
        prompt.end("done");
        client.until(&task["id"], "completed").await;
    }
}
