//! Client: connections to MCP servers, and their tools for agents.

mod builder;
mod call;
mod connection;
mod content;
mod description;
mod elicitation;
mod error;
mod failure;
mod filter;
mod handler;
mod http;
mod http_builder;
mod input;
mod link;
mod listing;
mod mcp_client;
mod progress;
mod rounds;
mod sampling;
mod stdio;
mod stdio_builder;
mod tasks;
mod token;
mod tool;
mod tool_spec;

pub use builder::{McpClientBuilder, Transport};
pub use elicitation::{Elicitation, ElicitationKind, ElicitationResponse};
pub use error::McpError;
pub use filter::{ToolFilter, ToolPatternError};
pub use http_builder::Http;
pub use mcp_client::McpClient;
pub use sampling::SamplingLimits;
pub use stdio_builder::Stdio;
pub use tasks::{McpTask, SubmittedCall, TaskState};
pub use token::{Challenge, TokenSource};
