//! A client that records what it gets, and servers for it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use rmcp::model::{
    CallToolRequestParams, CallToolResult, ClientCapabilities, ClientConfig, ElicitRequestParams, ElicitResult,
    ErrorData, Implementation, ProgressNotificationParam, ProtocolVersion, ResourceUpdatedNotificationParam,
};
use rmcp::service::{NotificationContext, RequestContext, RunningService, serve_client_with_lifecycle};
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use rmcp::{ClientHandler, RoleClient};
use serde_json::Value;
use strands::mcp::{McpServer, axum};

/// The two ages of the protocol.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Age {
    Legacy,
    Stateless,
}

pub(crate) const AGES: [Age; 2] = [Age::Legacy, Age::Stateless];

/// Number and message of a progress notification.
pub(crate) type Progress = (f64, Option<String>);

/// A client, with the responses of its user.
#[derive(Clone, Default)]
pub(crate) struct Client {
    pub(crate) answers: Arc<Mutex<Vec<Value>>>,
    pub(crate) asked: Arc<Mutex<Vec<String>>>,
    pub(crate) progress: Arc<Mutex<Vec<Progress>>>,
    pub(crate) list_changes: Arc<Mutex<usize>>,
    pub(crate) updates: Arc<Mutex<Vec<String>>>,
    pub(crate) logs: Arc<Mutex<Vec<Value>>>,
}

pub(crate) type Running = RunningService<RoleClient, Client>;

impl Client {
    /// Creates a client whose user gives these responses, one after the other.
    pub(crate) fn answering(answers: impl IntoIterator<Item = Value>) -> Self {
        Self { answers: Arc::new(Mutex::new(answers.into_iter().collect())), ..Self::default() }
    }
}

impl ClientHandler for Client {
    fn get_info(&self) -> ClientConfig {
        let mut capabilities = ClientCapabilities::default();
        if !self.answers.lock().unwrap().is_empty() {
            capabilities.elicitation = Some(Default::default());
        }
        ClientConfig::new(capabilities, Implementation::new("test", "1"))
    }

    async fn create_elicitation(
        &self,
        request: ElicitRequestParams,
        _context: RequestContext<RoleClient>,
    ) -> Result<ElicitResult, ErrorData> {
        if let ElicitRequestParams::FormElicitationParams { message, .. } = request {
            self.asked.lock().unwrap().push(message);
        }
        let answer = self.answers.lock().unwrap().remove(0);
        Ok(serde_json::from_value(answer).unwrap())
    }

    async fn on_progress(&self, progress: ProgressNotificationParam, _context: NotificationContext<RoleClient>) {
        self.progress.lock().unwrap().push((progress.progress, progress.message));
    }

    async fn on_resource_updated(
        &self,
        update: ResourceUpdatedNotificationParam,
        _context: NotificationContext<RoleClient>,
    ) {
        self.updates.lock().unwrap().push(update.uri);
    }

    #[expect(deprecated, reason = "log messages are deprecated by the protocol, but not removed")]
    async fn on_logging_message(
        &self,
        message: rmcp::model::LoggingMessageNotificationParam,
        _context: NotificationContext<RoleClient>,
    ) {
        self.logs.lock().unwrap().push(message.data);
    }

    async fn on_tool_list_changed(&self, _context: NotificationContext<RoleClient>) {
        *self.list_changes.lock().unwrap() += 1;
    }
}

/// Connects over a stream in memory. Dropping the client ends the server.
pub(crate) async fn connected(server: McpServer, client: Client, age: Age) -> Running {
    let (near, far) = tokio::io::duplex(1 << 16);
    let (reader, writer) = tokio::io::split(far);
    tokio::spawn(server.serve(reader, writer));
    serve_client_with_lifecycle(client, tokio::io::split(near), lifecycle(age)).await.unwrap()
}

/// Serves HTTP on a free port; returns the URL.
pub(crate) async fn served(server: McpServer) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/mcp", listener.local_addr().unwrap());
    let router = server.into_router();
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

/// Connects over HTTP.
pub(crate) async fn connected_to(url: &str, client: Client, age: Age, token: Option<&str>) -> Running {
    let mut config = StreamableHttpClientTransportConfig::with_uri(url);
    if let Some(token) = token {
        config = config.auth_header(token);
    }
    let http = strands_http::HttpOptions::plain_http().builder().unwrap().build().unwrap();
    let transport = StreamableHttpClientTransport::with_client(http, config);
    serve_client_with_lifecycle(client, transport, lifecycle(age)).await.unwrap()
}

fn lifecycle(age: Age) -> rmcp::service::ClientLifecycleMode {
    match age {
        Age::Legacy => rmcp::service::ClientLifecycleMode::Initialize,
        Age::Stateless => {
            rmcp::service::ClientLifecycleMode::Discover { preferred_versions: vec![ProtocolVersion::V_2026_07_28] }
        }
    }
}

pub(crate) fn call(name: &'static str, arguments: Value) -> CallToolRequestParams {
    CallToolRequestParams::new(name).with_arguments(arguments.as_object().unwrap().clone())
}

/// Returns the texts of a result.
pub(crate) fn text(result: &CallToolResult) -> String {
    result.content.iter().filter_map(|content| Some(content.as_text()?.text.as_str())).collect::<Vec<_>>().join("\n")
}

/// Waits until a condition holds, at most two seconds.
pub(crate) async fn until(what: &str, condition: impl Fn() -> bool) {
    for _ in 0..400 {
        if condition() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("timeout: {what}");
}
