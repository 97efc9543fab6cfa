//! Sessions that the server has forgotten.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use strands::mcp::{McpClient, McpError};
use strands_testkit::{Request, Response};

use crate::server::McpServer;
use crate::{Texts as _, agent_calls, soon};

/// A server that has forgotten its first session, and says so with this status and body.
async fn forgetful(status: u16, body: &'static str) -> McpServer {
    McpServer::start(move |call| match call.request.header("mcp-session-id") {
        Some("session-0") if call.index > 0 => Response::new(status).content_type("application/json").body(body),
        session => call.json(session.unwrap_or("none")),
    })
    .await
}

#[tokio::test]
async fn creates_another_session_after_status_404() {
    let server = forgetful(404, "").await;
    let client = McpClient::http(server.url()).build().unwrap();
    for session in ["session-0", "session-1", "session-1"] {
        let output = soon(client.call_tool("work", json!({}))).await.unwrap();
        assert_eq!(output.texts(), session);
    }
    assert_eq!((server.sessions(), server.count("tools/call")), (2, 4));
}

#[tokio::test]
async fn creates_another_session_after_the_error_of_a_node_server() {
    let body = r#"{"jsonrpc":"2.0","error":{"code":-32000,"message":"Bad Request: No valid session ID provided"}}"#;
    let server = forgetful(400, body).await;
    let client = McpClient::http(server.url()).build().unwrap();
    let results = agent_calls(&client, &["work", "work", "work"]).await;
    let texts: Vec<_> = results.iter().map(|result| result.texts()).collect();
    assert_eq!(texts, ["session-0", "session-1", "session-1"]);
}

/// A server whose stream of the first call ends after an event with an id, and that resumes it with this response to the
/// request with an id.
async fn resuming(resume: impl Fn(&Value) -> Response + Send + Sync + 'static) -> McpServer {
    let id = Arc::new(Mutex::new(Value::Null));
    let called = Arc::clone(&id);
    let filter = move |request: &Request| request.header("last-event-id").map(|_| resume(&id.lock().unwrap()));
    McpServer::with_filter(filter, move |call| {
        if call.index > 0 {
            return call.json("worked");
        }
        *called.lock().unwrap() = call.id.clone();
        let progress = json!({"progressToken": 9, "progress": 1});
        let event = json!({"jsonrpc": "2.0", "method": "notifications/progress", "params": progress});
        Response::sse(format!("id: event-1\nretry: 10\ndata: {event}\n\n"))
    })
    .await
}

#[tokio::test]
async fn resumes_the_stream_of_a_call() {
    let server = resuming(|id| {
        let result = json!({"content": [{"type": "text", "text": "resumed"}]});
        Response::sse(format!("data: {}\n\n", json!({"jsonrpc": "2.0", "id": id, "result": result})))
    })
    .await;
    let client = McpClient::http(server.url()).build().unwrap();
    assert_eq!(soon(client.call_tool("work", json!({}))).await.unwrap().texts(), "resumed");
    let requests = server.http.requests();
    let resumed: Vec<_> = requests.iter().filter_map(|request| request.header("last-event-id")).collect();
    assert_eq!(resumed, ["event-1"]);
}

#[tokio::test]
async fn ends_a_call_whose_stream_cannot_be_resumed() {
    for status in [400, 404, 405] {
        let server = resuming(move |_| Response::new(status)).await;
        let client = McpClient::http(server.url()).build().unwrap();
        let start = Instant::now();
        let error = soon(client.call_tool("work", json!({}))).await.unwrap_err();
        assert!(matches!(error, McpError::OutcomeUnknown { .. }), "{status}: {error:?}");
        assert!(start.elapsed() < Duration::from_secs(3), "{status}: {:?}", start.elapsed());
        assert_eq!(soon(client.call_tool("work", json!({}))).await.unwrap().texts(), "worked");
    }
}
