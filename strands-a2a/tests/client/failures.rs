//! Servers that fail, respond with garbage, or with too much.

use std::time::Duration;

use strands::a2a::{A2aError, TaskFailure};
use strands::serde_json::json;
use strands::{AgentError, Prompt, PromptRequest};
use strands_testkit::{Framing, Response};

use crate::peer::{CANCELED, Peer, WORKING, chunk, prompt, status, task, whole_task};

#[tokio::test]
async fn a_task_that_failed_is_an_error_with_its_message() {
    for (state, expected) in [
        ("TASK_STATE_FAILED", TaskFailure::Failed),
        ("TASK_STATE_REJECTED", TaskFailure::Rejected),
        ("TASK_STATE_AUTH_REQUIRED", TaskFailure::AuthRequired),
    ] {
        let peer = Peer::new(move |call| call.stream(&[task(WORKING), status(state, "no\u{1b}[31m seats")])).await;
        let prompted = prompt(&peer.agent().await, "hi").await;
        let shown = prompted.end.as_ref().unwrap_err().to_string();
        assert!(shown.starts_with("`Peer` failed: the task ") && shown.ends_with(": no [31m seats"), "{shown:?}");
        let A2aError::Task { failure, task_id, message, .. } = prompted.error() else { panic!("{state}") };
        assert_eq!((failure, task_id.as_str(), message.as_str()), (expected, "t1", "no [31m seats"));
        assert_eq!(peer.methods(), ["SendStreamingMessage"]);
    }
}

#[tokio::test]
async fn errors_of_the_protocol_have_their_code() {
    let peer = Peer::new(|call| call.error(-32602, "bad")).await;
    let error = prompt(&peer.agent().await, "hi").await.error();
    assert_eq!(error.to_string(), "the server rejected the request: bad (code -32602)");
    let peer = Peer::new(|call| {
        let error = json!({"jsonrpc": "2.0", "id": call.id, "error": {"code": -32001, "message": "gone"}});
        Response::sse(format!("data: {error}\n\n"))
    });
    let peer = peer.await;
    let error = prompt(&peer.agent().await, "hi").await.error();
    assert!(matches!(error, A2aError::Rejected { code: -32001, .. }), "{error}");
    // As HTTP+JSON has them.
    let body = json!({"error": {"code": 404, "message": "gone", "details": [{"@type": "..ErrorInfo", "reason": "TASK_NOT_FOUND"}]}});
    let peer = Peer::new(move |_| Response::json(404, &body)).await;
    let error = prompt(&peer.agent().await, "hi").await.error();
    assert!(matches!(error, A2aError::Rejected { code: -32001, .. }), "{error}");
}

#[tokio::test]
async fn errors_of_http_have_their_status_and_the_start_of_the_body() {
    for (status, is_expected) in [
        (401, (|error| matches!(error, A2aError::Unauthorized { status: 401 })) as fn(&A2aError) -> bool),
        (403, |error| matches!(error, A2aError::Unauthorized { status: 403 })),
        (302, |error| matches!(error, A2aError::Http { status: 302, .. })),
        (500, |error| matches!(error, A2aError::Http { status: 500, text } if text.len() == 4096)),
    ] {
        let peer =
            Peer::new(move |_| Response::new(status).header("location", "/other").body("x".repeat(100_000))).await;
        let error = prompt(&peer.agent().await, "hi").await.error();
        assert!(is_expected(&error), "{error:?}");
        assert_eq!(peer.methods(), ["SendStreamingMessage"]);
    }
}

#[tokio::test]
async fn garbage_is_an_error_and_cancels_the_task() {
    let other_task = json!({"statusUpdate": {"taskId": "t2", "contextId": "c1", "status": {"state": WORKING}}});
    let long_id =
        json!({"statusUpdate": {"taskId": "t1", "contextId": "x".repeat(2_000), "status": {"state": WORKING}}});
    for garbage in [
        "data: {\"jsonrpc\"\n\n".to_owned(),
        "data: []\n\n".to_owned(),
        "data: {\"jsonrpc\": \"2.0\", \"id\": 1}\n\n".to_owned(),
        "data: {\"result\": {\"unknown\": {}}}\n\n".to_owned(),
        format!("data: {{\"result\": {{\"task\": {}1{}}}}}\n\n", "[".repeat(200), "]".repeat(200)),
        format!("data: {}\n\n", json!({"result": other_task})),
        format!("data: {}\n\n", json!({"result": long_id})),
        "data: what\u{0}: is this\n\n".to_owned(),
    ] {
        let sent = garbage.clone();
        let peer = Peer::new(move |call| match call.method.as_str() {
            "SendStreamingMessage" => Response::sse(call.events(&[task(WORKING)]) + &sent),
            _ => call.result(whole_task(CANCELED, &[])),
        });
        let peer = peer.await;
        let error = prompt(&peer.agent().await, "hi").await.error();
        assert!(matches!(error, A2aError::Protocol { .. }), "{garbage:?}: {error:?}");
        assert!(error.to_string().len() < 5_000);
        peer.called("CancelTask").await;
    }
}

