//! The client with OAuth: its handshake and its timeouts.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use strands_mcp::{AuthorizationCode, McpClient, McpError, OAuth};

use crate::authorization_server::{Behavior, Servers, UnknownMethod};
use crate::{REDIRECT_URI, by_user, messages};

#[tokio::test]
async fn a_user_may_take_longer_than_the_timeout_of_a_connection() {
    let servers = Servers::start(Behavior::default()).await;
    let grant = AuthorizationCode::new(REDIRECT_URI, |url| async {
        tokio::time::sleep(Duration::from_millis(1500)).await;
        Servers::visit(url).await
    });
    let client = McpClient::http(&servers.server).oauth(OAuth::new(grant)).connect_timeout(Duration::from_millis(500));

    let client = client.connect().await.unwrap();

    assert!(client.tools().await.unwrap().is_empty());
    assert_eq!(servers.authorizations(), 1);
}

#[tokio::test]
async fn a_user_may_take_longer_than_the_timeout_of_a_call() {
    let servers = Servers::start(Behavior::default()).await;
    let is_slow = Arc::new(AtomicBool::new(false));
    let delayed = Arc::clone(&is_slow);
    let grant = AuthorizationCode::new(REDIRECT_URI, move |url| {
        let delay = if delayed.load(Ordering::SeqCst) { Duration::from_millis(1500) } else { Duration::ZERO };
        async move {
            tokio::time::sleep(delay).await;
            Servers::visit(url).await
        }
    });
    let client = McpClient::http(&servers.server).oauth(OAuth::new(grant)).timeout(Duration::from_millis(500));
    let client = client.connect().await.unwrap();
    is_slow.store(true, Ordering::SeqCst);
    servers.behavior.lock().unwrap().required = vec!["write".to_owned()];

    let output = client.call_tool("book", serde_json::json!({})).await;

    assert!(output.is_ok(), "{output:?}");
    assert_eq!(servers.authorizations(), 2);
}

#[tokio::test]
async fn a_server_that_hangs_does_not_wait_for_the_user() {
    let servers = Servers::start(Behavior { token_delay: Duration::from_secs(600), ..Behavior::default() }).await;
    let oauth =
        OAuth::new(strands_mcp::ClientCredentials::new(strands_mcp::OAuthClient::with_secret("report", "secret")));
    let client = McpClient::http(&servers.server).oauth(oauth).connect_timeout(Duration::from_millis(500));

    let error = client.connect().await.unwrap_err();

    assert!(matches!(error, McpError::ConnectTimeout { .. }), "{error:?}");
}

#[tokio::test]
async fn connects_to_servers_that_reject_the_probe_of_the_protocol_version() {
    for unknown_method in [
        UnknownMethod::Error,
        UnknownMethod::EmptyResult,
        UnknownMethod::Status(400),
        UnknownMethod::Status(404),
        UnknownMethod::Status(405),
    ] {
        let servers = Servers::start(Behavior { unknown_method, ..Behavior::default() }).await;

        let client = McpClient::http(&servers.server).oauth(by_user()).connect().await;

        let client = client.unwrap_or_else(|error| panic!("{unknown_method:?}: {}", messages(&error)));
        assert_eq!(client.protocol_version().await.unwrap(), "2025-11-25");
        let methods = servers.seen.lock().unwrap().methods.clone();
        assert_eq!(methods[..3], ["server/discover", "initialize", "notifications/initialized"], "{unknown_method:?}");
    }
}

#[tokio::test]
async fn the_server_can_send_requests_when_the_client_is_connected() {
    let stream_delay = Some(Duration::from_millis(200));
    let servers = Servers::start(Behavior { stream_delay, ..Behavior::default() }).await;

    let client = McpClient::http(&servers.server).oauth(by_user()).connect().await.unwrap();
    client.tools().await.unwrap();

    let methods = servers.seen.lock().unwrap().methods.clone();
    assert_eq!(methods[2..], ["notifications/initialized", "stream", "tools/list"]);
}

#[tokio::test]
async fn a_stream_that_does_not_open_holds_up_no_connection() {
    let stream_delay = Some(Duration::from_secs(600));
    let servers = Servers::start(Behavior { stream_delay, ..Behavior::default() }).await;
    let client = McpClient::http(&servers.server).oauth(by_user()).connect_timeout(Duration::from_secs(5));

    let client = client.connect().await.unwrap();

    assert!(client.tools().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_server_that_is_down_or_does_not_reply_is_an_error() {
    let servers = Servers::start(Behavior { unknown_method: UnknownMethod::NoReply, ..Behavior::default() }).await;
    let client = McpClient::http(&servers.server).oauth(by_user()).connect_timeout(Duration::from_millis(500));
    let error = client.connect().await.unwrap_err();
    assert!(matches!(error, McpError::ConnectTimeout { .. }), "{error:?}");

    let servers = Servers::start(Behavior { unknown_method: UnknownMethod::Status(500), ..Behavior::default() }).await;
    let error = McpClient::http(&servers.server).oauth(by_user()).connect().await.unwrap_err();
    assert!(matches!(error, McpError::Connect { .. }), "{error:?}");
}

#[tokio::test]
async fn a_failed_authorization_is_an_error_that_says_why() {
    let redirect = serde_json::json!({"code": null, "error": "access_denied"});
    let servers = Servers::start(Behavior { redirect, ..Behavior::default() }).await;

    let error = McpClient::http(&servers.server).oauth(by_user()).connect().await.unwrap_err();

    assert!(matches!(error, McpError::Unauthorized { .. }), "{error:?}");
    assert!(messages(&error).contains("authorization denied: access_denied"), "{}", messages(&error));
}

#[tokio::test]
async fn a_server_without_tls_gets_no_token() {
    let error = McpClient::http("http://mcp.example.com/mcp").oauth(by_user()).build().unwrap_err();
    assert!(matches!(error, McpError::PlaintextToken { .. }), "{error:?}");
}
