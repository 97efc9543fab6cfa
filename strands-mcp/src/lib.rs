//! Model Context Protocol (MCP) for strands-rs: tools of MCP servers for agents, and agents and tools as MCP servers.

#![cfg_attr(docsrs, feature(doc_cfg))]

mod client;
mod config;
mod server;

pub use client::{
    AuthorizationCode, ClientCredentials, CredentialStore, EnterpriseManaged, IdentityProvider, OAuth, OAuthClient,
    OAuthError, OAuthGrant, OAuthTokenSource, WorkloadIdentity,
};
pub use client::{
    Challenge, Elicitation, ElicitationKind, ElicitationResponse, Http, McpClient, McpClientBuilder, McpError, McpTask,
    SamplingLimits, Stdio, SubmittedCall, TaskState, TokenSource, ToolFilter, ToolPatternError, Transport,
};
