//! Lists of tasks.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use serde_json::{Value, json};
use strands::a2a::axum::http::{Method, StatusCode};
use strands::a2a::{A2aServer, DiscardInterrupts, MemoryTaskStore, RecordKey, RecordKind, TaskStore};
use strands::testing::{ScriptedModel, ScriptedTurn};
use strands::{AgentError, Interrupt, PromptRequest, async_trait};

use crate::client::{Client, URL, agent, server};
use crate::controlled::{Controlled, Step, question};

async fn five_tasks() -> (Client, Vec<Value>) {
    let client = Client::of(&server(agent(ScriptedModel::from_fn(|_| ScriptedTurn::text("ok")))));
    let mut ids = Vec::new();
    for index in 0..5 {
        let task = client.send_in(&json!(format!("c{}", index % 2)), "x").await.unwrap();
        ids.insert(0, task["id"].clone());
        // Times of states have milliseconds.
        let millisecond = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
        let now = millisecond();
        while millisecond() == now {
            tokio::task::yield_now().await;
        }
    }
    (client, ids)
}

fn ids(list: &Value) -> Vec<Value> {
    list["tasks"].as_array().unwrap().iter().map(|task| task["id"].clone()).collect()
}

#[tokio::test]
async fn the_latest_come_first_page_by_page() {
    let (client, expected) = five_tasks().await;
    let all = client.call("ListTasks", json!({})).await.unwrap();
    assert_eq!(ids(&all), expected);
    assert_eq!((&all["totalSize"], &all["pageSize"], &all["nextPageToken"]), (&json!(5), &json!(50), &json!("")));
    let (mut token, mut found) = (json!(""), Vec::new());
    for size in [2, 2, 1] {
        let page = client.call("ListTasks", json!({"pageSize": 2, "pageToken": token})).await.unwrap();
        assert_eq!((ids(&page).len(), &page["totalSize"]), (size, &json!(5)));
        found.extend(ids(&page));
        token = page["nextPageToken"].clone();
    }
    assert_eq!((found, token), (expected, json!("")));
}

#[tokio::test]
async fn tasks_are_chosen_by_context_state_and_time() {
    let (client, expected) = five_tasks().await;
    let list = |params: Value| {
        let client = client.clone();
        async move { ids(&client.call("ListTasks", params).await.unwrap()) }
    };
    assert_eq!(list(json!({"contextId": "c1"})).await, [expected[1].clone(), expected[3].clone()]);
    assert_eq!(list(json!({"status": "TASK_STATE_FAILED"})).await.len(), 0);
    assert_eq!(list(json!({"status": "TASK_STATE_COMPLETED"})).await.len(), 5);
    let time = client.get(&expected[1]).await.unwrap()["status"]["timestamp"].take();
    assert_eq!(list(json!({"statusTimestampAfter": time})).await, expected[..2]);
    let path = "/tasks?contextId=c1&status=TASK_STATE_COMPLETED&pageSize=1&includeArtifacts=true&historyLength=0&A2A-Version=1.0";
    let (status, page) = client.http(Method::GET, path, Value::Null).await;
    assert_eq!((status, ids(&page)), (StatusCode::OK, vec![expected[1].clone()]));
    assert!(page["tasks"][0].get("history").is_none() && page["tasks"][0]["artifacts"].is_array());
}

#[tokio::test]
async fn artifacts_are_listed_if_they_are_asked_for() {
    let (client, _) = five_tasks().await;
    let list = client.call("ListTasks", json!({})).await.unwrap();
    assert!(list["tasks"].as_array().unwrap().iter().all(|task| task.get("artifacts").is_none()));
}

#[tokio::test]
async fn invalid_parameters_are_errors() {
    let (client, _) = five_tasks().await;
    for params in [
        json!({"pageSize": 0}),
        json!({"pageSize": 101}),
        json!({"pageSize": -1}),
        json!({"pageToken": "x"}),
        json!({"historyLength": -1}),
        json!({"status": "done"}),
        json!({"statusTimestampAfter": "yesterday"}),
    ] {
        assert_eq!(client.call("ListTasks", params.clone()).await.unwrap_err()["code"], -32602, "{params}");
    }
    for query in ["pageSize=x", "pageSize=0", "includeArtifacts=1", "historyLength=-1"] {
        let (status, _) = client.http(Method::GET, &format!("/tasks?{query}"), Value::Null).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{query}");
    }
}

#[tokio::test]
async fn a_page_ends_before_it_is_too_large() {
    let client = Client::of(&server(agent(ScriptedModel::from_fn(|_| ScriptedTurn::text("ok")))));
    let mut sent = Vec::new();
    for _ in 0..3 {
        sent.push(client.send(&"x".repeat(5_000_000)).await["id"].take());
    }
    let (mut token, mut found) = (json!(""), Vec::new());
    for more in [true, true, false] {
        let page = client.call("ListTasks", json!({"pageToken": token})).await.unwrap();
        assert_eq!((ids(&page).len(), &page["totalSize"]), (1, &json!(3)));
        found.extend(ids(&page));
        token = page["nextPageToken"].clone();
        assert_eq!(token != "", more);
    }
    found.sort_by_key(Value::to_string);
    sent.sort_by_key(Value::to_string);
    assert_eq!(found, sent);
    // Without their content they are small.
    assert_eq!(ids(&client.call("ListTasks", json!({"historyLength": 0})).await.unwrap()).len(), 3);
}

/// Discards nothing: the session of the agent is busy.
struct Busy;

#[async_trait]
impl DiscardInterrupts for Busy {
    async fn discard(&self, _: PromptRequest, _: &[Interrupt]) -> Result<(), AgentError> {
        Err(AgentError::Busy { name: "session".to_owned() })
    }
}

#[tokio::test]
async fn one_bad_task_does_not_hide_the_others() {
    let store = Arc::new(MemoryTaskStore::new());
    let (controlled, prompts) = Controlled::new();
    let builder = A2aServer::builder(controlled, URL).task_store(Arc::clone(&store)).discard_interrupts(Busy);
    let client = Client::of(&builder.build().unwrap());
    let good = client.start("x").await;
    prompts.next().await.end("done");
    client.until(&good["id"], "completed").await;
    // One of a later version, or of a broken disk.
    let unreadable = RecordKey::new("anonymous", RecordKind::Task, "00000000-0000-4000-8000-000000000000");
    store.put(&unreadable, Bytes::from_static(b"{}"), None).await.unwrap();
    // One whose process died after it was resumed, and whose interrupts can't be discarded now.
    let task = client.start("y").await;
    prompts.next().await.step(Step::End(question()));
    client.until(&task["id"], "input_required").await;
    let key = RecordKey::new("anonymous", RecordKind::Task, task["id"].as_str().unwrap());
    let stored = store.get(&key).await.unwrap().unwrap();
    let mut record: Value = serde_json::from_slice(&stored.content).unwrap();
    record["task"]["status"]["state"] = json!("TASK_STATE_WORKING");
    store.put(&key, Bytes::from(record.to_string()), Some(&stored)).await.unwrap();

    let mut listed = ids(&client.call("ListTasks", json!({})).await.unwrap());
    let mut expected = vec![good["id"].clone(), task["id"].clone()];
    listed.sort_by_key(Value::to_string);
    expected.sort_by_key(Value::to_string);
    assert_eq!(listed, expected);
}
