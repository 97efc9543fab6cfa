//! Interrupts as tasks that wait for input.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use strands::a2a::{A2aLimits, A2aServer, MemoryTaskStore};
use strands::hook::{BeforeInvocation, Hook, HookResult};
use strands::testing::{ScriptedModel, ScriptedTurn};
use strands::{AgentBuilder, ToolContext, ToolError, async_trait, tool, tools};

use crate::client::{Client, URL, agent, message, parts_of, state_of, status_text};

/// Books a trip.
#[tool]
fn book(city: String, ctx: &ToolContext, booked: &Arc<AtomicUsize>) -> Result<String, ToolError> {
    let answer = ctx.interrupt("approval", json!(format!("Book {city}?")))?;
    booked.fetch_add(1, Ordering::Relaxed);
    Ok(format!("booked {city}: {answer}"))
}

/// An agent that books the cities, and then tells the results.
fn booking(cities: &'static [&'static str], booked: &Arc<AtomicUsize>) -> AgentBuilder {
    let model = ScriptedModel::from_fn(move |request| {
        let results: Vec<_> = request.messages.iter().flat_map(|message| message.tool_results()).collect();
        if results.is_empty() {
            ScriptedTurn::tool_uses(cities.iter().map(|city| ("book", json!({"city": city}))))
        } else {
            ScriptedTurn::text(serde_json::to_string(&results).unwrap())
        }
    });
    agent(model).tools(tools![Book]).inject(Arc::clone(booked))
}

/// A process with the store.
fn process(store: &Arc<MemoryTaskStore>, agent: AgentBuilder) -> Client {
    Client::of(&A2aServer::builder(agent, URL).task_store(Arc::clone(store)).build().unwrap())
}

fn interrupts_of(task: &Value) -> Vec<Value> {
    let parts = task["status"]["message"]["parts"].as_array().unwrap();
    parts.iter().find_map(|part| part["data"]["interrupts"].as_array()).unwrap().clone()
}

async fn respond(client: &Client, task: &Value, parts: Value) -> Result<Value, Value> {
    let params = message(parts, json!({"taskId": task["id"], "contextId": task["contextId"]}));
    Ok(client.call("SendMessage", params).await?["task"].take())
}

#[tokio::test]
async fn a_task_is_resumed_in_another_process_by_data_or_by_a_text() {
    for as_text in [false, true] {
        let (store, booked) = (Arc::new(MemoryTaskStore::new()), Arc::new(AtomicUsize::new(0)));
        let task = process(&store, booking(&["Oslo"], &booked)).send("book").await;
        assert_eq!((state_of(&task).as_str(), status_text(&task).as_str()), ("input_required", "Book Oslo?"));
        let interrupts = interrupts_of(&task);
        assert_eq!((&interrupts[0]["name"], &interrupts[0]["reason"]), (&json!("approval"), &json!("Book Oslo?")));

        let client = process(&store, booking(&["Oslo"], &booked));
        assert_eq!(client.get(&task["id"]).await.unwrap(), task);
        let id = &interrupts[0]["interruptId"];
        let parts = if as_text {
            json!([{"text": "yes"}])
        } else {
            json!([{"data": {"interruptResponse": {"interruptId": id, "response": "yes"}}}])
        };
        let resumed = respond(&client, &task, parts.clone()).await.unwrap();
        assert_eq!(state_of(&resumed), "completed");
        assert!(parts_of(&resumed)[0]["text"].as_str().unwrap().contains("booked Oslo: \\\"yes\\\""), "{resumed}");
        assert_eq!(booked.load(Ordering::Relaxed), 1);
        // The question is a part of the history.
        let roles: Vec<_> = resumed["history"].as_array().unwrap().iter().map(|message| &message["role"]).collect();
        assert_eq!(roles, ["ROLE_USER", "ROLE_AGENT", "ROLE_USER"]);
        // One response resumes it once.
        assert_eq!(respond(&client, &task, parts).await.unwrap_err()["code"], -32004);
        assert_eq!(booked.load(Ordering::Relaxed), 1);
        // The context goes on.
        let next = client.send_in(&task["contextId"], "what did you book?").await.unwrap();
        assert!(parts_of(&next)[0]["text"].as_str().unwrap().contains("booked Oslo"));
    }
}

#[tokio::test]
async fn several_interrupts_need_responses_by_id() {
    let (store, booked) = (Arc::new(MemoryTaskStore::new()), Arc::new(AtomicUsize::new(0)));
    let client = process(&store, booking(&["Oslo", "Rome"], &booked));
    let task = client.send("book").await;
    let interrupts = interrupts_of(&task);
    assert_eq!(interrupts.len(), 2);
    let error = respond(&client, &task, json!([{"text": "yes"}])).await.unwrap_err();
    assert_eq!(error["code"], -32602);
    let response =
        |interrupt: &Value| json!({"interruptId": interrupt["interruptId"], "response": interrupt["reason"]});
    let list: Vec<_> = interrupts.iter().map(response).collect();
    let resumed = respond(&client, &task, json!([{"data": {"interruptResponse": list}}])).await.unwrap();
    assert_eq!((state_of(&resumed).as_str(), booked.load(Ordering::Relaxed)), ("completed", 2));
}

