//! Tasks that require input.

use strands::models::StopReason;
use strands::serde_json::{self, Value, json};
use strands::{
    AgentError, AgentEvent, AgentResponse, Continuation, InterruptResponse, PromptRequest, Promptable, StreamExt,
};

use strands_testkit::Response;

use crate::peer::{CANCELED, COMPLETED, INPUT_REQUIRED, Peer, WORKING, chunk, ended, prompt, status, task, whole_task};

/// Asks in the first message, and then echoes the responses.
async fn asking(question: Value) -> Peer {
    let peer = Peer::new(move |call| {
        if call.params["message"].get("taskId").is_none() {
            return call.stream(&[task(WORKING), chunk("First,", false), question.clone()]);
        }
        assert_eq!(
            (&call.params["message"]["taskId"], &call.params["message"]["contextId"]),
            (&json!("t1"), &json!("c1"))
        );
        let parts = call.params["message"]["parts"].to_string();
        call.stream(&[task(WORKING), chunk(&parts, false), ended(COMPLETED)])
    });
    peer.await
}

fn strands_question() -> Value {
    let listed = json!({"interrupts": [
        {"interruptId": "i1", "name": "approval", "reason": {"price": 10}},
        {"interruptId": "i2", "name": "seat", "reason": "window?"},
    ]});
    let message =
        json!({"messageId": "m", "role": "ROLE_AGENT", "parts": [{"text": "Please approve."}, {"data": listed}]});
    json!({"statusUpdate": {"taskId": "t1", "contextId": "c1", "status": {"state": INPUT_REQUIRED, "message": message}}})
}

/// The continuation, as another process reads it.
fn stored(response: AgentResponse) -> Continuation {
    assert_eq!(response.stop_reason, StopReason::Interrupt);
    let json = serde_json::to_string(&response.continuation.unwrap()).unwrap();
    serde_json::from_str(&json).unwrap()
}

fn resume(continuation: &Continuation, responses: impl IntoIterator<Item = InterruptResponse>) -> PromptRequest {
    PromptRequest::default().resume(responses).continue_from(continuation.clone())
}

#[tokio::test]
async fn a_question_is_resumed_with_a_text_or_with_data() {
    let peer = asking(status(INPUT_REQUIRED, "Which seat?")).await;
    let prompted = prompt(&peer.agent().await, "hi").await;
    assert_eq!(prompted.text, "First,\nWhich seat?");
    let response = prompted.response();
    let interrupt = response.interrupts[0].clone();
    assert_eq!((interrupt.name.as_str(), &interrupt.reason), ("input_required", &json!("Which seat?")));
    let continuation = stored(response);
    for (value, expected) in [
        (json!("12A"), json!([{"text": "12A"}])),
        (json!({"row": 12}), json!([{"data": {"row": 12}}])),
        (json!(true), json!([{"data": true}])),
    ] {
        let request = resume(&continuation, [InterruptResponse::new(&interrupt.id, value)]);
        let response = prompt(&peer.agent().await, request).await.response();
        assert_eq!(response.stop_reason, StopReason::EndTurn);
        assert_eq!(serde_json::from_str::<Value>(&response.text()).unwrap(), expected);
    }
}

#[tokio::test]
async fn interrupts_of_strands_are_resumed_by_their_ids() {
    let peer = asking(strands_question()).await;
    let agent = peer.agent().await;
    let prompted = prompt(&agent, "hi").await;
    assert_eq!(prompted.text, "First,\nPlease approve.");
    let response = prompted.response();
    let found: Vec<_> =
        response.interrupts.iter().map(|it| (it.id.as_str(), it.name.as_str(), it.reason.clone())).collect();
    assert_eq!(found, [("i1", "approval", json!({"price": 10})), ("i2", "seat", json!("window?"))]);
    let continuation = stored(response);
    let both = [InterruptResponse::new("i1", "yes"), InterruptResponse::new("i2", json!({"row": 1}))];
    let response = prompt(&agent, resume(&continuation, both)).await.response();
    assert_eq!(
        serde_json::from_str::<Value>(&response.text()).unwrap(),
        json!([
            {"data": {"interruptResponse": {"interruptId": "i1", "response": "yes"}}},
            {"data": {"interruptResponse": {"interruptId": "i2", "response": {"row": 1}}}},
        ])
    );
}

