//! `travel-mcp`: the travel desk as an MCP server. The same as `travel-agent mcp`.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    travel_agent::cli::run_command("mcp").await
}
