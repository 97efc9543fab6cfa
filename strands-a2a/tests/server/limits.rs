//! Limits of messages and of running tasks.

use serde_json::{Value, json};
use strands::a2a::axum::http::{Method, StatusCode};
use strands::a2a::{A2aLimits, A2aServer};
use strands::testing::{ScriptedModel, ScriptedTurn};

use crate::client::{Client, URL, agent, message, reason, with_users};
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