#[tokio::test]
async fn responses_that_are_no_json_are_errors() {
    for (content_type, body) in
        [("text/html", "<html>"), ("application/json", ""), ("application/json", "{\"result\": null}")]
    {
        let peer = Peer::new(move |_| Response::new(200).content_type(content_type).body(body)).await;
        let error = prompt(&peer.agent().await, "hi").await.error();
        assert!(matches!(error, A2aError::Protocol { .. }), "{error:?}");
    }
    let peer = Peer::new(|_| Response::garbage("no HTTP at all\r\n\r\n")).await;
    let error = prompt(&peer.agent().await, "hi").await.error();
    assert!(matches!(error, A2aError::Connection { .. }), "{error:?}");
}

#[tokio::test]
async fn too_much_content_is_an_error_and_cancels_the_task() {
    // One event, one that does not end, and many together.
    let cases: [fn(&crate::peer::Call) -> String; 4] = [
        |call| call.events(&[chunk(&"x".repeat(100_000), false)]),
        |call| call.events(&[chunk("x", false)]) + "data: " + &"x".repeat(100_000),
        |call| "data: x\n".repeat(20_000) + &call.events(&[task(WORKING)]),
        |call| call.events(&vec![chunk(&"x".repeat(1_000), true); 100]),
    ];
    for more in cases {
        let peer = Peer::new(move |call| match call.method.as_str() {
            "SendStreamingMessage" => Response::sse(call.events(&[task(WORKING)]) + &more(call)),
            _ => call.result(whole_task(CANCELED, &[])),
        });
        let peer = peer.await;
        let agent = peer.builder().max_response_bytes(50_000).connect().await.unwrap();
        let error = prompt(&agent, "hi").await.error();
        assert!(matches!(error, A2aError::TooLarge { limit: 50_000 }), "{error:?}");
        peer.called("CancelTask").await;
    }
    let peer = Peer::new(|_| {
        Response::new(200).content_type("application/json").framing(Framing::Chunked).body("[".repeat(60_000))
    });
    let peer = peer.await;
    let agent = peer.builder().max_response_bytes(50_000).connect().await.unwrap();
    let error = prompt(&agent, "hi").await.error();
    assert!(matches!(error, A2aError::TooLarge { limit: 50_000 }), "{error:?}");
}

#[tokio::test]
async fn a_silent_server_is_an_error() {
    let peer = Peer::new(|_| Response::new(200).stall_head()).await;
    let timeout = Duration::from_millis(100);
    let agent = peer.builder().timeout(timeout).connect().await.unwrap();
    let error = prompt(&agent, "hi").await.error();
    assert!(matches!(error, A2aError::Timeout { timeout: after } if after == timeout), "{error:?}");
}

#[tokio::test]
async fn prompts_that_can_not_be_sent_are_rejected() {
    let peer = Peer::new(|call| panic!("{}", call.method)).await;
    let agent = peer.agent().await;
    let empty = prompt(&agent, Prompt::none()).await.end;
    assert!(matches!(empty, Err(AgentError::EmptyConversation)));
    let of_assistant = Prompt::from(strands::message::Message::assistant("I said"));
    let error = prompt(&agent, PromptRequest::new(of_assistant)).await.error();
    assert!(matches!(error, A2aError::Prompt { .. }), "{error}");
    let foreign = PromptRequest::new("hi").continue_from(json!({"data": {}}));
    let error = prompt(&agent, foreign).await.error();
    assert_eq!(error.to_string(), "the prompt can't be sent: the continuation is not one of a remote agent");
}

#[tokio::test]
async fn too_many_json_values_are_an_error_before_they_are_parsed() {
    let zeros = format!("[{}0]", "0,".repeat(200_000));
    for is_stream in [true, false] {
        let zeros = zeros.clone();
        let peer = Peer::new(move |call| {
            let artifact = format!(r#"{{"artifactId": "a", "parts": [{{"data": {zeros}}}]}}"#);
            let event =
                format!(r#"{{"artifactUpdate": {{"taskId": "t1", "contextId": "c1", "artifact": {artifact}}}}}"#);
            let body = format!(r#"{{"jsonrpc": "2.0", "id": {}, "result": {event}}}"#, call.id);
            if is_stream {
                return Response::sse(format!("data: {body}\n\n"));
            }
            Response::new(200).content_type("application/json").body(body)
        });
        let peer = peer.await;
        let agent = peer.builder().max_response_bytes(1024 * 1024).connect().await.unwrap();
        let error = prompt(&agent, "hi").await.error();
        assert!(matches!(error, A2aError::TooManyValues { limit: 16_384 }), "{error:?}");
    }
}

#[tokio::test]
async fn a_long_context_id_of_a_message_is_an_error() {
    let peer = Peer::new(|call| {
        let message =
            json!({"messageId": "m", "role": "ROLE_AGENT", "contextId": "x".repeat(2_000), "parts": [{"text": "hi"}]});
        call.stream(&[json!({"message": message})])
    });
    let peer = peer.await;
    let error = prompt(&peer.agent().await, "hi").await.error();
    assert!(matches!(error, A2aError::Protocol { .. }), "{error:?}");
}