#[tokio::test]
async fn a_task_that_waits_accepts_responses_to_its_interrupts_alone() {
    let peer = asking(strands_question()).await;
    let agent = peer.agent().await;
    let continuation = stored(prompt(&agent, "hi").await.response());
    let unknown = prompt(&agent, resume(&continuation, [InterruptResponse::new("i3", "yes")])).await.end;
    assert!(matches!(unknown, Err(AgentError::UnknownInterrupt { id }) if id == "i3"));
    let prompted = prompt(&agent, PromptRequest::new("hello?").continue_from(continuation.clone())).await.end;
    assert!(matches!(prompted, Err(AgentError::Interrupted { interrupts }) if interrupts == ["i1", "i2"]));
    let without = prompt(&agent, PromptRequest::default().resume([InterruptResponse::new("i1", "yes")])).await.end;
    assert!(matches!(without, Err(AgentError::UnknownInterrupt { .. })));
    assert_eq!(peer.methods().len(), 1);
    // Without responses the interrupts are returned again.
    let again = prompt(&agent, resume(&continuation, [])).await.response();
    assert_eq!(again.interrupts.len(), 2);
    assert_eq!(stored(again), continuation);
    assert_eq!(peer.methods().len(), 1);
}

/// A task whose responses the server does not accept can be resumed again.
#[tokio::test]
async fn a_refused_response_leaves_the_task_suspended() {
    let peer = Peer::new(|call| match call.number {
        0 => call.stream(&[task(WORKING), strands_question()]),
        1 => call.error(-32602, "try later"),
        // Such a refusal may be that of a task that has ended, so it is read.
        2 => call.result(whole_task(INPUT_REQUIRED, &[])),
        3 => Response::new(401),
        _ => call.stream(&[task(WORKING), ended("TASK_STATE_FAILED")]),
    });
    let peer = peer.await;
    let agent = peer.agent().await;
    let continuation = stored(prompt(&agent, "hi").await.response());
    let approval = || resume(&continuation, [InterruptResponse::new("i1", "yes")]);
    for expected in ["try later (code -32602)", "HTTP 401"] {
        let error = prompt(&agent, approval()).await.end.unwrap_err();
        assert!(error.failure().to_string().contains(expected), "{error}");
        let AgentError::Suspended { interrupts, continuation: again, .. } = error else { panic!("{error:?}") };
        assert_eq!((interrupts.len(), again), (2, Some(continuation.clone())));
    }
    // The server has accepted the responses.
    let failed = prompt(&agent, approval()).await.end;
    assert!(matches!(failed, Err(AgentError::Promptable { .. })), "{:?}", failed.err());
    assert_eq!(peer.methods().len(), 5);
}

/// Servers of the SDK for Python refuse a message to a task that has ended as one with invalid parameters.
#[tokio::test]
async fn a_task_that_is_refused_for_its_end_is_gone() {
    for has_forgotten in [false, true] {
        let peer = Peer::new(move |call| match call.number {
            0 => call.stream(&[task(WORKING), strands_question()]),
            1 => call.error(-32602, "Task t1 is in terminal state: canceled"),
            _ if has_forgotten => call.error(-32001, "it is gone"),
            _ => call.result(whole_task(CANCELED, &[])),
        });
        let peer = peer.await;
        let agent = peer.agent().await;
        let continuation = stored(prompt(&agent, "hi").await.response());
        let approval = resume(&continuation, [InterruptResponse::new("i1", "yes")]);
        let failed = prompt(&agent, approval).await.end;
        assert!(matches!(failed, Err(AgentError::Promptable { .. })), "{:?}", failed.err());
        assert_eq!(peer.methods(), ["SendStreamingMessage", "SendStreamingMessage", "GetTask"]);
    }
}

/// A refused message is no reason to read a task that is not known.
#[tokio::test]
async fn a_prompt_that_is_refused_reads_no_task() {
    let peer = Peer::new(|call| call.error(-32602, "no")).await;
    let failed = prompt(&peer.agent().await, "hi").await.end;
    assert!(matches!(failed, Err(AgentError::Promptable { .. })), "{:?}", failed.err());
    assert_eq!(peer.methods(), ["SendStreamingMessage"]);
}

/// A task that is gone can't be resumed: its prompt fails for good.
#[tokio::test]
async fn responses_to_a_task_that_is_gone_fail() {
    for code in [-32001, -32004] {
        let peer = Peer::new(move |call| match call.number {
            0 => call.stream(&[task(WORKING), strands_question()]),
            _ => call.error(code, "it is gone"),
        });
        let peer = peer.await;
        let agent = peer.agent().await;
        let continuation = stored(prompt(&agent, "hi").await.response());
        let approval = resume(&continuation, [InterruptResponse::new("i1", "yes")]);
        let events: Vec<_> = agent.stream(approval).collect().await;
        // An error as the first item would be a refusal that leaves the prompt suspended.
        assert!(
            matches!(events.as_slice(), [Ok(AgentEvent::Start { .. }), Err(AgentError::Promptable { .. })]),
            "{events:?}"
        );
    }
}
