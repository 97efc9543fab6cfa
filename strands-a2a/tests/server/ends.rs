//! Ends of tasks: failures, refusals, cancellation and shutdown.

use std::time::Duration;

use serde_json::json;
use strands::a2a::axum::http::{Method, StatusCode};
use strands::a2a::{A2aLimits, A2aServer};
use strands::message::Message;
use strands::models::StopReason;
use strands::{AgentError, AgentResponse};
use tokio::time::Instant;

use crate::client::{Client, URL, message, parts_of, reason, server, state_of, status_text};
use crate::controlled::{Controlled, Step};

async fn ended_with(step: Step) -> serde_json::Value {
    let (controlled, prompts) = Controlled::new();
    let client = Client::of(&server(controlled));
    let task = client.start("x").await;
    prompts.next().await.step(step);
    loop {
        let task = client.get(&task["id"]).await.unwrap();
        if !["submitted", "working"].contains(&state_of(&task).as_str()) {
            return task;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn details_of_failures_are_not_shown() {
    let failure = AgentError::Promptable { name: "db".to_owned(), source: "password hunter2 is wrong".into() };
    for step in [Step::Fail(failure), Step::Panic, Step::Stop] {
        let task = ended_with(step).await;
        assert_eq!((state_of(&task).as_str(), status_text(&task).as_str()), ("failed", "the agent failed"));
        assert!(!task.to_string().contains("hunter2"));
    }
}

#[tokio::test]
async fn stop_reasons_decide_on_the_state() {
    for (reason, state, text) in [
        (StopReason::EndTurn, "completed", None),
        (StopReason::StopSequence, "completed", None),
        (StopReason::MaxTokens, "failed", Some("the agent stopped before the end of its response: max_tokens")),
        (StopReason::LimitTurns, "failed", Some("the agent stopped before the end of its response: limit_turns")),
        (StopReason::GuardrailIntervened, "rejected", Some("partial")),
        (StopReason::ContentFiltered, "rejected", Some("partial")),
        (StopReason::Cancelled, "canceled", Some("the task was canceled")),
    ] {
        let task = ended_with(Step::End(AgentResponse::new(Message::assistant("partial"), reason.clone()))).await;
        assert_eq!(state_of(&task), state, "{reason}");
        assert_eq!(task["status"].get("message").map(|_| status_text(&task)).as_deref(), text);
        if ["completed", "failed"].contains(&state) {
            assert_eq!(parts_of(&task), &json!([{"text": "partial"}]));
        }
    }
}

#[tokio::test]
async fn a_busy_agent_rejects_the_task() {
    let task = ended_with(Step::Fail(AgentError::Busy { name: "shared".to_owned() })).await;
    assert_eq!(
        (state_of(&task).as_str(), status_text(&task).as_str()),
        ("rejected", "the agent is busy; send the message again later")
    );
}

#[tokio::test]
async fn a_response_that_is_too_large_fails() {
    for streamed in [true, false] {
        let (controlled, prompts) = Controlled::new();
        let server = A2aServer::builder(controlled, URL).limits(A2aLimits::new().response_bytes(10)).build().unwrap();
        let client = Client::of(&server);
        let task = client.start("x").await;
        let prompt = prompts.next().await;
        if streamed {
            prompt.step(Step::Text("0123456789a"));
        } else {
            prompt.end("0123456789a");
        }
        let task = client.until(&task["id"], "failed").await;
        assert_eq!(status_text(&task), "the response is larger than 10 bytes");
        // Its agent was dropped.
        prompt.steps.closed().await;
    }
}

#[tokio::test]
async fn a_cancellation_ends_the_task_within_50_ms() {
    let (controlled, prompts) = Controlled::new();
    let client = Client::of(&server(controlled));
    let mut events = client.stream("SendStreamingMessage", message(json!([{"text": "x"}]), json!({}))).await;
    let id = events.next().await.unwrap()["task"]["id"].take();
    let prompt = prompts.next().await;
    prompt.step(Step::Text("so far"));
    let started = Instant::now();
    let task = client.call("CancelTask", json!({"id": id})).await.unwrap();
    assert!(started.elapsed() < Duration::from_millis(50));
    assert_eq!((state_of(&task).as_str(), status_text(&task).as_str()), ("canceled", "the task was canceled"));
    assert_eq!(state_of(&events.rest().await.pop().unwrap()["statusUpdate"]), "canceled");
    prompt.steps.closed().await;
    assert_eq!(client.call("CancelTask", json!({"id": id})).await.unwrap_err()["code"], -32002);
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_ignores_a_cancellation_is_dropped_after_a_second() {
    let (controlled, prompts) = Controlled::new();
    let client = Client::of(&server(controlled.stubborn()));
    let task = client.start("x").await;
    let prompt = prompts.next().await;
    let started = Instant::now();
    let task = client.call("CancelTask", json!({"id": task["id"]})).await.unwrap();
    assert_eq!((state_of(&task).as_str(), started.elapsed().as_secs()), ("canceled", 1));
    prompt.steps.closed().await;
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_waits_for_tasks_and_then_cancels_them() {
    let (controlled, prompts) = Controlled::new();
    let server = server(controlled);
    let client = Client::of(&server);
    let (one, two) = (client.start("x").await, client.start("x").await);
    let (first, _second) = (prompts.next().await, prompts.next().await);
    let shutdown = tokio::spawn({
        let server = server.clone();
        async move { server.shutdown(Duration::from_secs(10)).await }
    });
    tokio::task::yield_now().await;
    assert_eq!(
        reason(&client.call("SendMessage", message(json!([{"text": "x"}]), json!({}))).await.unwrap_err()),
        "SHUTTING_DOWN"
    );
    let (status, _) = client.http(Method::POST, "/message:send", message(json!([{"text": "x"}]), json!({}))).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    first.end("in time");
    let started = Instant::now();
    shutdown.await.unwrap();
    assert_eq!(started.elapsed().as_secs(), 10);
    assert_eq!(state_of(&client.get(&one["id"]).await.unwrap()), "completed");
    let task = client.get(&two["id"]).await.unwrap();
    assert_eq!((state_of(&task).as_str(), status_text(&task).as_str()), ("canceled", "the server was shut down"));
    // With nothing to do, it returns at once.
    let started = Instant::now();
    server.shutdown(Duration::from_secs(10)).await;
    assert_eq!(started.elapsed(), Duration::ZERO);
}
