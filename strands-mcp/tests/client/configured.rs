//! Agents with the servers of a configuration.

use strands_core::serde_json::{Value, json};
use strands_core::testing::ScriptedModel;
use strands_core::{Agent, BuildError, tool, tools};
use strands_mcp::{McpServer, parse_servers};

use crate::reading::serve;

/// Reads.
#[tool(crate = strands_core)]
fn read() -> &'static str {
    "read"
}

/// Writes.
#[tool(crate = strands_core)]
fn write() -> &'static str {
    "written"
}

async fn agent(configuration: Value) -> Result<Agent, BuildError> {
    let servers = parse_servers(&configuration.to_string()).unwrap();
    Agent::builder().model(ScriptedModel::responding("hi")).tools(tools![Read]).tool_providers(servers).build().await
}

#[tokio::test]
async fn an_agent_takes_the_servers_of_a_configuration() {
    let url = serve(McpServer::new(tools![Read, Write]).unwrap()).await;
    let disk = json!({"url": url, "prefix": "disk", "denyTools": ["wr*"]});
    let agent = agent(json!({"mcpServers": {"disk": disk, "old": {"url": url, "disabled": true}}})).await.unwrap();
    let tools: Vec<_> = agent.tools().iter().map(|tool| tool.spec().name.clone()).collect();
    assert_eq!(tools, ["read", "disk_read"]);
}

#[tokio::test]
async fn a_server_can_not_shadow_other_tools() {
    let url = serve(McpServer::new(tools![Read, Write]).unwrap()).await;
    let one = agent(json!({"mcpServers": {"disk": {"url": url}}})).await.unwrap_err();
    assert!(one.to_string().contains("`read` of the program and `read` of `disk`"), "{one}");
    let write = json!({"url": url, "allowTools": ["write"]});
    let two = agent(json!({"mcpServers": {"a": write, "b": write}})).await.unwrap_err();
    assert!(two.to_string().contains("`write` of `a` and `write` of `b`"), "{two}");
}
