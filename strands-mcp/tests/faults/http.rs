//! Responses that are slow, cut, garbage, errors, endless or too large.

use std::time::{Duration, Instant};

use bytes::Bytes;
use serde_json::json;
use strands::mcp::{McpClient, McpError};
use strands_testkit::{Cut, Response};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::time::{sleep, timeout};

use crate::server::{Call, McpServer};
use crate::{Texts as _, agent_calls, soon};

fn client(server: &McpServer) -> McpClient {
    McpClient::http(server.url()).name("faulty").timeout(Duration::from_secs(1)).build().unwrap()
}

/// The first call gets this response, later ones work.
async fn first(respond: impl Fn(&Call<'_>) -> Response + Send + Sync + 'static) -> McpServer {
    McpServer::start(move |call| if call.index == 0 { respond(call) } else { call.json("worked") }).await
}

async fn becomes_true(what: &str, mut condition: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(10);
    while !condition() {
        assert!(Instant::now() < until, "not within 10 s: {what}");
        sleep(Duration::from_millis(10)).await;
    }
}

/// Asserts that the first call fails, and that the next one works over the same client.
async fn fails_once(server: &McpServer, matches: impl Fn(&McpError) -> bool) {
    let client = client(server);
    let error = soon(client.call_tool("work", json!({}))).await.unwrap_err();
    assert!(matches(&error), "{error:?}");
    assert_eq!(server.count("tools/call"), 1, "a call whose outcome is unknown is not sent again");
    let output = soon(client.call_tool("work", json!({}))).await.unwrap();
    assert_eq!(output.texts(), "worked");
}

fn is_unknown(error: &McpError) -> bool {
    matches!(error, McpError::OutcomeUnknown { .. })
}

#[tokio::test]
async fn times_out_and_cancels_a_slow_call() {
    for response in [|_: &Call<'_>| Response::new(200).stall_head(), |call: &Call<'_>| call.sse("late").stall_at(0)] {
        let server = first(response).await;
        let start = Instant::now();
        fails_once(&server, |error| matches!(error, McpError::Timeout { .. })).await;
        assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
        becomes_true("a cancellation", || server.count("notifications/cancelled") == 1).await;
    }
}

#[tokio::test]
async fn cancels_a_dropped_call() {
    let server = first(|_| Response::new(200).stall_head()).await;
    let client = McpClient::http(server.url()).build().unwrap();
    soon(client.connect()).await.unwrap();
    assert!(timeout(Duration::from_millis(100), client.call_tool("work", json!({}))).await.is_err());
    becomes_true("a cancellation", || server.count("notifications/cancelled") == 1).await;
}

#[tokio::test]
async fn does_not_repeat_a_call_whose_response_is_cut() {
    for cut in [Cut::Close, Cut::Reset, Cut::Clean] {
        let server = first(move |call| call.json("0123456789").cut_at(40, cut)).await;
        fails_once(&server, |error| is_unknown(error) || matches!(error, McpError::Protocol { .. })).await;
    }
    for cut in [Cut::Close, Cut::Reset, Cut::Clean] {
        let server = first(move |call| call.sse("0123456789").cut_at(40, cut)).await;
        fails_once(&server, |error| is_unknown(error) || matches!(error, McpError::Timeout { .. })).await;
    }
}

#[tokio::test]
async fn sends_one_idempotency_key_for_both_attempts_of_a_call() {
    let server = first(|call| call.json("0123456789").cut_at(40, Cut::Reset)).await;
    agent_calls(&client(&server), &["read", "read"]).await;
    let requests = server.http.requests();
    let calls = requests.iter().filter(|request| request.method == "POST" && request.json()["method"] == "tools/call");
    let keys: Vec<String> = calls
        .map(|request| {
            let key = request.json()["params"]["_meta"]["idempotencyKey"].as_str().unwrap().to_owned();
            assert_eq!(request.header("idempotency-key"), Some(&*key));
            key
        })
        .collect();
    assert_eq!(keys.len(), 3, "{keys:?}");
    assert!(keys[0] == keys[1] && keys[1] != keys[2], "{keys:?}");
    let others = requests.iter().filter(|request| request.method != "POST" || request.json()["method"] != "tools/call");
    assert!(others.into_iter().all(|request| request.header("idempotency-key").is_none()));
}

#[tokio::test]
async fn repeats_a_read_only_call_of_an_agent_once() {
    let server = first(|call| call.json("0123456789").cut_at(40, Cut::Close)).await;
    let results = agent_calls(&client(&server), &["read"]).await;
    assert_eq!(results[0].texts(), "worked");
    assert_eq!(server.count("tools/call"), 2);

    let server = McpServer::start(|call| call.json("0123456789").cut_at(40, Cut::Close)).await;
    let results = agent_calls(&client(&server), &["read"]).await;
    assert!(results[0].is_error());
    assert_eq!(server.count("tools/call"), 2);
}

#[tokio::test]
async fn tells_the_model_that_the_outcome_is_unknown() {
    let server = first(|call| call.json("0123456789").cut_at(40, Cut::Close)).await;
    let results = agent_calls(&client(&server), &["work", "work"]).await;
    assert!(results[0].is_error());
    assert!(results[0].texts().contains("may have executed"), "{}", results[0].texts());
    assert_eq!(results[1].texts(), "worked");
    assert_eq!(server.count("tools/call"), 2);
}

#[tokio::test]
async fn fails_at_responses_that_are_not_of_the_protocol() {
    let responses: [fn(&Call<'_>) -> Response; 8] = [
        |_| Response::garbage("\u{0}\u{1}\u{2} not HTTP at all\r\n\r\n"),
        |_| Response::new(200).content_type("application/json").body("not JSON"),
        |_| Response::json(200, &json!({"level": "info"})),
        |_| Response::json(200, &json!(42)),
        |_| Response::new(200).content_type("text/html").body("<html>Please log in</html>"),
        |_| Response::new(204),
        |call| Response::json(200, &json!({"jsonrpc": "2.0", "id": call.id, "result": {"content": "text"}})),
        |call| Response::json(200, &json!({"jsonrpc": "2.0", "id": call.id, "error": {"code": "E1", "message": 5}})),
    ];
    for (index, response) in responses.into_iter().enumerate() {
        let server = first(response).await;
        let start = Instant::now();
        fails_once(&server, |error| {
            is_unknown(error) || matches!(error, McpError::Protocol { .. } | McpError::Timeout { .. })
        })
        .await;
        assert!(start.elapsed() < Duration::from_secs(2), "{index}: {:?}", start.elapsed());
    }
}

#[tokio::test]
async fn fails_at_garbage_in_the_stream_of_a_response() {
    for body in ["data: not JSON\n\n", "data: {\"level\":\"info\"}\n\n", "\u{0}\u{0}\u{0}", ""] {
        let server = first(move |_| Response::sse(body)).await;
        fails_once(&server, |error| is_unknown(error) || matches!(error, McpError::Timeout { .. })).await;
    }
}

#[tokio::test]
async fn fails_at_status_500() {
    let server = first(|_| Response::new(500).body("internal error")).await;
    fails_once(&server, is_unknown).await;

    let server =
        McpServer::with_filter(|_| Some(Response::new(500).body("internal error")), |call| call.json("")).await;
    let error = soon(client(&server).connect()).await.unwrap_err();
    assert!(matches!(error, McpError::Connect { .. }), "{error:?}");
}

#[tokio::test]
async fn limits_the_size_of_a_response() {
    const SIZE: usize = 64 * 1024 * 1024;
    let big = Bytes::from(vec![b'x'; SIZE]);
    for sse in [false, true] {
        let big = big.clone();
        let server = first(move |_| {
            if sse {
                Response::sse(big.clone())
            } else {
                Response::new(200).content_type("application/json").body(big.clone())
            }
        })
        .await;
        let client = McpClient::http(server.url()).timeout(Duration::from_secs(5)).build().unwrap();
        let error = soon(client.call_tool("work", json!({}))).await.unwrap_err();
        let limit = 16 * 1024 * 1024;
        assert!(matches!(error, McpError::TooLarge { limit: most, .. } if most == limit), "sse {sse}: {error:?}");
        assert_eq!(soon(client.call_tool("work", json!({}))).await.unwrap().texts(), "worked");
        assert_eq!(server.count("tools/call"), 2);
    }
}

/// Serves endless bytes after a head, to every request.
async fn endless(bytes: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/mcp", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut connection, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut request = vec![0; 64 * 1024];
                let _ = connection.read(&mut request).await;
                let head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n";
                let _ = connection.write_all(head).await;
                while connection.write_all(bytes).await.is_ok() {}
            });
        }
    });
    url
}

#[tokio::test]
async fn gives_up_on_endless_streams() {
    const NOTE: &[u8] = b"data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{\"level\":\"info\",\"data\":1}}\n\n";
    for bytes in [NOTE, b": comment\n\n", b"data: x", b"xxxxxxxx", b"\n\n\n\n"] {
        let url = endless(bytes).await;
        let client = McpClient::http(url).connect_timeout(Duration::from_millis(500)).max_response_bytes(1 << 20);
        let start = Instant::now();
        let error = soon(client.build().unwrap().connect()).await.unwrap_err();
        assert!(matches!(error, McpError::ConnectTimeout { .. } | McpError::Connect { .. }), "{error:?}");
        assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
    }
}

#[tokio::test]
async fn gives_up_on_an_endless_stream_of_progress() {
    // The events belong to no call.
    let server = first(|_| {
        let event = "data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"progressToken\":999,\"progress\":1}}\n\n";
        Response::sse(event.repeat(1000)).stall_at(1000 * event.len())
    })
    .await;
    fails_once(&server, |error| matches!(error, McpError::Timeout { .. })).await;
}
