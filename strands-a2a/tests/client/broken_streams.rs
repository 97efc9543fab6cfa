//! Streams that break off while their task goes on.

use strands_testkit::Cut;

use crate::peer::{CANCELED, COMPLETED, Call, Peer, WORKING, chunk, ended, prompt, task, whole_task};
use strands::a2a::A2aError;
use strands::serde_json::json;
use strands_testkit::Response;

/// A stream that breaks off after its events, in one of the ways of a connection.
fn broken(call: &Call, cut: Option<Cut>) -> Response {
    let text = call.events(&[task(WORKING), chunk("Hel", false)]);
    let whole = text.len();
    match cut {
        // Within an event.
        Some(cut) => Response::sse(format!("{text}data: {{\"jsonrpc\"")).cut_at(whole + 10, cut),
        None => Response::sse(text),
    }
}

#[tokio::test]
async fn a_broken_stream_is_replaced() {
    for cut in [None, Some(Cut::Close), Some(Cut::Reset), Some(Cut::Clean)] {
        let peer = Peer::new(move |call| match call.method.as_str() {
            "SendStreamingMessage" => broken(call, cut),
            "GetTask" if call.number == 1 => call.result(whole_task(WORKING, &["Hel"])),
            "GetTask" => call.result(whole_task(COMPLETED, &["Hel", "lo", "!"])),
            // As in protocol 0.3: from now on, so that the chunk in between was missed.
            _ => call.stream(&[chunk("!", true), ended(COMPLETED)]),
        });
        let peer = peer.await;
        let prompted = prompt(&peer.agent().await, "hi").await;
        assert_eq!(prompted.response().text(), "Hello!", "{cut:?}");
        assert_eq!(peer.methods(), ["SendStreamingMessage", "GetTask", "SubscribeToTask", "GetTask"], "{cut:?}");
    }
}

#[tokio::test]
async fn a_task_that_can_not_be_subscribed_to_is_polled() {
    let peer = Peer::new(move |call| match (call.method.as_str(), call.number) {
        ("SendStreamingMessage", _) => broken(call, None),
        ("GetTask", 1) => call.result(whole_task(WORKING, &["Hel"])),
        ("GetTask", 3) => Response::new(503).body("busy"),
        ("GetTask", _) => call.result(whole_task(COMPLETED, &["Hel", "lo"])),
        _ => call.error(-32004, "no subscriptions"),
    });
    let peer = peer.await;
    let prompted = prompt(&peer.agent().await, "hi").await;
    assert_eq!(prompted.text, "Hello");
    assert_eq!(prompted.response().text(), "Hello");
}

#[tokio::test]
async fn a_task_that_ended_meanwhile_has_its_whole_content() {
    let peer = Peer::new(move |call| match call.method.as_str() {
        "SendStreamingMessage" => broken(call, Some(Cut::Reset)),
        _ => call.result(whole_task(COMPLETED, &["Hello"])),
    });
    let peer = peer.await;
    let prompted = prompt(&peer.agent().await, "hi").await;
    assert_eq!(prompted.text, "Hello");
    assert_eq!(peer.methods()[..2], ["SendStreamingMessage", "GetTask"]);
}

#[tokio::test]
async fn a_stream_that_breaks_off_before_its_task_is_an_error() {
    let peer = Peer::new(|_| Response::sse("")).await;
    assert!(matches!(prompt(&peer.agent().await, "hi").await.error(), A2aError::StreamEnded));
    let peer = Peer::new(|call| {
        let text = call.events(&[task(WORKING)]);
        Response::sse(text).cut_at(5, Cut::Reset)
    });
    let peer = peer.await;
    assert!(matches!(prompt(&peer.agent().await, "hi").await.error(), A2aError::Connection { .. }));
    assert_eq!(peer.methods(), ["SendStreamingMessage"]);
}

