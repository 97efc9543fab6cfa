//! Servers that misbehave, over loopback and as child processes: no hang, nothing sent where it must not go, nothing leaked.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failure here fails the test"
)]

#[cfg(target_os = "linux")]
mod children;
mod http;
#[cfg(target_os = "linux")]
mod leaks;
mod origins;
mod server;
mod sessions;
mod starts;
mod tokens;

use std::time::Duration;

use strands::mcp::McpClient;
use strands::message::{ToolResult, ToolResultContent};
use strands::testing::{ScriptedModel, ScriptedTurn};
use strands::{Agent, ToolOutput};

/// Fails instead of hanging.
async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), future).await.expect("no result within 20 s")
}

/// Runs an agent whose model calls these tools, one in each turn, and returns their results.
async fn agent_calls(client: &McpClient, tools: &[&str]) -> Vec<ToolResult> {
    let calls = tools.iter().map(|tool| ScriptedTurn::tool_use(*tool, serde_json::json!({})));
    let model = ScriptedModel::new(calls.chain([ScriptedTurn::text("Done.")]));
    let mut agent = soon(Agent::builder().model(model).tool_provider(client.clone()).build()).await.unwrap();
    let response = soon(agent.prompt("Work.").into_future()).await.unwrap();
    assert_eq!(response.text(), "Done.");
    agent.messages().iter().flat_map(|message| message.tool_results().cloned().collect::<Vec<_>>()).collect()
}

/// The texts of a result, together.
trait Texts {
    fn content(&self) -> &[ToolResultContent];

    fn texts(&self) -> String {
        let texts = self.content().iter().filter_map(|content| match content {
            ToolResultContent::Text(text) => Some(text.as_str()),
            _ => None,
        });
        texts.collect()
    }
}

impl Texts for ToolOutput {
    fn content(&self) -> &[ToolResultContent] {
        self.content()
    }
}

impl Texts for ToolResult {
    fn content(&self) -> &[ToolResultContent] {
        &self.content
    }
}
