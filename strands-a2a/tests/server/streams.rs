//! Streams of a task's events.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use strands::AgentEvent;
use strands::a2a::{A2aLimits, A2aServer};
use strands::message::Message;

use crate::client::{Client, URL, message, parts_of, reason, server, short, state_of, with_users};
use crate::controlled::{Controlled, Step};

#[tokio::test]
async fn text_is_appended_void_text_replaced_and_the_last_update_is_whole() {
    let (controlled, prompts) = Controlled::new();
    let client = Client::of(&server(controlled));
    let mut events = client.stream("SendStreamingMessage", message(json!([{"text": "x"}]), json!({}))).await;
    let prompt = prompts.next().await;
    prompt.step(Step::Event(AgentEvent::CycleStart { cycle: 1 }));
    prompt.step(Step::Text("Let me "));
    prompt.step(Step::Text("see."));
    prompt.step(Step::Event(AgentEvent::ReasoningDelta { text: "secret".to_owned() }));
    prompt.step(Step::Event(AgentEvent::CycleStart { cycle: 2 }));
    prompt.step(Step::Text("Oslo"));
    let retry =
        AgentEvent::Retry { attempt: 1, delay: Duration::ZERO, error: "busy".to_owned(), discards_output: true };
    prompt.step(Step::Event(retry));
    prompt.step(Step::Event(AgentEvent::Message { message: Arc::new(Message::assistant("not sent")) }));
    prompt.step(Step::Text("Rome"));
    prompt.step(Step::Text("!"));
    prompt.end("Rome!");
    let all = events.rest().await;
    let short: Vec<_> = all.iter().map(short).collect();
    assert_eq!(
        short,
        ["task submitted", "working", "=Let me ", "+see.", "=Oslo", "=Rome", "+!", "=Rome!.", "completed"]
    );
    let ids = all[2..8].iter().map(|event| &event["artifactUpdate"]["artifact"]["artifactId"]);
    assert!(ids.clone().all(|id| id.is_string() && *id == all[2]["artifactUpdate"]["artifact"]["artifactId"]));
    let task = client.get(&all[0]["task"]["id"]).await.unwrap();
    assert_eq!(parts_of(&task), &json!([{"text": "Rome!"}]));
}

#[tokio::test]
async fn a_task_goes_on_without_its_client_which_can_subscribe_again() {
    let (controlled, prompts) = Controlled::new();
    let client = Client::of(&server(controlled));
    let mut events = client.stream("SendStreamingMessage", message(json!([{"text": "x"}]), json!({}))).await;
    let prompt = prompts.next().await;
    let task = events.next().await.unwrap()["task"].take();
    drop(events);
    prompt.step(Step::Text("Hello"));
    // The snapshot has what was sent so far.
    loop {
        let task = client.get(&task["id"]).await.unwrap();
        if task.get("artifacts").is_some() {
            assert_eq!(parts_of(&task), &json!([{"text": "Hello"}]));
            break;
        }
        tokio::task::yield_now().await;
    }
    let mut again = client.stream("SubscribeToTask", json!({"id": task["id"]})).await;
    let mut third = client.stream("SubscribeToTask", json!({"id": task["id"]})).await;
    let first = again.next().await.unwrap();
    assert_eq!(parts_of(&first["task"]), &json!([{"text": "Hello"}]));
    prompt.step(Step::Text(" again"));
    prompt.end("Hello again");
    let rest: Vec<_> = again.rest().await.iter().map(short).collect();
    assert_eq!(rest, ["+ again", "=Hello again.", "completed"]);
    // Each stream gets the same events.
    assert_eq!(third.rest().await.iter().skip(1).map(short).collect::<Vec<_>>(), rest);
}

