//! A small MCP server over HTTP whose responses to tool calls are scripted.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use strands_testkit::{Gate, Request, Response, Server};

/// A server, and counts of its requests.
pub(crate) struct McpServer {
    pub(crate) http: Server,
    sessions: Arc<AtomicUsize>,
}

/// A tool call: the HTTP request, the JSON-RPC request, and which tool call it is, from zero.
pub(crate) struct Call<'a> {
    pub(crate) request: &'a Request,
    pub(crate) id: Value,
    pub(crate) index: usize,
}

impl Call<'_> {
    pub(crate) fn message(&self, text: &str) -> Value {
        json!({"jsonrpc": "2.0", "id": self.id, "result": {"content": [{"type": "text", "text": text}]}})
    }

    /// A response as JSON.
    pub(crate) fn json(&self, text: &str) -> Response {
        Response::json(200, &self.message(text))
    }

    /// A response as one server-sent event.
    pub(crate) fn sse(&self, text: &str) -> Response {
        Response::sse(format!("data: {}\n\n", self.message(text)))
    }
}

/// Returns the gate of a method of JSON-RPC.
type GateOf = Box<dyn Fn(&str) -> Gate + Send + Sync>;

impl McpServer {
    /// Starts a server with the tools `work` and `read`, of which the second one is read-only.
    pub(crate) async fn start(respond: impl Fn(&Call<'_>) -> Response + Send + Sync + 'static) -> Self {
        Self::with_filter(|_| None, respond).await
    }

    /// Starts a server whose responses wait at a gate, which is returned for a method of JSON-RPC.
    pub(crate) async fn with_delay(
        gate: impl Fn(&str) -> Gate + Send + Sync + 'static,
        respond: impl Fn(&Call<'_>) -> Response + Send + Sync + 'static,
    ) -> Self {
        Self::new(|_| None, Some(Box::new(gate)), respond).await
    }

    /// Starts a server with a filter that may respond to any request.
    pub(crate) async fn with_filter(
        filter: impl Fn(&Request) -> Option<Response> + Send + Sync + 'static,
        respond: impl Fn(&Call<'_>) -> Response + Send + Sync + 'static,
    ) -> Self {
        Self::new(filter, None, respond).await
    }

    async fn new(
        filter: impl Fn(&Request) -> Option<Response> + Send + Sync + 'static,
        gate: Option<GateOf>,
        respond: impl Fn(&Call<'_>) -> Response + Send + Sync + 'static,
    ) -> Self {
        let sessions = Arc::new(AtomicUsize::new(0));
        let (calls, created) = (AtomicUsize::new(0), Arc::clone(&sessions));
        let http = Server::handler(move |request| {
            if let Some(response) = filter(request) {
                return response;
            }
            if request.method != "POST" {
                return Response::new(if request.method == "DELETE" { 200 } else { 405 });
            }
            let message = request.json();
            let Some(id) = message.get("id").cloned() else { return Response::new(202) };
            let result = |result: Value| Response::json(200, &json!({"jsonrpc": "2.0", "id": id, "result": result}));
            let method = message["method"].as_str().unwrap_or_default();
            let response = match method {
                "initialize" => {
                    let session = created.fetch_add(1, Ordering::SeqCst);
                    result(json!({
                        "protocolVersion": "2025-11-25",
                        "capabilities": {"tools": {}},
                        "serverInfo": {"name": "faults", "version": "1"},
                    }))
                    .header("mcp-session-id", &format!("session-{session}"))
                }
                "tools/list" => result(json!({"tools": [
                    {"name": "work", "inputSchema": {"type": "object"}},
                    {"name": "read", "inputSchema": {"type": "object"}, "annotations": {"readOnlyHint": true}},
                ]})),
                "tools/call" => respond(&Call { request, id, index: calls.fetch_add(1, Ordering::SeqCst) }),
                method => {
                    let error = json!({"code": -32601, "message": format!("unknown method {method}")});
                    Response::json(200, &json!({"jsonrpc": "2.0", "id": id, "error": error}))
                }
            };
            match &gate {
                Some(gate) => response.hold_head(&gate(method)),
                None => response,
            }
        })
        .await;
        Self { http, sessions }
    }

    pub(crate) fn url(&self) -> String {
        format!("{}/mcp", self.http.url())
    }

    /// Number of sessions that were created.
    pub(crate) fn sessions(&self) -> usize {
        self.sessions.load(Ordering::SeqCst)
    }

    /// Number of requests with this method of JSON-RPC.
    pub(crate) fn count(&self, method: &str) -> usize {
        let requests = self.http.requests();
        requests.iter().filter(|request| request.method == "POST" && request.json()["method"] == method).count()
    }
}
