//! A small server over stdio and HTTP. It parses no more than it needs.

use std::io::{BufRead as _, Write as _};

use serde::Deserialize;
use serde_json::{Value, json};

/// First argument of a server over stdio.
pub(crate) const COMMAND: &str = "serve-mcp";
/// Port of the server over HTTP.
pub(crate) const HTTP: &str = "mcp";

const TEXT: &str = "Oslo: rain on 3 of 5 days, source: yr.no. Wind from the south-west, 5 m/s, gusts up to 11 m/s. \
    Temperature from 3 to 9 degrees Celsius, 12 millimetres of rain, sunrise at 8:41, sunset at 15:22.";

#[derive(Deserialize)]
struct Message {
    id: Option<Value>,
    method: String,
}

/// Serves until its standard input ends.
pub(crate) fn serve() {
    let mut output = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        if let Some(response) = response(line.unwrap().as_bytes()) {
            output.write_all(&response).unwrap();
            output.write_all(b"\n").unwrap();
            output.flush().unwrap();
        }
    }
}

/// Returns the response to an HTTP request with this body.
pub(crate) fn respond_over_http(body: &[u8]) -> Vec<u8> {
    // The client opens a stream without a body, and ends the session without one.
    if body.is_empty() {
        return b"HTTP/1.1 405 Method Not Allowed\r\ncontent-length: 0\r\n\r\n".to_vec();
    }
    let Some(json) = response(body) else { return b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n".to_vec() };
    let length = json.len();
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nmcp-session-id: bench\r\ncontent-length: {length}\r\n\r\n"
    );
    [head.as_bytes(), &json].concat()
}

fn response(request: &[u8]) -> Option<Vec<u8>> {
    let message: Message = serde_json::from_slice(request).unwrap();
    let id = message.id?;
    let result = match message.method.as_str() {
        "initialize" => json!({
            "protocolVersion": "2025-11-25",
            "capabilities": {"tools": {}},
            "serverInfo": {"name": "bench", "version": "1"},
        }),
        "tools/list" => json!({"tools": [{
            "name": "forecast",
            "description": "Returns the weather forecast.",
            "inputSchema": {"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}}},
        }]}),
        "tools/call" => json!({"content": [{"type": "text", "text": TEXT}]}),
        _ => {
            let error = json!({"code": -32601, "message": "unknown method"});
            return serde_json::to_vec(&json!({"jsonrpc": "2.0", "id": id, "error": error})).ok();
        }
    };
    serde_json::to_vec(&json!({"jsonrpc": "2.0", "id": id, "result": result})).ok()
}
