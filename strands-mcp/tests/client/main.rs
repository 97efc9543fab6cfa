//! Clients and their agents against a server of rmcp over HTTP, in both ages of the protocol.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::unreachable,
    clippy::indexing_slicing,
    reason = "a test that fails panics"
)]

mod calls;
mod changes;
mod configured;
mod elicitation;
mod reading;
mod restarts;
mod sampling;
mod server;
mod tasks;

use std::time::Duration;

use strands_core::message::ToolResultContent;
use strands_core::testing::{ScriptedModel, ScriptedTurn};
use strands_core::{Agent, AgentBuilder, ToolOutput};
use strands_mcp::McpClient;

use server::Server;

fn client(server: &Server) -> McpClient {
    McpClient::http(server.url()).name("test").build().unwrap()
}

fn agent(client: &McpClient, model: &ScriptedModel) -> AgentBuilder {
    Agent::builder().model(model.clone()).tool_provider(client.clone())
}

/// A model that calls these tools, one in each turn, and then ends.
fn calling(names: &[&'static str]) -> ScriptedModel {
    let calls = names.iter().map(|name| ScriptedTurn::tool_use(*name, strands_core::serde_json::json!({})));
    ScriptedModel::new(calls.chain([ScriptedTurn::text("done")]))
}

fn text(output: &ToolOutput) -> &str {
    match output.content() {
        [ToolResultContent::Text(text)] => text,
        content => panic!("{content:?}"),
    }
}

/// Waits for something that has to happen soon.
async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(10), future).await.expect("it takes too long")
}
