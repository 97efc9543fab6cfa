//! Graceful shutdown.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use strands::mcp::McpServer;
use strands::{CancellationToken, tool, tools};
use tokio::sync::Semaphore;

use crate::client::{AGES, Client, call, connected, connected_to, served, text};
use crate::raw_http::{initialize, post};

/// Takes some time.
#[tool]
async fn work(millis: u64, started: &Arc<Semaphore>) -> &'static str {
    started.add_permits(1);
    tokio::time::sleep(Duration::from_millis(millis)).await;
    "worked"
}

fn server(token: &CancellationToken, started: &Arc<Semaphore>) -> McpServer {
    let server = McpServer::new(tools![Work]).unwrap().inject(Arc::clone(started));
    server.shutdown_with(token.clone()).shutdown_timeout(Duration::from_millis(300))
}

#[tokio::test]
async fn running_calls_end_and_new_requests_are_rejected() {
    for (age, over_http) in AGES.into_iter().flat_map(|age| [(age, false), (age, true)]) {
        let (token, started) = (CancellationToken::new(), Arc::new(Semaphore::new(0)));
        let url = served(server(&token, &started)).await;
        let client = match over_http {
            true => connected_to(&url, Client::default(), age, None).await,
            false => connected(server(&token, &started), Client::default(), age).await,
        };
        let working = |millis: u64| {
            let peer = client.peer().clone();
            tokio::spawn(async move { peer.call_tool(call("work", json!({"millis": millis}))).await })
        };
        let (short, mut endless) = (working(150), working(60_000));
        let _both = started.acquire_many(2).await.unwrap();
        token.cancel();
        assert_eq!(text(&short.await.unwrap().unwrap()), "worked", "{age:?}");
        // A client over HTTP may try to connect again.
        let ended = tokio::time::timeout(Duration::from_secs(1), &mut endless).await;
        assert!(over_http || matches!(ended, Ok(Ok(Err(_)))), "{age:?} {ended:?}");
        endless.abort();
        assert_eq!(post(&url, &[], &initialize()).await.status, 503);
    }
}

#[tokio::test]
async fn a_server_on_a_stream_returns() {
    let token = CancellationToken::new();
    let (_near, far) = tokio::io::duplex(64);
    let (reader, writer) = tokio::io::split(far);
    let served = tokio::spawn(server(&token, &Arc::new(Semaphore::new(0))).serve(reader, writer));
    token.cancel();
    tokio::time::timeout(Duration::from_secs(1), served).await.unwrap().unwrap().unwrap();
}
