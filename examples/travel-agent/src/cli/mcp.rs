//! MCP options: servers whose tools the agent uses beside its own.

use std::{error::Error, path::PathBuf};

use clap::Args;
use strands::mcp::{McpClient, load_servers};

/// Variable with the bearer token of `--mcp-url`.
const TOKEN: &str = "TRAVEL_MCP_TOKEN";

#[derive(Debug, Args)]
pub(crate) struct McpArgs {
    /// Use the tools of the MCP servers in this file, which has the `mcpServers` format of editors.
    #[arg(long, value_name = "FILE", env = "TRAVEL_MCP")]
    mcp: Option<PathBuf>,

    /// Use the tools of the MCP server at this URL, with the bearer token in TRAVEL_MCP_TOKEN, if any. May be repeated without
    /// a token.
    #[arg(long, value_name = "URL")]
    mcp_url: Vec<String>,
}

impl McpArgs {
    /// Returns a client for each server.
    pub(crate) fn clients(&self) -> Result<Vec<McpClient>, Box<dyn Error>> {
        let mut clients = match &self.mcp {
            Some(file) => load_servers(file)?,
            None => Vec::new(),
        };
        let token = std::env::var(TOKEN).ok();
        if token.is_some() && self.mcp_url.len() > 1 {
            // A server must not get the token of another one.
            return Err(format!("{TOKEN} is the token of one server: name several servers in a file for --mcp").into());
        }
        for url in &self.mcp_url {
            let builder = McpClient::http(url);
            let builder = token.iter().fold(builder, |builder, token| builder.bearer_token(token));
            clients.push(builder.build()?);
        }
        Ok(clients)
    }
}
