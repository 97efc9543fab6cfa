//! Client: connections to MCP servers, and their tools for agents.

mod any_transport;
mod builder;
mod call;
mod connection;
mod content;
mod description;
mod elicitation;
mod error;
mod event_stream;
mod failure;
mod filter;
mod handler;
mod http;
mod http_builder;
mod http_handshake;
mod input;
mod link;
mod listing;
mod mcp_client;
mod oauth;
mod progress;
mod prompts;
mod reading;
mod resources;
mod rounds;
mod sampling;
mod server_stream;
mod stdio;
mod stdio_builder;
mod tasks;
mod token;
mod tool;
mod tool_spec;

pub use any_transport::AnyTransport;
pub use builder::{McpClientBuilder, Transport};
pub use elicitation::{Elicitation, ElicitationKind, ElicitationResponse};
pub use error::McpError;
pub use filter::{ToolFilter, ToolPatternError};
pub use http_builder::Http;
pub use mcp_client::McpClient;
pub use oauth::{
    AuthorizationCode, ClientCredentials, CredentialStore, EnterpriseManaged, IdentityProvider, OAuth, OAuthClient,
    OAuthError, OAuthGrant, OAuthTokenSource, WorkloadIdentity,
};
pub use prompts::{Completion, PromptArgument, PromptInfo, PromptMessages};
pub use resources::{ResourceData, ResourceInfo, ResourcePart, ResourceTemplate};
pub use sampling::SamplingLimits;
pub use stdio_builder::Stdio;
pub use tasks::{McpTask, SubmittedCall, TaskState};
pub use token::{Challenge, TokenSource};