#[tokio::test]
async fn lines_that_a_reader_must_ignore_do_not_end_a_task() {
    let peer = Peer::new(|call| {
        let events = call.events(&[task(WORKING), chunk("Hello", false), ended(COMPLETED)]);
        let ignored = "retry: soon\r\nunknown: x\r\nno colon\r\nid: 1\r\nid: 2\r\nevent: a\r\nevent: b\r\ndata:";
        Response::sse(events.replace("data:", ignored))
    });
    let peer = peer.await;
    assert_eq!(prompt(&peer.agent().await, "hi").await.response().text(), "Hello");
    assert_eq!(peer.methods(), ["SendStreamingMessage"]);
}

#[tokio::test]
async fn a_temporary_error_does_not_end_a_task() {
    // With the status of HTTP, or as an error of JSON-RPC.
    let errors = [Ok(500), Ok(503), Ok(429), Err(-32603), Err(-32000)];
    for error in errors {
        let peer = Peer::new(move |call| match (call.method.as_str(), call.number) {
            ("SendStreamingMessage", _) => broken(call, None),
            ("GetTask", 1) => match error {
                Ok(status) => Response::json(status, &json!({"error": {"code": status, "message": "no connection"}})),
                Err(code) => call.error(code, "no connection"),
            },
            ("GetTask", _) => call.result(whole_task(COMPLETED, &["Hello"])),
            (method, _) => panic!("{method}"),
        });
        let peer = peer.await;
        let prompted = prompt(&peer.agent().await, "hi").await;
        assert_eq!(prompted.response().text(), "Hello");
    }
    // An error of the request does.
    for error in [-32001, -32602] {
        let peer = Peer::new(move |call| match call.method.as_str() {
            "SendStreamingMessage" => broken(call, None),
            "GetTask" => call.error(error, "no such task"),
            _ => call.result(whole_task(CANCELED, &[])),
        });
        let peer = peer.await;
        let found = prompt(&peer.agent().await, "hi").await.error();
        assert!(matches!(found, A2aError::Rejected { code, .. } if code == error), "{found}");
    }
}

#[tokio::test]
async fn an_error_in_a_stream_ends_the_prompt() {
    // As servers of others do whose agent has failed: their task stays as it was.
    for error in [-32603, -32000] {
        let peer = Peer::new(move |call| match call.method.as_str() {
            "SendStreamingMessage" => call.failing_stream(&[task(WORKING)], error),
            _ => call.result(whole_task(WORKING, &[])),
        });
        let peer = peer.await;
        let found = prompt(&peer.agent().await, "hi").await.error();
        assert!(matches!(found, A2aError::Rejected { code, .. } if code == error), "{found}");
    }
}

#[tokio::test]
async fn the_last_read_of_a_task_is_repeated_after_a_temporary_error() {
    let peer = Peer::new(move |call| match (call.method.as_str(), call.number) {
        ("SendStreamingMessage", _) => broken(call, None),
        ("GetTask", 1) => call.result(whole_task(WORKING, &["Hel"])),
        ("GetTask", 2) => Response::new(503).body("busy"),
        ("GetTask", _) => call.result(whole_task(COMPLETED, &["Hel", "lo"])),
        _ => call.stream(&[ended(COMPLETED)]),
    });
    let peer = peer.await;
    assert_eq!(prompt(&peer.agent().await, "hi").await.response().text(), "Hello");
}

#[tokio::test]
async fn an_error_of_the_protocol_with_status_500_is_final() {
    let peer = Peer::new(move |call| match call.method.as_str() {
        "SendStreamingMessage" => broken(call, None),
        "GetTask" => {
            Response::json(500, &json!({"jsonrpc": "2.0", "id": 1, "error": {"code": -32602, "message": "no"}}))
        }
        _ => call.result(whole_task(CANCELED, &[])),
    });
    let peer = peer.await;
    let found = prompt(&peer.agent().await, "hi").await.error();
    assert!(matches!(found, A2aError::Rejected { code: -32602, .. }), "{found}");
}
