//! Ends of calls: cancellation, and clients that are gone.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rmcp::model::{CallToolRequest, ClientRequest as McpRequest};
use rmcp::service::PeerRequestOptions;
use serde_json::json;
use strands::mcp::McpServer;
use strands::{tool, tools};
use tokio::io::AsyncWriteExt as _;

use crate::client::{AGES, Age, Client, call, connected, connected_to, served, until};
use crate::raw_http::stateless;

/// Counters of the tool.
#[derive(Default)]
struct Counts {
    running: AtomicUsize,
    dropped: AtomicUsize,
}

/// Waits until it is dropped.
#[tool]
async fn wait(counts: &Arc<Counts>) -> &'static str {
    struct Guard(Arc<Counts>);
    impl Drop for Guard {
        fn drop(&mut self) {
            self.0.dropped.fetch_add(1, Ordering::SeqCst);
        }
    }
    let guard = Guard(Arc::clone(counts));
    counts.running.fetch_add(1, Ordering::SeqCst);
    std::future::pending::<()>().await;
    drop(guard);
    "never"
}

fn server(counts: &Arc<Counts>) -> McpServer {
    McpServer::new(tools![Wait]).unwrap().inject(Arc::clone(counts))
}

impl Counts {
    async fn running(&self, calls: usize) {
        until("the start of the call", || self.running.load(Ordering::SeqCst) == calls).await;
    }

    /// Waits for the drop of calls, and returns the time that it took.
    async fn dropped(&self, calls: usize, since: Instant) -> Duration {
        until("the drop of the call", || self.dropped.load(Ordering::SeqCst) == calls).await;
        since.elapsed()
    }
}

/// Number of measured drops.
const ATTEMPTS: usize = 5;

/// Checks that a drop takes less than 50 ms. All but the fastest may have waited for the processor.
fn assert_soon(times: &[Duration]) {
    let fastest = times.iter().min().unwrap();
    assert!(*fastest < Duration::from_millis(50), "{times:?}");
}

#[tokio::test]
async fn a_cancelled_call_is_dropped() {
    let counts = Arc::new(Counts::default());
    let url = served(server(&counts)).await;
    let mut calls = 0;
    for age in AGES {
        for client in [
            connected(server(&counts), Client::default(), age).await,
            connected_to(&url, Client::default(), age, None).await,
        ] {
            let mut times = Vec::new();
            for _ in 0..ATTEMPTS {
                calls += 1;
                let request = McpRequest::CallToolRequest(CallToolRequest::new(call("wait", json!({}))));
                let handle = client.send_cancellable_request(request, PeerRequestOptions::no_options()).await.unwrap();
                counts.running(calls).await;
                let since = Instant::now();
                handle.cancel(Some("no longer needed".to_owned())).await.unwrap();
                times.push(counts.dropped(calls, since).await);
            }
            assert_soon(&times);
        }
    }
}

#[tokio::test]
async fn calls_of_a_client_that_is_gone_are_dropped() {
    let counts = Arc::new(Counts::default());
    let mut calls = 0;
    for age in AGES {
        let mut times = Vec::new();
        for _ in 0..ATTEMPTS {
            calls += 1;
            let client = connected(server(&counts), Client::default(), age).await;
            let waiting = tokio::spawn({
                let peer = client.peer().clone();
                async move { peer.call_tool(call("wait", json!({}))).await }
            });
            counts.running(calls).await;
            let since = Instant::now();
            client.cancel().await.unwrap();
            times.push(counts.dropped(calls, since).await);
            waiting.abort();
        }
        assert_soon(&times);
    }
}

#[tokio::test]
async fn a_lost_connection_ends_a_stateless_call() {
    let counts = Arc::new(Counts::default());
    let url = served(server(&counts)).await;
    let (headers, request) = stateless(1, "tools/call", json!({"name": "wait", "arguments": {}}));
    let authority = url.trim_start_matches("http://").trim_end_matches("/mcp").to_owned();
    let body = request.to_string();
    let mut head = format!(
        "POST /mcp HTTP/1.1\r\nHost: {authority}\r\nContent-Type: application/json\r\n\
         Accept: application/json, text/event-stream\r\nContent-Length: {}\r\n",
        body.len()
    );
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    let mut times = Vec::new();
    for calls in 1..=ATTEMPTS {
        let mut stream = tokio::net::TcpStream::connect(&authority).await.unwrap();
        stream.write_all(format!("{head}\r\n{body}").as_bytes()).await.unwrap();
        counts.running(calls).await;
        let since = Instant::now();
        drop(stream);
        times.push(counts.dropped(calls, since).await);
    }
    assert_soon(&times);
}

#[tokio::test]
async fn the_end_of_a_session_ends_its_calls() {
    let counts = Arc::new(Counts::default());
    let url = served(server(&counts)).await;
    let mut times = Vec::new();
    for calls in 1..=ATTEMPTS {
        let client = connected_to(&url, Client::default(), Age::Legacy, None).await;
        let waiting = tokio::spawn({
            let peer = client.peer().clone();
            async move { peer.call_tool(call("wait", json!({}))).await }
        });
        counts.running(calls).await;
        let since = Instant::now();
        // The client deletes its session.
        client.cancel().await.unwrap();
        times.push(counts.dropped(calls, since).await);
        waiting.abort();
    }
    assert_soon(&times);
}
