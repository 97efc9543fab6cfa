//! HTTP requests as bytes, for what clients do not send.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// A response: the status, the head and the body.
pub(crate) struct Raw {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Raw {
    /// Returns the value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (header, value) = line.split_once(": ")?;
            header.eq_ignore_ascii_case(name).then_some(value)
        })
    }
}

/// Sends a request, and reads the response until its end or the end of its first event.
pub(crate) async fn send(url: &str, method: &str, headers: &[(&str, &str)], body: &[u8]) -> Raw {
    let authority = url.trim_start_matches("http://").trim_end_matches("/mcp");
    let mut stream = TcpStream::connect(authority).await.unwrap();
    let mut head = format!("{method} /mcp HTTP/1.1\r\nConnection: close\r\nContent-Length: {}\r\n", body.len());
    let defaults =
        [("Host", authority), ("Accept", "application/json, text/event-stream"), ("Content-Type", "application/json")];
    let given = |name: &str| headers.iter().any(|(header, _)| header.eq_ignore_ascii_case(name));
    for (name, value) in defaults.iter().filter(|(name, _)| !given(name)).chain(headers) {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(b"\r\n").await.unwrap();
    // The server may respond before it has read all.
    let _ = stream.write_all(body).await;
    let mut answer = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        match tokio::time::timeout(Duration::from_secs(5), stream.read(&mut buffer)).await {
            Ok(Ok(read)) if read > 0 => answer.extend_from_slice(&buffer[..read]),
            _ => break,
        }
        let text = String::from_utf8_lossy(&answer);
        if text.contains("\"jsonrpc\"") && text.contains("text/event-stream") && text.ends_with("\n\n\r\n") {
            break;
        }
    }
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    Raw { status, head: head.to_owned(), body: body.to_owned() }
}

pub(crate) async fn post(url: &str, headers: &[(&str, &str)], message: &Value) -> Raw {
    send(url, "POST", headers, message.to_string().as_bytes()).await
}

pub(crate) fn initialize() -> Value {
    json!({
        "jsonrpc": "2.0", "id": 1, "method": "initialize",
        "params": {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "raw", "version": "1"}},
    })
}

/// A request of protocol 2026-07-28, and its headers.
pub(crate) fn stateless(
    id: u32,
    method: &'static str,
    mut params: Value,
) -> (Vec<(&'static str, &'static str)>, Value) {
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "raw", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {"elicitation": {}},
    });
    let name: &'static str = match params["name"].as_str() {
        Some(name) => name.to_owned().leak(),
        None => "",
    };
    let mut headers = vec![("MCP-Protocol-Version", "2026-07-28"), ("Mcp-Method", method)];
    if !name.is_empty() {
        headers.push(("Mcp-Name", name));
    }
    (headers, json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}))
}

/// Returns the JSON-RPC message in a response, also if it is an event.
pub(crate) fn message(raw: &Raw) -> Value {
    let start = raw.body.find("{\"jsonrpc\"").unwrap_or_else(|| panic!("no message: {}", raw.body));
    serde_json::Deserializer::from_slice(&raw.body.as_bytes()[start..]).into_iter().next().unwrap().unwrap()
}
