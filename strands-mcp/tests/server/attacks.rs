//! Requests that no client sends: foreign origins, rubbish, and too much of everything.

use std::time::Duration;

use serde_json::json;
use strands::mcp::{McpServer, ResourceUpdates};
use strands::{tool, tools};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};

use crate::client::{AGES, Client, call, connected_to, served, text, until};
use crate::raw_http::{initialize, message, post, send};

/// An echo.
#[tool]
fn echo(word: String) -> String {
    word
}

fn server() -> McpServer {
    McpServer::new(tools![Echo]).unwrap()
}

#[tokio::test]
async fn foreign_hosts_and_origins_are_rejected_by_default() {
    let url = served(server()).await;
    for (headers, status) in [
        (vec![("Host", "evil.example")], 403),
        (vec![("Host", "127.0.0.1.evil.example:80")], 403),
        (vec![("Host", "not a host")], 400),
        (vec![("Origin", "http://evil.example")], 403),
        (vec![("Origin", "null")], 403),
        (vec![("Origin", "http://localhost.evil.example")], 403),
        (vec![("Origin", "file://localhost")], 403),
        (vec![("Origin", "http://localhost:3000")], 200),
        (vec![("Origin", "http://127.0.0.1")], 200),
        (vec![("Host", "localhost")], 200),
        (vec![("Host", "LOCALHOST:1234")], 200),
    ] {
        assert_eq!(post(&url, &headers, &initialize()).await.status, status, "{headers:?}");
    }
}

#[tokio::test]
async fn public_servers_name_their_hosts_and_origins() {
    let server = server().allowed_hosts(["api.example.com"]).allowed_origins(["https://app.example.com:443"]);
    let url = served(server).await;
    for (headers, status) in [
        (vec![("Host", "api.example.com")], 200),
        (vec![("Host", "api.example.com"), ("Origin", "https://app.example.com")], 200),
        (vec![("Host", "api.example.com"), ("Origin", "http://localhost:3000")], 403),
        (vec![("Host", "localhost")], 403),
    ] {
        assert_eq!(post(&url, &headers, &initialize()).await.status, status, "{headers:?}");
    }
}

#[tokio::test]
async fn bodies_are_limited_in_size_and_must_be_messages() {
    let url = served(server().max_message_bytes(1_000)).await;
    let large = json!({"jsonrpc": "2.0", "id": 1, "method": "ping", "params": {"x": "y".repeat(2_000)}});
    assert_eq!(post(&url, &[], &large).await.status, 413);
    for rubbish in ["", "{", "[]", "null", r#"{"jsonrpc":"2.0"}"#, "\u{0}\u{1}"] {
        let response = send(&url, "POST", &[], rubbish.as_bytes()).await;
        assert_eq!(response.status, 400, "{rubbish}: {}", response.body);
        assert_eq!(message(&response)["error"]["code"], -32700, "{rubbish}");
    }
    let plain = send(&url, "POST", &[("Content-Type", "text/plain")], initialize().to_string().as_bytes()).await;
    assert_eq!(plain.status, 415);
    let unacceptable = post(&url, &[("Accept", "text/html")], &initialize()).await;
    assert_eq!(unacceptable.status, 406);
    assert_eq!(send(&url, "PUT", &[], b"").await.status, 405);
}

#[tokio::test]
async fn unknown_sessions_are_not_found() {
    let url = served(server()).await;
    let ping = json!({"jsonrpc": "2.0", "id": 1, "method": "ping"});
    for id in ["0", "../../etc/passwd", "00000000-0000-0000-0000-000000000000"] {
        assert_eq!(post(&url, &[("Mcp-Session-Id", id)], &ping).await.status, 404);
        assert_eq!(send(&url, "GET", &[("Mcp-Session-Id", id)], b"").await.status, 404);
    }
    // Without a session, only an `initialize` request makes sense.
    assert!((400..500).contains(&post(&url, &[], &ping).await.status));
}

#[tokio::test]
async fn sessions_are_limited_and_end_when_idle() {
    let url = served(server().max_sessions(2).session_idle_timeout(Duration::from_millis(300))).await;
    let first = post(&url, &[], &initialize()).await;
    let session = first.header("mcp-session-id").unwrap();
    assert_eq!(post(&url, &[], &initialize()).await.status, 200);
    let full = post(&url, &[], &initialize()).await;
    assert_eq!((full.status, full.header("retry-after")), (503, Some("5")));
    assert_eq!(send(&url, "DELETE", &[("Mcp-Session-Id", session)], b"").await.status, 200);
    assert_eq!(post(&url, &[], &initialize()).await.status, 200);
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(post(&url, &[], &initialize()).await.status, 200);
}

