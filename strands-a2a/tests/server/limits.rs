//! Limits of messages and of running tasks.

use serde_json::{Value, json};
use strands::a2a::axum::http::{Method, StatusCode};
use strands::a2a::{A2aLimits, A2aServer};
use strands::testing::{ScriptedModel, ScriptedTurn};

use crate::client::{Client, URL, agent, json_of, message, reason, with_users};
use crate::controlled::Controlled;

#[tokio::test]
async fn running_tasks_are_limited_by_caller_and_in_total() {
    let (controlled, prompts) = Controlled::new();
    let limits = A2aLimits::new().running_tasks_per_caller(1).running_tasks(2);
    let client = Client::of(&with_users(A2aServer::builder(controlled, URL).limits(limits)));
    let params = message(json!([{"text": "x"}]), json!({}));
    let (alice, bob, carol) = (client.user("alice"), client.user("bob"), client.user("carol"));
    let task = alice.start("x").await;
    let prompt = prompts.next().await;
    let error = alice.call("SendMessage", params.clone()).await.unwrap_err();
    assert_eq!(reason(&error), "OVERLOADED");
    bob.start("x").await;
    let (status, error) = carol.http(Method::POST, "/message:send", params).await;
    assert_eq!((status, reason(&error)), (StatusCode::TOO_MANY_REQUESTS, "OVERLOADED"));
    prompt.end("done");
    alice.until(&task["id"], "completed").await;
    carol.start("x").await;
}

#[tokio::test]
async fn parts_and_history_are_limited() {
    let model = ScriptedModel::from_fn(|_| ScriptedTurn::text("ok"));
    let limits = A2aLimits::new().parts(2).history_messages(1);
    let client = Client::of(&A2aServer::builder(agent(model), URL).limits(limits).build().unwrap());
    let parts = |count: usize| Value::Array(vec![json!({"text": "x"}); count]);
    assert!(client.call("SendMessage", message(parts(2), json!({}))).await.is_ok());
    assert_eq!(client.call("SendMessage", message(parts(3), json!({}))).await.unwrap_err()["code"], -32602);
    assert_eq!(client.send("x").await["history"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn the_size_of_the_history_is_limited() {
    let model = ScriptedModel::from_fn(|_| ScriptedTurn::text("ok"));
    let limits = A2aLimits::new().history_bytes(1_000);
    let client = Client::of(&A2aServer::builder(agent(model), URL).limits(limits).build().unwrap());
    assert_eq!(client.send("x").await["history"].as_array().unwrap().len(), 1);
    assert_eq!(client.send(&"x".repeat(1_000)).await["history"], json!([]));
}

#[tokio::test]
async fn the_number_of_json_values_is_limited() {
    let model = ScriptedModel::from_fn(|_| ScriptedTurn::text("ok"));
    let server = A2aServer::builder(agent(model), URL).limits(A2aLimits::new().body_values(100)).build().unwrap();
    let client = Client::of(&server);
    let zeros = |count: usize| message(json!([{"data": vec![0; count]}]), json!({}));
    assert!(client.call("SendMessage", zeros(50)).await.is_ok());
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": "SendMessage", "params": zeros(100)}).to_string();
    let response = json_of(client.raw(Method::POST, "/", "application/json", body).await).await;
    assert_eq!(response["error"]["code"], -32600);
    let (status, error) = client.http(Method::POST, "/message:send", zeros(100)).await;
    assert_eq!((status, reason(&error)), (StatusCode::BAD_REQUEST, "INVALID_REQUEST"));
    // Commas in texts are none of them.
    let commas = message(json!([{"text": "[,{\\\",".repeat(1_000)}]), json!({}));
    assert!(client.call("SendMessage", commas).await.is_ok());
}

#[tokio::test]
async fn responses_that_are_not_read_are_limited_by_caller() {
    let model = ScriptedModel::from_fn(|_| ScriptedTurn::text("ok"));
    let limits = A2aLimits::new().requests_per_caller(16);
    let client = Client::of(&with_users(A2aServer::builder(agent(model), URL).limits(limits)));
    let (alice, bob) = (client.user("alice"), client.user("bob"));
    let (task, of_bob) = (alice.send("x").await, bob.send("x").await);
    let path = format!("/tasks/{}", task["id"].as_str().unwrap());
    let mut unread = Vec::new();
    for _ in 0..16 {
        let response = alice.raw(Method::GET, &path, "application/json", "").await;
        assert_eq!(response.status(), StatusCode::OK);
        assert!(response.headers().contains_key("content-length"));
        unread.push(response);
    }
    let (status, error) = alice.http(Method::GET, &path, Value::Null).await;
    assert_eq!((status, reason(&error)), (StatusCode::TOO_MANY_REQUESTS, "OVERLOADED"));
    assert_eq!(reason(&alice.call("ListTasks", json!({})).await.unwrap_err()), "OVERLOADED");
    // A cancellation is not refused: the task has ended.
    let cancelled = alice.call("CancelTask", json!({"id": task["id"]})).await.unwrap_err();
    assert_eq!(reason(&cancelled), "TASK_NOT_CANCELABLE");
    bob.get(&of_bob["id"]).await.unwrap();
    // One that was read makes way for another one.
    json_of(unread.pop().unwrap()).await;
    alice.get(&task["id"]).await.unwrap();
    // Messages do not take their shares.
    alice.send("y").await;
}

#[tokio::test]
async fn messages_whose_response_is_not_read_are_limited_by_caller() {
    let model = ScriptedModel::from_fn(|_| ScriptedTurn::text("ok"));
    let limits = A2aLimits::new().running_tasks_per_caller(1);
    let client = Client::of(&with_users(A2aServer::builder(agent(model), URL).limits(limits))).user("alice");
    let body = message(json!([{"text": "x"}]), json!({})).to_string();
    let send = || client.raw(Method::POST, "/message:send", "application/json", body.clone());
    let unread = [send().await, send().await];
    assert!(unread.iter().all(|response| response.status() == StatusCode::OK));
    assert_eq!(send().await.status(), StatusCode::TOO_MANY_REQUESTS);
    drop(unread);
    assert_eq!(send().await.status(), StatusCode::OK);
}
