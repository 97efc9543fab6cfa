//! Sessions that the server has forgotten.

use serde_json::json;
use strands::mcp::McpClient;
use strands_testkit::Response;

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
