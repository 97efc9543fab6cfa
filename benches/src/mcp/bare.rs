//! rmcp without `McpClient`: no filters, no timeouts, no reconnections, no progress.

use std::path::Path;

use rmcp::model::{CallToolRequestParams, ClientConfig};
use rmcp::service::{Peer, RunningService};
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use rmcp::transport::{StreamableHttpClientTransport, TokioChildProcess};
use rmcp::{RoleClient, ServiceExt as _};
use serde_json::Value;

use super::COMMAND;
use crate::work::block_on;

pub(super) struct Bare {
    peer: Peer<RoleClient>,
    _running: RunningService<RoleClient, ClientConfig>,
}

impl Bare {
    pub(super) fn http(url: &str) -> Self {
        let running = block_on(async {
            // The default client of rmcp keeps no connections.
            let config = StreamableHttpClientTransportConfig::with_uri(url);
            let transport = StreamableHttpClientTransport::with_client(reqwest::Client::new(), config);
            ClientConfig::default().serve(transport).await
        });
        Self::new(running.unwrap())
    }

    pub(super) fn stdio(program: &Path) -> Self {
        let mut command = tokio::process::Command::new(program);
        command.arg(COMMAND);
        let running = block_on(async {
            let transport = TokioChildProcess::new(command).unwrap();
            ClientConfig::default().serve(transport).await
        });
        Self::new(running.unwrap())
    }

    fn new(running: RunningService<RoleClient, ClientConfig>) -> Self {
        Self { peer: running.peer().clone(), _running: running }
    }

    pub(super) async fn call(&self, arguments: Value) -> String {
        let Value::Object(arguments) = arguments else { panic!("arguments are an object") };
        let request = CallToolRequestParams::new("forecast").with_arguments(arguments);
        let result = self.peer.call_tool(request).await.unwrap();
        result.content.into_iter().map(|block| block.as_text().unwrap().text.clone()).collect()
    }
}