#[tokio::test]
async fn sessions_that_open_at_the_same_time_are_limited() {
    let url = served(server().max_sessions(3)).await;
    let opened = futures_util::future::join_all((0..40).map(|_| {
        let url = url.clone();
        tokio::spawn(async move { post(&url, &[], &initialize()).await.status })
    }))
    .await;
    let with = |status: u16| opened.iter().filter(|opened| *opened.as_ref().unwrap() == status).count();
    assert_eq!((with(200), with(503)), (3, 37));
}

#[tokio::test]
async fn a_repeated_notification_starts_one_task() {
    let url = served(server().resource_updates(ResourceUpdates::new())).await;
    let opened = post(&url, &[], &initialize()).await;
    let headers = [("Mcp-Session-Id", opened.header("mcp-session-id").unwrap())];
    let initialized = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
    assert_eq!(post(&url, &headers, &initialized).await.status, 202);
    let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    tokio::time::sleep(Duration::from_millis(50)).await;
    let before = tasks();
    for _ in 0..50 {
        assert_eq!(post(&url, &headers, &initialized).await.status, 202);
    }
    until("the end of the requests", || tasks() <= before + 1).await;
}

#[tokio::test]
async fn a_panic_of_a_tool_is_an_error_result() {
    /// Panics.
    #[tool]
    fn explode() -> &'static str {
        panic!("boom")
    }
    let server = McpServer::new(tools![Explode, Echo]).unwrap().max_concurrent_calls(1);
    let url = served(server).await;
    for age in AGES {
        let client = connected_to(&url, Client::default(), age, None).await;
        let result = client.call_tool(call("explode", json!({}))).await.unwrap();
        assert!(result.is_error == Some(true) && text(&result).contains("panicked"), "{}", text(&result));
        let echo = client.call_tool(call("echo", json!({"word": "hi"}))).await.unwrap();
        assert_eq!(text(&echo), "hi");
    }
}

#[tokio::test]
async fn rubbish_on_a_stream_is_survived() {
    let (near, far) = tokio::io::duplex(1 << 16);
    let (reader, writer) = tokio::io::split(far);
    let served = tokio::spawn(server().max_message_bytes(10_000).serve(reader, writer));
    let (reader, mut writer) = tokio::io::split(near);
    let mut lines = BufReader::new(reader).lines();
    let notification = r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":7}}"#;
    for rubbish in ["hello", "{", "{}", "[]", "null", notification, &"x".repeat(20_000), r#"{"jsonrpc":"2.0","id":1}"#]
    {
        writer.write_all(format!("{rubbish}\n").as_bytes()).await.unwrap();
    }
    writer.write_all(&[0xff, 0xfe, b'\n']).await.unwrap();
    writer.write_all(format!("{}\n", initialize()).as_bytes()).await.unwrap();
    loop {
        let line = lines.next_line().await.unwrap().unwrap();
        if line.contains("protocolVersion") {
            break;
        }
        assert!(line.contains("error"), "{line}");
    }
    writer.write_all(b"garbage\n").await.unwrap();
    let echo = json!({
        "jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "echo", "arguments": {"word": "hi"}},
    });
    writer.write_all(format!("{echo}\n").as_bytes()).await.unwrap();
    assert!(lines.next_line().await.unwrap().unwrap().contains("\"hi\""));
    drop((lines, writer));
    served.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_thousand_connects_leave_no_task_and_no_descriptor() {
    let url = served(server()).await;
    let metrics = tokio::runtime::Handle::current().metrics();
    let client = connected_to(&url, Client::default(), AGES[0], None).await;
    client.cancel().await.unwrap();
    let settled = |most: usize| {
        let metrics = metrics.clone();
        async move { until("the end of tasks", || metrics.num_alive_tasks() <= most).await }
    };
    tokio::time::sleep(Duration::from_millis(200)).await;
    let before = metrics.num_alive_tasks();
    let descriptors = || std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count);
    let open = descriptors();
    for round in 0..500 {
        for age in AGES {
            let client = connected_to(&url, Client::default(), age, None).await;
            let result = client.call_tool(call("echo", json!({"word": round.to_string()}))).await.unwrap();
            assert_eq!(text(&result), round.to_string());
            client.cancel().await.unwrap();
        }
    }
    // The pool of the HTTP client keeps a few connections.
    settled(before + 8).await;
    // Other tests of this program have descriptors, too.
    until("the end of connections", || descriptors() < open + 100).await;
}
