//! Prompts that are cancelled, dropped or take too long: their tasks are cancelled.

use std::time::{Duration, Instant};

use strands::a2a::A2aError;
use strands::models::StopReason;
use strands::serde_json::json;
use strands::{AgentEvent, CancellationToken, Continuation, Limits, PromptRequest, Promptable, StreamExt};
use strands_testkit::{Gate, Response};

use crate::peer::{CANCELED, COMPLETED, Peer, WORKING, chunk, ended, prompt, task, whole_task};

const STOP_TIME: Duration = Duration::from_millis(50);

/// A task that works until it is cancelled.
async fn working() -> Peer {
    let peer = Peer::new(|call| match call.method.as_str() {
        "SendStreamingMessage" => {
            let text = call.events(&[task(WORKING), chunk("Hel", false)]);
            let sent = text.len();
            Response::sse(text + ": more\n").stall_at(sent)
        }
        _ => call.result(whole_task(CANCELED, &["Hel"])),
    });
    peer.await
}

#[tokio::test]
async fn a_cancelled_prompt_ends_at_once_and_cancels_its_task() {
    let peer = working().await;
    let (agent, token) = (peer.agent().await, CancellationToken::new());
    let mut events = agent.stream(PromptRequest::new("hi").cancel_with(token.clone()).keep_conversation());
    while !matches!(events.next().await.unwrap().unwrap(), AgentEvent::TextDelta { .. }) {}
    token.cancel();
    let began = Instant::now();
    let Some(Ok(AgentEvent::Result { response })) = events.next().await else { panic!("no response") };
    assert!(began.elapsed() <= STOP_TIME, "{:?}", began.elapsed());
    assert_eq!((&response.stop_reason, response.text().as_str()), (&StopReason::Cancelled, "Hel"));
    assert_eq!(response.continuation.unwrap().value()["a2a"]["contextId"], "c1");
    assert!(events.next().await.is_none());
    drop(events);
    peer.called("CancelTask").await;
    assert_eq!(peer.calls()[1].json()["params"], json!({"id": "t1"}));
}

#[tokio::test]
async fn a_dropped_prompt_cancels_its_task() {
    let peer = working().await;
    let agent = peer.agent().await;
    let mut events = agent.stream("hi".into());
    while !matches!(events.next().await.unwrap().unwrap(), AgentEvent::TextDelta { .. }) {}
    drop(events);
    peer.called("CancelTask").await;
    peer.server.client_gone().await;
}

/// The id of the task comes after the prompt was dropped.
#[tokio::test]
async fn a_task_whose_id_is_not_known_yet_is_cancelled_later() {
    let gate = Gate::new();
    let held = gate.clone();
    let peer = Peer::new(move |call| match call.method.as_str() {
        "SendStreamingMessage" => call.stream(&[task(WORKING), chunk("Hel", false)]).hold_head(&held),
        _ => call.result(whole_task(CANCELED, &[])),
    });
    let peer = peer.await;
    let (agent, token) = (peer.agent().await, CancellationToken::new());
    let mut events = agent.stream(PromptRequest::new("hi").cancel_with(token.clone()));
    assert!(matches!(events.next().await, Some(Ok(AgentEvent::Start { .. }))));
    {
        let waiting = events.next();
        tokio::pin!(waiting);
        tokio::select! {
            biased;
            () = peer.server.stalled() => {}
            event = &mut waiting => panic!("{event:?}"),
        }
        token.cancel();
        let began = Instant::now();
        let Some(Ok(AgentEvent::Result { response })) = waiting.await else { panic!("no response") };
        assert!(began.elapsed() <= STOP_TIME, "{:?}", began.elapsed());
        assert_eq!(response.stop_reason, StopReason::Cancelled);
    }
    drop(events);
    gate.open();
    peer.called("CancelTask").await;
}

#[tokio::test]
async fn a_cancelled_prompt_stays_in_its_conversation() {
    let peer = working().await;
    let token = CancellationToken::new();
    token.cancel();
    let context = Continuation::new(json!({"a2a": {"contextId": "c7"}}));
    let request = PromptRequest::new("hi").cancel_with(token).continue_from(context).keep_conversation();
    let response = prompt(&peer.agent().await, request).await.response();
    assert_eq!(response.continuation.unwrap().value()["a2a"]["contextId"], "c7");
}

/// The server does not respond when the whole task is read at its end.
#[tokio::test]
async fn a_prompt_that_reads_its_task_can_be_cancelled() {
    let peer = Peer::new(|call| match (call.method.as_str(), call.number) {
        ("SendStreamingMessage", _) => call.stream(&[task(WORKING)]),
        ("GetTask", 1) => call.result(whole_task(WORKING, &["Hel"])),
        ("SubscribeToTask", _) => call.stream(&[ended(COMPLETED)]),
        ("GetTask", _) => Response::new(200).stall_head(),
        _ => call.result(whole_task(CANCELED, &[])),
    });
    let peer = peer.await;
    let (agent, token) = (peer.agent().await, CancellationToken::new());
    let request = PromptRequest::new("hi").cancel_with(token.clone());
    let (prompted, ()) = tokio::join!(prompt(&agent, request), async {
        peer.server.stalled().await;
        token.cancel();
    });
    assert_eq!(prompted.response().stop_reason, StopReason::Cancelled);
    peer.called("CancelTask").await;
}

#[tokio::test]
async fn a_prompt_that_is_not_polled_sends_nothing() {
    let peer = working().await;
    let agent = peer.agent().await;
    drop(agent.stream("hi".into()));
    let mut started = agent.stream("hi".into());
    assert!(matches!(started.next().await, Some(Ok(AgentEvent::Start { .. }))));
    drop(started);
    let token = CancellationToken::new();
    token.cancel();
    let cancelled = prompt(&agent, PromptRequest::new("hi").cancel_with(token)).await.response();
    assert_eq!(cancelled.stop_reason, StopReason::Cancelled);
    assert!(peer.methods().is_empty());
}

#[tokio::test]
async fn an_ended_task_is_not_cancelled() {
    let peer = Peer::new(|call| call.stream(&[task(WORKING), ended(COMPLETED)])).await;
    let agent = peer.agent().await;
    for _ in 0..2 {
        prompt(&agent, "hi").await.response();
    }
    assert_eq!(peer.methods(), ["SendStreamingMessage"; 2]);
}

#[tokio::test]
async fn a_task_that_is_cancelled_on_the_server_is_a_cancelled_response() {
    let peer = Peer::new(|call| call.stream(&[task(WORKING), chunk("Hel", false), ended(CANCELED)])).await;
    let response = prompt(&peer.agent().await, "hi").await.response();
    assert_eq!((&response.stop_reason, response.text().as_str()), (&StopReason::Cancelled, "Hel"));
}

#[tokio::test]
async fn a_task_that_takes_too_long_is_cancelled() {
    let peer = working().await;
    let timeout = Duration::from_millis(100);
    let agent = peer.builder().task_timeout(timeout).connect().await.unwrap();
    let error = prompt(&agent, "hi").await.error();
    assert!(matches!(error, A2aError::TaskTimeout { timeout: after } if after == timeout), "{error}");
    peer.called("CancelTask").await;
}

#[tokio::test]
async fn a_limit_of_the_duration_ends_a_prompt_with_what_there_is() {
    let peer = working().await;
    let limits = Limits::new().duration(Duration::from_millis(100));
    let response = prompt(&peer.agent().await, PromptRequest::new("hi").limits(limits)).await.response();
    assert_eq!((&response.stop_reason, response.text().as_str()), (&StopReason::LimitDuration, "Hel"));
    peer.called("CancelTask").await;
}
