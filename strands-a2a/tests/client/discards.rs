//! Interrupts that get no response: their tasks are cancelled.

use strands::a2a::A2aError;
use strands::models::StopReason;
use strands::serde_json::json;
use strands::testing::{ScriptedModel, ScriptedTurn};
use strands::{Agent, AgentError, Continuation, PromptRequest, Promptable, tools};
use strands_testkit::Response;

use crate::peer::{CANCELED, COMPLETED, Call, INPUT_REQUIRED, Peer, WORKING, prompt, status, task, whole_task};

#[tokio::test]
async fn discarded_interrupts_of_an_outer_agent_cancel_the_task() {
    let peer = Peer::new(|call| match call.method.as_str() {
        "SendStreamingMessage" => call.stream(&[task(WORKING), status(INPUT_REQUIRED, "Book it?")]),
        _ => call.result(whole_task(CANCELED, &[])),
    });
    let peer = peer.await;
    let booking = peer.builder().name("booking").connect().await.unwrap();
    let model = ScriptedModel::new([ScriptedTurn::tool_use("booking", json!({"input": "Oslo"}))]);
    let mut agent = Agent::builder().model(model).tools(tools![booking]).build().await.unwrap();
    let response = agent.prompt("Book a flight.").await.unwrap();
    assert_eq!(response.stop_reason, StopReason::Interrupt);
    agent.discard_interrupts().await.unwrap();
    assert_eq!(peer.methods(), ["SendStreamingMessage", "CancelTask"]);
    assert_eq!(peer.calls()[1].json()["params"], json!({"id": "t1"}));
}

/// Discards the question of a task whose server responds to later requests as `respond` says.
async fn discard(respond: fn(&Call) -> Response) -> Result<(), AgentError> {
    let peer = Peer::new(move |call| match call.method.as_str() {
        "SendStreamingMessage" => call.stream(&[task(WORKING), status(INPUT_REQUIRED, "Book it?")]),
        _ => respond(call),
    });
    let peer = peer.await;
    let agent = peer.agent().await;
    let continuation = prompt(&agent, "hi").await.response().continuation.unwrap();
    let discarded = agent.discard(PromptRequest::default().continue_from(continuation.clone())).await;
    // Only to cancel it and to see why it is not: the number of requests is bounded.
    assert!(peer.methods().len() <= 3, "{:?}", peer.methods());
    discarded
}

#[tokio::test]
async fn a_task_that_has_ended_or_is_unknown_is_discarded() {
    discard(|call| call.result(whole_task(CANCELED, &[]))).await.unwrap();
    discard(|call| call.error(-32001, "unknown")).await.unwrap();
    let ended = |call: &Call| match call.method.as_str() {
        "CancelTask" => call.error(-32002, "it has ended"),
        _ => call.result(whole_task(COMPLETED, &[])),
    };
    discard(ended).await.unwrap();
}

#[tokio::test]
async fn a_task_that_may_still_take_responses_is_not_discarded() {
    let waiting = |call: &Call| match call.method.as_str() {
        "CancelTask" => call.error(-32004, "no cancellation here"),
        _ => call.result(whole_task(INPUT_REQUIRED, &[])),
    };
    for respond in [
        waiting,
        |call: &Call| call.result(whole_task(INPUT_REQUIRED, &[])),
        |_: &Call| Response::new(503),
        |_: &Call| Response::new(401),
    ] {
        let error = discard(respond).await.unwrap_err();
        assert!(matches!(error, AgentError::Promptable { .. }), "{error:?}");
    }
}

#[tokio::test]
async fn a_conversation_without_a_task_has_nothing_to_discard() {
    let peer = Peer::new(|call| call.error(-32001, "unknown")).await;
    let agent = peer.agent().await;
    agent.discard(PromptRequest::default()).await.unwrap();
    let context = Continuation::new(json!({"a2a": {"contextId": "c1"}}));
    agent.discard(PromptRequest::default().continue_from(context)).await.unwrap();
    let other = Continuation::new(json!({"data": 1}));
    let Err(AgentError::Promptable { source, .. }) = agent.discard(PromptRequest::default().continue_from(other)).await
    else {
        panic!("no error")
    };
    assert!(matches!(*source.downcast().unwrap(), A2aError::Prompt { .. }));
    assert!(peer.methods().is_empty());
}
