//! Tokens that a server rejects.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;
use strands::mcp::{McpClient, McpError};
use strands_testkit::{Request, Response};

use crate::server::McpServer;
use crate::{Texts as _, soon};

/// A server that rejects tool calls with other tokens than this one.
async fn guarded(token: &'static str, challenge: Option<&'static str>) -> McpServer {
    let reject = move |request: &Request| {
        let is_call = request.method == "POST" && request.json()["method"] == "tools/call";
        if !is_call || request.sends_credential("authorization", &format!("Bearer {token}")) {
            return None;
        }
        let response = Response::new(401);
        Some(match challenge {
            Some(challenge) => response.header("www-authenticate", challenge),
            None => response,
        })
    };
    McpServer::with_filter(reject, |call| call.json("worked")).await
}

#[tokio::test]
async fn requests_another_token_once_after_status_401() {
    for challenge in [None, Some("Bearer error=\"invalid_token\"")] {
        let server = guarded("token-2", challenge).await;
        let requested = Arc::new(AtomicUsize::new(0));
        let is_stale = Arc::new(AtomicUsize::new(1));
        let (count, stale) = (Arc::clone(&requested), Arc::clone(&is_stale));
        // The first token of the first call is stale.
        let client = McpClient::http(server.url()).bearer_token_fn(move || {
            count.fetch_add(1, Ordering::SeqCst);
            let token = 2 - stale.swap(0, Ordering::SeqCst);
            async move { Ok::<_, std::io::Error>(format!("token-{token}")) }
        });
        let client = client.build().unwrap();
        soon(client.connect()).await.unwrap();
        // The stream that the client opens by itself has asked by now.
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        is_stale.store(1, Ordering::SeqCst);
        let before = requested.load(Ordering::SeqCst);
        assert_eq!(soon(client.call_tool("work", json!({}))).await.unwrap().texts(), "worked");
        assert_eq!(requested.load(Ordering::SeqCst) - before, 2);
        assert_eq!(server.count("tools/call"), 2);
        assert_eq!(soon(client.call_tool("work", json!({}))).await.unwrap().texts(), "worked");
        assert_eq!(requested.load(Ordering::SeqCst) - before, 3);
        assert_eq!(server.sessions(), 1);
    }
}

#[tokio::test]
async fn fails_if_the_token_is_rejected_again() {
    let server = guarded("never", None).await;
    let requested = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&requested);
    let client = McpClient::http(server.url()).bearer_token_fn(move || {
        count.fetch_add(1, Ordering::SeqCst);
        async { Ok::<_, std::io::Error>("secret-token") }
    });
    let client = client.build().unwrap();
    let error = soon(client.call_tool("work", json!({}))).await.unwrap_err();
    assert!(matches!(error, McpError::Unauthorized { .. }), "{error:?}");
    assert_eq!(server.count("tools/call"), 2);
    assert!(!format!("{error:?} {error} {client:?}").contains("secret-token"));
}

#[tokio::test]
async fn sends_a_fixed_token_once() {
    let server = guarded("never", None).await;
    let client = McpClient::http(server.url()).bearer_token("secret-token").build().unwrap();
    let error = soon(client.call_tool("work", json!({}))).await.unwrap_err();
    assert!(matches!(error, McpError::Unauthorized { .. }), "{error:?}");
    assert_eq!(server.count("tools/call"), 1);
}

#[tokio::test]
async fn sends_nothing_if_there_is_no_token() {
    let server = guarded("never", None).await;
    let client = McpClient::http(server.url()).bearer_token_fn(|| async { Err::<String, _>("the vault is sealed") });
    let error = soon(client.build().unwrap().connect()).await.unwrap_err();
    assert!(matches!(error, McpError::Unauthorized { .. }), "{error:?}");
    assert_eq!(server.http.counts().requests, 0);
}
