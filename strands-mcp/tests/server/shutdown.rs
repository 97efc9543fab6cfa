//! Graceful shutdown.

use std::time::Duration;

use serde_json::json;
use strands::mcp::McpServer;
use strands::{CancellationToken, tool, tools};

use crate::client::{AGES, Client, call, connected, connected_to, served, text};
use crate::raw_http::{initialize, post};

/// Takes some time.
#[tool]
async fn work(millis: u64) -> &'static str {
    tokio::time::sleep(Duration::from_millis(millis)).await;
    "worked"
}

fn server(token: &CancellationToken) -> McpServer {
    McpServer::new(tools![Work]).unwrap().shutdown_with(token.clone()).shutdown_timeout(Duration::from_millis(300))
}

#[tokio::test]
async fn running_calls_end_and_new_requests_are_rejected() {
    for age in AGES {
        let token = CancellationToken::new();
        let url = served(server(&token)).await;
        for client in [
            connected(server(&token), Client::default(), age).await,
            connected_to(&url, Client::default(), age, None).await,
        ] {
            let peer = client.peer().clone();
            let short = tokio::spawn(async move { peer.call_tool(call("work", json!({"millis": 150}))).await });
            let peer = client.peer().clone();
            let endless = tokio::spawn(async move { peer.call_tool(call("work", json!({"millis": 60_000}))).await });
            tokio::time::sleep(Duration::from_millis(50)).await;
            token.cancel();
            assert_eq!(text(&short.await.unwrap().unwrap()), "worked", "{age:?}");
            let endless = tokio::time::timeout(Duration::from_secs(2), endless).await.unwrap().unwrap();
            assert!(endless.is_err() || endless.unwrap().is_error == Some(true));
            break;
        }
        assert_eq!(post(&url, &[], &initialize()).await.status, 503);
    }
}

#[tokio::test]
async fn a_server_on_a_stream_returns() {
    let token = CancellationToken::new();
    let (_near, far) = tokio::io::duplex(64);
    let (reader, writer) = tokio::io::split(far);
    let served = tokio::spawn(server(&token).serve(reader, writer));
    token.cancel();
    tokio::time::timeout(Duration::from_secs(1), served).await.unwrap().unwrap().unwrap();
}
