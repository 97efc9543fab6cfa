//! Model Context Protocol (MCP) for strands-rs: tools of MCP servers for agents, and agents and tools as MCP servers.

#![cfg_attr(docsrs, feature(doc_cfg))]

mod client;
mod config;
mod server;

pub use client::{Challenge, TokenSource, ToolFilter, ToolPatternError};
pub use config::{McpConfigError, McpServerConfigError};