#[tokio::test]
async fn a_client_of_a_blocking_request_that_goes_away_cancels_nothing() {
    let (controlled, prompts) = Controlled::new();
    let client = Client::of(&server(controlled));
    let request = tokio::spawn({
        let client = client.clone();
        async move { client.send("x").await }
    });
    let prompt = prompts.next().await;
    request.abort();
    assert!(request.await.unwrap_err().is_cancelled());
    prompt.end("done");
    let listed = loop {
        let listed = client.call("ListTasks", json!({"includeArtifacts": true})).await.unwrap();
        if state_of(&listed["tasks"][0]) == "completed" {
            break listed;
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(parts_of(&listed["tasks"][0]), &json!([{"text": "done"}]));
}

#[tokio::test]
async fn a_stream_that_lags_gets_the_state_instead_of_the_events_that_it_missed() {
    let (controlled, prompts) = Controlled::new();
    let client = Client::of(&server(controlled));
    let mut events = client.stream("SendStreamingMessage", message(json!([{"text": "x"}]), json!({}))).await;
    let prompt = prompts.next().await;
    for _ in 0..1_000 {
        prompt.step(Step::Text("a"));
    }
    let text = "a".repeat(1_000);
    prompt.end(&text);
    let id = events.next().await.unwrap()["task"]["id"].take();
    client.until(&id, "completed").await;
    let rest = events.rest().await;
    assert!(rest.len() < 600, "{}", rest.len());
    // A reader that follows the flags has the whole text, and no more.
    let mut seen = String::new();
    for event in rest.iter().filter(|event| event.get("artifactUpdate").is_some()) {
        let update = &event["artifactUpdate"];
        if update["append"] != true {
            seen.clear();
        }
        seen.push_str(update["artifact"]["parts"][0]["text"].as_str().unwrap());
    }
    assert_eq!(seen, text);
    assert_eq!(state_of(&rest.last().unwrap()["statusUpdate"]), "completed");
}

#[tokio::test]
async fn the_number_of_streams_is_limited() {
    let (controlled, prompts) = Controlled::new();
    let server = A2aServer::builder(controlled, URL).limits(A2aLimits::new().streams(1)).build().unwrap();
    let client = Client::of(&server);
    let params = || message(json!([{"text": "x"}]), json!({}));
    let first = client.stream("SendStreamingMessage", params()).await;
    let _prompt = prompts.next().await;
    assert_eq!(reason(&client.call("SendStreamingMessage", params()).await.unwrap_err()), "OVERLOADED");
    drop(first);
    client.stream("SendStreamingMessage", params()).await;
}

#[tokio::test]
async fn the_streams_of_one_caller_leave_room_for_others() {
    let (controlled, prompts) = Controlled::new();
    let limits = A2aLimits::new().streams(2).streams_per_caller(1);
    let client = Client::of(&with_users(A2aServer::builder(controlled, URL).limits(limits)));
    let (alice, bob) = (client.user("alice"), client.user("bob"));
    let params = || message(json!([{"text": "x"}]), json!({}));
    let first = alice.stream("SendStreamingMessage", params()).await;
    let _alices = prompts.next().await;
    assert_eq!(reason(&alice.call("SendStreamingMessage", params()).await.unwrap_err()), "OVERLOADED");
    let _second = bob.stream("SendStreamingMessage", params()).await;
    drop(first);
    alice.stream("SendStreamingMessage", params()).await;
}

#[tokio::test]
async fn short_responses_can_be_messages() {
    let (controlled, prompts) = Controlled::new();
    let server = A2aServer::builder(controlled, URL).message_responses(|_| true).build().unwrap();
    let client = Client::of(&server);
    let params = message(json!([{"text": "x"}]), json!({"contextId": "c"}));
    let sent = tokio::spawn({
        let (client, params) = (client.clone(), params.clone());
        async move { client.call("SendMessage", params).await.unwrap() }
    });
    prompts.next().await.end("hi");
    let response = sent.await.unwrap();
    assert_eq!(response["message"]["parts"], json!([{"text": "hi"}]));
    assert_eq!((&response["message"]["role"], &response["message"]["contextId"]), (&json!("ROLE_AGENT"), &json!("c")));

    let mut events = client.stream("SendStreamingMessage", params.clone()).await;
    let prompt = prompts.next().await;
    prompt.step(Step::Text("hi"));
    prompt.end("hi again");
    let events = events.rest().await;
    assert_eq!((events.len(), &events[0]["message"]["parts"]), (1, &json!([{"text": "hi again"}])));
    assert_eq!(client.call("ListTasks", json!({})).await.unwrap()["totalSize"], 0);

    // A failure is a task.
    let sent = tokio::spawn(async move { client.call("SendMessage", params).await.unwrap() });
    prompts.next().await.step(Step::Panic);
    assert_eq!(state_of(&sent.await.unwrap()["task"]), "failed");
}
