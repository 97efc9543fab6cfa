//! Lists of tasks.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use strands::a2a::axum::http::{Method, StatusCode};
use strands::testing::ScriptedModel;

use crate::client::{Client, agent, server};

async fn five_tasks() -> (Client, Vec<Value>) {
    let client = Client::of(&server(agent(ScriptedModel::from_fn(|_| strands::testing::ScriptedTurn::text("ok")))));
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