#[tokio::test]
async fn a_response_to_no_interrupt_leaves_the_task_waiting() {
    let (store, booked) = (Arc::new(MemoryTaskStore::new()), Arc::new(AtomicUsize::new(0)));
    let client = process(&store, booking(&["Oslo"], &booked));
    let task = client.send("book").await;
    let wrong = json!([{"data": {"interruptResponse": {"interruptId": "v1:other", "response": "yes"}}}]);
    let still = respond(&client, &task, wrong).await.unwrap();
    assert_eq!(state_of(&still), "input_required");
    assert_eq!(status_text(&still), "no pending interrupt `v1:other`\nBook Oslo?");
    assert_eq!(interrupts_of(&still), interrupts_of(&task));
    let resumed = respond(&client, &task, json!([{"text": "yes"}])).await.unwrap();
    assert_eq!((state_of(&resumed).as_str(), booked.load(Ordering::Relaxed)), ("completed", 1));
}

#[tokio::test]
async fn wrong_responses_do_not_make_a_task_larger_and_larger() {
    let (store, booked) = (Arc::new(MemoryTaskStore::new()), Arc::new(AtomicUsize::new(0)));
    let server = A2aServer::builder(booking(&["Oslo"], &booked), URL).task_store(Arc::clone(&store));
    let client = Client::of(&server.limits(A2aLimits::new().history_bytes(20_000)).build().unwrap());
    let task = client.send("book").await;
    let wrong = json!({"interruptId": "v1:".to_owned() + &"o".repeat(5_000), "response": "yes"});
    for _ in 0..10 {
        let parts = json!([{"data": {"interruptResponse": wrong}}, {"text": "x".repeat(5_000)}]);
        let still = respond(&client, &task, parts).await.unwrap();
        assert_eq!(state_of(&still), "input_required");
        assert!(status_text(&still).len() < 300, "{}", status_text(&still));
        assert!(still["history"].to_string().len() <= 20_000 && !still["history"][0].is_null());
    }
    let resumed = respond(&client, &task, json!([{"text": "yes"}])).await.unwrap();
    assert_eq!((state_of(&resumed).as_str(), booked.load(Ordering::Relaxed)), ("completed", 1));
}

#[tokio::test]
async fn a_context_waits_with_its_task() {
    let (store, booked) = (Arc::new(MemoryTaskStore::new()), Arc::new(AtomicUsize::new(0)));
    let client = process(&store, booking(&["Oslo"], &booked));
    let task = client.send("book").await;
    let error = client.send_in(&task["contextId"], "hello?").await.unwrap_err();
    assert_eq!(error["code"], -32004);
    assert!(error["message"].as_str().unwrap().contains(task["id"].as_str().unwrap()));

    let canceled = client.call("CancelTask", json!({"id": task["id"]})).await.unwrap();
    assert_eq!(state_of(&canceled), "canceled");
    assert_eq!(client.call("CancelTask", json!({"id": task["id"]})).await.unwrap_err()["code"], -32002);
    assert_eq!(respond(&client, &task, json!([{"text": "yes"}])).await.unwrap_err()["code"], -32004);
    let next = client.send_in(&task["contextId"], "hello?").await.unwrap();
    assert_eq!((state_of(&next).as_str(), booked.load(Ordering::Relaxed)), ("input_required", 0));
}

#[tokio::test]
async fn a_subscriber_of_a_waiting_task_sees_it_resume() {
    let (store, booked) = (Arc::new(MemoryTaskStore::new()), Arc::new(AtomicUsize::new(0)));
    let client = process(&store, booking(&["Oslo"], &booked));
    let task = client.send("book").await;
    let mut events = client.stream("SubscribeToTask", json!({"id": task["id"]})).await;
    assert_eq!(events.next().await.unwrap()["task"], task);
    respond(&client, &task, json!([{"text": "yes"}])).await.unwrap();
    let last = events.rest().await.pop().unwrap();
    assert_eq!(state_of(&last["statusUpdate"]), "completed");
}

/// Refuses the first response.
#[derive(Default)]
struct Strict(AtomicUsize);

#[async_trait]
impl Hook for Strict {
    async fn before_invocation(&self, _: &mut BeforeInvocation<'_>) -> HookResult {
        match self.0.fetch_add(1, Ordering::Relaxed) {
            1 => Err("mallory may not approve".into()),
            _ => Ok(()),
        }
    }
}

#[tokio::test]
async fn a_response_that_a_hook_refuses_leaves_the_task_waiting_and_tells_no_details() {
    let (store, booked) = (Arc::new(MemoryTaskStore::new()), Arc::new(AtomicUsize::new(0)));
    let client = process(&store, booking(&["Oslo"], &booked).hook(Strict::default()));
    let task = client.send("book").await;
    let refused = respond(&client, &task, json!([{"text": "yes"}])).await.unwrap();
    assert_eq!(state_of(&refused), "input_required");
    assert_eq!(status_text(&refused), "the response was not accepted; send it again, or another one\nBook Oslo?");
    let resumed = respond(&client, &task, json!([{"text": "yes"}])).await.unwrap();
    assert_eq!((state_of(&resumed).as_str(), booked.load(Ordering::Relaxed)), ("completed", 1));
}
