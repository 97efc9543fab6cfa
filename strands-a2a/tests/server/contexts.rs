//! Conversations of contexts.

use std::time::Duration;

use futures_util::StreamExt as _;
use serde_json::json;
use strands::a2a::{A2aLimits, A2aServer, MemoryTaskStore, TaskStore};
use strands::testing::{ScriptedModel, ScriptedTurn};

use crate::client::{Client, URL, agent, message, parts_of, reason, server, state_of, with_users};
use crate::controlled::Controlled;

fn counting() -> ScriptedModel {
    ScriptedModel::from_fn(|request| ScriptedTurn::text(format!("{} messages", request.messages.len())))
}

#[tokio::test]
async fn tasks_of_a_context_continue_its_conversation() {
    let client = Client::of(&server(agent(counting())));
    let first = client.send("one").await;
    assert_eq!(parts_of(&first), &json!([{"text": "1 messages"}]));
    let second = client.send_in(&first["contextId"], "two").await.unwrap();
    assert_eq!(parts_of(&second), &json!([{"text": "3 messages"}]));
    assert_ne!(first["id"], second["id"]);
    // Another context is another conversation.
    assert_eq!(parts_of(&client.send("three").await), &json!([{"text": "1 messages"}]));
}

#[tokio::test]
async fn a_context_survives_a_restart() {
    let store = std::sync::Arc::new(MemoryTaskStore::new());
    let server =
        || A2aServer::builder(agent(counting()), URL).task_store(std::sync::Arc::clone(&store)).build().unwrap();
    let first = Client::of(&server()).send("one").await;
    let second = Client::of(&server()).send_in(&first["contextId"], "two").await.unwrap();
    assert_eq!(parts_of(&second), &json!([{"text": "3 messages"}]));
}

#[tokio::test]
async fn one_task_runs_in_a_context_at_a_time() {
    let (controlled, prompts) = Controlled::new();
    let client = Client::of(&server(controlled));
    let task = client.start("one").await;
    let prompt = prompts.next().await;
    let error = client.send_in(&task["contextId"], "two").await.unwrap_err();
    assert_eq!((&error["code"], reason(&error)), (&json!(-32000), "CONTEXT_BUSY"));
    // A message for the running task itself, too.
    let follow_up = message(json!([{"text": "x"}]), json!({"taskId": task["id"]}));
    assert_eq!(reason(&client.call("SendMessage", follow_up).await.unwrap_err()), "CONTEXT_BUSY");
    let other = message(json!([{"text": "x"}]), json!({"taskId": task["id"], "contextId": "other"}));
    assert_eq!(client.call("SendMessage", other).await.unwrap_err()["code"], -32602);

    // The context is free before the client learns of the end.
    let mut events = client.stream("SubscribeToTask", json!({"id": task["id"]})).await;
    prompt.end("done");
    events.rest().await;
    let next = {
        let (client, context) = (client.clone(), task["contextId"].clone());
        tokio::spawn(async move { client.send_in(&context, "three").await })
    };
    prompts.next().await.end("done");
    assert_eq!(state_of(&next.await.unwrap().unwrap()), "completed");
}

#[tokio::test]
async fn a_conversation_that_is_too_large_is_not_continued() {
    let limits = A2aLimits::new().context_bytes(2_000);
    let server = A2aServer::builder(agent(counting()), URL).limits(limits).build().unwrap();
    let client = Client::of(&server);
    let task = client.send(&"a".repeat(3_000)).await;
    assert_eq!(state_of(&task), "completed");
    let error = client.send_in(&task["contextId"], "and now?").await.unwrap_err();
    assert!(error["message"].as_str().unwrap().contains("larger than 2000 bytes"), "{error}");
}

#[tokio::test]
async fn old_contexts_and_tasks_are_forgotten() {
    let limits = A2aLimits::new().task_age(Duration::ZERO);
    let server = A2aServer::builder(agent(counting()), URL).limits(limits).build().unwrap();
    let client = Client::of(&server);
    let task = client.send("one").await;
    assert_eq!(client.get(&task["id"]).await.unwrap_err()["code"], -32001);
    let next = client.send_in(&task["contextId"], "two").await.unwrap();
    assert_eq!(parts_of(&next), &json!([{"text": "1 messages"}]));
}

#[tokio::test]
async fn the_least_recently_used_contexts_are_deleted_first() {
    let limits = A2aLimits::new().contexts_per_caller(2).tasks_per_caller(2);
    let store = std::sync::Arc::new(MemoryTaskStore::new());
    let server = A2aServer::builder(agent(counting()), URL)
        .limits(limits)
        .task_store(std::sync::Arc::clone(&store))
        .build()
        .unwrap();
    let client = Client::of(&server);
    let mut tasks = Vec::new();
    for context in ["a", "b", "a", "c"] {
        tasks.push(client.send_in(&json!(context), "x").await.unwrap());
    }
    // The deletion follows the response.
    let count = |kind| {
        let store = std::sync::Arc::clone(&store);
        async move { store.list("anonymous", kind).count().await }
    };
    while count(strands::a2a::RecordKind::Context).await > 2 || count(strands::a2a::RecordKind::Task).await > 2 {
        tokio::task::yield_now().await;
    }
    let found: Vec<_> = futures_util::future::join_all(tasks.iter().map(|task| client.get(&task["id"]))).await;
    assert_eq!(found.iter().map(Result::is_ok).collect::<Vec<_>>(), [false, false, true, true]);
    assert_eq!(parts_of(&client.send_in(&json!("a"), "x").await.unwrap()), &json!([{"text": "5 messages"}]));
    assert_eq!(parts_of(&client.send_in(&json!("b"), "x").await.unwrap()), &json!([{"text": "1 messages"}]));
}

/// The number of tasks of a caller decides, whatever others do at the same time.
#[tokio::test]
async fn tasks_of_a_caller_are_limited_while_others_send_messages() {
    // Every second task that ends leads to a deletion.
    let limits = A2aLimits::new().tasks_per_caller(32);
    let store = std::sync::Arc::new(MemoryTaskStore::new());
    let builder = A2aServer::builder(agent(counting()), URL).limits(limits).task_store(std::sync::Arc::clone(&store));
    let client = Client::of(&with_users(builder));
    for _ in 0..100 {
        client.user("mallory").send("x").await;
        client.user("alice").send("x").await;
    }
    for caller in ["id:mallory", "id:alice"] {
        let pruned = async {
            while store.list(caller, strands::a2a::RecordKind::Task).count().await > 64 {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), pruned)
            .await
            .unwrap_or_else(|_| panic!("{caller} has all tasks"));
    }
}
